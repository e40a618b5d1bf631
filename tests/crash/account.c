/* account.c -- keeps and checks the account; account.h. */
#include "tests/crash/account.h"

#include <stddef.h>
#include <fcntl.h>
#include <unistd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define RECORDS_MAX 8192U
#define OUTPUT_BYTES_MAX (2U << 20)
#define SLOTS_MAX 4U

const char *const account_outputs[ACCOUNT_OUTPUTS] = {"a.txt", "b.txt", "deep/er/c.txt",
                                                      "same/er/c.txt"};

enum fate { FATE_ATTEMPTED, FATE_APPENDED, FATE_ACKNOWLEDGED, FATE_REFUSED };

struct entry {
    enum fate fate;
    uint32_t output;
    uint32_t slot;
    uint32_t child;
    bool durable;
};

/* A word that others write. */
#define STRANGER "<somebody else %u>"
#define STRANGER_BYTES 40

extern int __real_open(const char *path, int flags, ...);
extern int __real_mkdir(const char *path, mode_t mode);

struct account {
    uint32_t count;
    uint32_t child; /* the present one, from 1 */
    bool any_order;
    struct entry entries[RECORDS_MAX];
    uint32_t strangers[ACCOUNT_FILES]; /* words of others, from 0 */
    size_t synced_bytes[ACCOUNT_FILES];
    char synced[ACCOUNT_FILES][OUTPUT_BYTES_MAX];
};

/* A file while it is checked. */
struct reading {
    const struct account *account;
    enum account_rule rule;
    uint32_t file;
    const char *name;
    char *bytes;
    size_t size;
    uint16_t *seen; /* how often each record stands there, in all files */
};

void
account_open(struct account **out)
{
    void *memory = mmap(NULL, sizeof(struct account), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        abort();
    *out = memory;
}

void
account_clear(struct account *account)
{
    account->count = 0;
    account->child = 0;
    account->any_order = false;
    memset(account->strangers, 0, sizeof(account->strangers));
    memset(account->synced_bytes, 0, sizeof(account->synced_bytes));
}

void
account_allow_any_order(struct account *account)
{
    account->any_order = true;
}

void
account_begin_child(struct account *account)
{
    account->child++;
}

/* The text of a record: a line whose length and letters follow from its number; one in 19 is long.
 * Returns its size. */
static size_t
make_text(uint32_t number, uint32_t output, char text[static ACCOUNT_TEXT_BYTES_MAX])
{
    size_t filler = number * 53U % 500U + (number % 19U == 18U ? 23000U : 0U);
    int head =
        snprintf(text, ACCOUNT_TEXT_BYTES_MAX, "record %u to %s ", number, account_outputs[output]);
    for (size_t i = 0; i < filler; i++)
        text[(size_t)head + i] = (char)('a' + (number + i) % 26);
    text[(size_t)head + filler] = '\n';
    text[(size_t)head + filler + 1] = '\0';
    return (size_t)head + filler + 1;
}

void
account_link_names(const char *volume)
{
    char path[512];
    (void)snprintf(path, sizeof(path), "%s/deep", volume);
    if (__real_mkdir(path, 0700) != 0)
        abort();
    (void)snprintf(path, sizeof(path), "%s/same", volume);
    if (symlink("deep", path) != 0)
        abort();
}

static uint32_t
file_of(uint32_t output)
{
    return output < ACCOUNT_FILES ? output : ACCOUNT_FILES - 1;
}

uint32_t
account_attempt(struct account *account, uint32_t output, uint32_t slot, bool durable, char *text)
{
    if (account->count == RECORDS_MAX)
        abort();
    uint32_t number = account->count++;
    account->entries[number] =
        (struct entry){FATE_ATTEMPTED, output, slot, account->child, durable};
    (void)make_text(number, output, text);
    return number;
}

void
account_refuse(struct account *account, uint32_t number)
{
    account->entries[number].fate = FATE_REFUSED;
}

void
account_append(struct account *account, uint32_t number)
{
    struct entry *entry = &account->entries[number];
    entry->fate = entry->durable ? FATE_APPENDED : FATE_ACKNOWLEDGED;
}

void
account_acknowledge_slot(struct account *account, uint32_t slot)
{
    for (uint32_t i = 0; i < account->count; i++) {
        struct entry *entry = &account->entries[i];
        if (entry->child == account->child && entry->slot == slot && entry->fate == FATE_APPENDED)
            entry->fate = FATE_ACKNOWLEDGED;
    }
}

uint32_t
account_acknowledged(const struct account *account)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < account->count; i++)
        count += account->entries[i].fate == FATE_ACKNOWLEDGED ? 1 : 0;
    return count;
}

/* Reads one file whole; one that is not there is empty. */
static size_t
read_file(const char *path, char *to, size_t room)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    size_t size = fread(to, 1, room, file);
    if (size == room)
        abort();
    (void)fclose(file);
    return size;
}

/* Reads a file whole, what was rotated first, the oldest before the others. */
static size_t
read_rotated(const char *volume, uint32_t file, char *to)
{
    char path[512];
    size_t size = 0;
    for (int number = ACCOUNT_ROTATED_MAX; number > 0; number--) {
        (void)snprintf(path, sizeof(path), "%s/%s.%d", volume, account_outputs[file], number);
        size += read_file(path, to + size, OUTPUT_BYTES_MAX - size);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", volume, account_outputs[file]);
    return size + read_file(path, to + size, OUTPUT_BYTES_MAX - size);
}

void
account_add_strangers(struct account *account, const char *volume)
{
    for (uint32_t i = 0; i < ACCOUNT_FILES; i++) {
        char path[512];
        char word[STRANGER_BYTES];
        (void)snprintf(path, sizeof(path), "%s/%s", volume, account_outputs[i]);
        int length = snprintf(word, sizeof(word), STRANGER, account->strangers[i]);
        int fd = __real_open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd >= 0 && write(fd, word, (size_t)length) == length)
            account->strangers[i]++;
        if (fd >= 0)
            (void)close(fd);
    }
}

void
account_note_synced(struct account *account, const char *volume)
{
    for (uint32_t i = 0; i < ACCOUNT_FILES; i++)
        account->synced_bytes[i] = read_rotated(volume, i, account->synced[i]);
}

static bool
complain(const struct reading *reading, size_t at, const char *what, uint32_t number)
{
    (void)fprintf(stderr, "%s, byte %zu: %s (record %u)\n", reading->name, at, what, number);
    return false;
}

/* The record that begins at `at`: its number, or UINT32_MAX if it is none that was ever written,
 * whole and to this file. */
static uint32_t
recognise(const struct reading *reading, size_t at, size_t *size_r)
{
    char text[ACCOUNT_TEXT_BYTES_MAX];
    unsigned number = 0;
    if (reading->size - at < 16 || sscanf(reading->bytes + at, "record %u ", &number) != 1 ||
        number >= reading->account->count)
        return UINT32_MAX;
    uint32_t output = reading->account->entries[number].output;
    *size_r = make_text(number, output, text);
    bool whole = reading->size - at >= *size_r && memcmp(reading->bytes + at, text, *size_r) == 0 &&
                 file_of(output) == reading->file;
    return whole ? number : UINT32_MAX;
}

/* Whether a record may follow `before`, the last one of the same slot to the same output. */
static bool
is_in_order(const struct reading *reading, uint32_t before, uint32_t number)
{
    const struct entry *entry = &reading->account->entries[number];
    return reading->account->any_order || before == UINT32_MAX ||
           reading->account->entries[before].child != entry->child || before < number;
}

/* Under ACCOUNT_SYNCED_PREFIX only the last child's records count, and those that the disk had
 * before they were acknowledged; all else may be torn by the power cut. */
static bool
counts(const struct reading *reading, uint32_t number)
{
    const struct entry *entry = &reading->account->entries[number];
    return reading->rule != ACCOUNT_SYNCED_PREFIX || entry->durable ||
           entry->child == reading->account->child;
}

/* How many of the bytes that were on the disk stand there as they were. A zero that a power cut has
 * left, and that was synced before the recovery came to it, is one: the batch is written there. */
static size_t
count_kept(const struct reading *reading)
{
    const char *synced = reading->account->synced[reading->file];
    size_t most = reading->account->synced_bytes[reading->file];
    size_t kept = 0;
    if (most > reading->size)
        most = reading->size;
    while (kept < most && (synced[kept] == reading->bytes[kept] || synced[kept] == '\0'))
        kept++;
    return kept;
}

static bool
check_file(const struct reading *reading)
{
    uint32_t last[SLOTS_MAX][ACCOUNT_OUTPUTS];
    memset(last, 0xff, sizeof(last));
    for (size_t at = 0; at < reading->size;) {
        size_t size = 0;
        uint32_t number = recognise(reading, at, &size);
        if (number == UINT32_MAX && reading->rule == ACCOUNT_EXACTLY_ONCE)
            return complain(reading, at, "this is no whole record of this file", number);
        if (number == UINT32_MAX) {
            at++;
            continue;
        }
        if (counts(reading, number)) {
            const struct entry *entry = &reading->account->entries[number];
            reading->seen[number]++;
            if (!is_in_order(reading, last[entry->slot][entry->output], number))
                return complain(reading, at, "stands behind a later one of its journal", number);
            last[entry->slot][entry->output] = number;
        }
        at += size;
    }
    size_t kept = count_kept(reading);
    if (reading->rule == ACCOUNT_SYNCED_PREFIX &&
        kept < reading->account->synced_bytes[reading->file])
        return complain(reading, kept, "what was on the disk has changed", UINT32_MAX);
    return true;
}

/* Whether every word of others stands there, once. */
static bool
check_strangers(const struct reading *reading)
{
    char word[STRANGER_BYTES];
    for (uint32_t i = 0; i < reading->account->strangers[reading->file]; i++) {
        int length = snprintf(word, sizeof(word), STRANGER, i);
        const char *first = memmem(reading->bytes, reading->size, word, (size_t)length);
        if (first == NULL)
            return complain(reading, 0, "a word of somebody else is gone", i);
    }
    return true;
}

static bool
check_counts(const struct reading *reading)
{
    bool right = true;
    for (uint32_t i = 0; i < reading->account->count; i++) {
        enum fate fate = reading->account->entries[i].fate;
        unsigned least = fate == FATE_ACKNOWLEDGED ? 1 : 0;
        unsigned most = fate == FATE_REFUSED ? 0 : 1;
        if (!counts(reading, i) || (reading->seen[i] >= least && reading->seen[i] <= most))
            continue;
        (void)fprintf(stderr, "record %u (child %u, slot %u, %s, %s) stands there %u times\n", i,
                      reading->account->entries[i].child, reading->account->entries[i].slot,
                      account_outputs[reading->account->entries[i].output],
                      fate == FATE_ACKNOWLEDGED ? "acknowledged"
                      : fate == FATE_REFUSED    ? "refused"
                                                : "not acknowledged",
                      reading->seen[i]);
        right = false;
    }
    return right;
}

bool
account_check(const struct account *account, const char *volume, enum account_rule rule)
{
    static char bytes[OUTPUT_BYTES_MAX + 1];
    static uint16_t seen[RECORDS_MAX];
    memset(seen, 0, sizeof(seen));
    struct reading reading = {account, rule, 0, "", bytes, 0, seen};
    bool right = true;
    for (uint32_t i = 0; i < ACCOUNT_FILES; i++) {
        reading.file = i;
        reading.name = account_outputs[i];
        reading.size = read_rotated(volume, i, bytes);
        bytes[reading.size] = '\0';
        right = check_file(&reading) && check_strangers(&reading) && right;
    }
    return check_counts(&reading) && right;
}
