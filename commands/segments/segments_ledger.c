/* segments_ledger.c -- looks at a ledger until what seems damaged has seemed so for a while. Runs
 * in the process of `mygrpcadapter segments`; segment/ledger_format.h has the layout. */
#include "commands/segments/segments_ledger.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A block that is being written is whole again after this, a few times over. */
#define LOOKS_MAX 8
#define LOOK_PAUSE_NS 2000000L

static void
set_damage(struct segments_ledger *ledger, const char *reason, uint64_t offset)
{
    ledger->damage = reason;
    ledger->damage_offset = offset;
}

/* Whether nothing was ever written there. */
static bool
is_blank(int fd, off_t at)
{
    static const struct ledger_header blank;
    struct ledger_header header;
    ssize_t got = pread(fd, &header, sizeof(header), at);
    return got == 0 || (got == sizeof(header) && memcmp(&header, &blank, sizeof(blank)) == 0);
}

/* Looks for a copy that is not whole in a block of which the other one is. There need be no second
 * one: earlier releases wrote one copy, and a death comes between the two. Returns 0 or a negative
 * errno. */
static int
look_at_copies(struct segments_ledger *ledger, int fd, unsigned block)
{
    for (unsigned copy = 0; copy < LEDGER_COPIES; copy++) {
        struct ledger_record record = {0};
        off_t at = ledger_copy_offset(block, copy);
        int fault = ledger_record_read_copy(&record, fd, block, copy);
        ledger_record_clear(&record);
        if (fault == 0 || (copy > 0 && is_blank(fd, at)))
            continue;
        if (fault != -EBADMSG && fault != -EIO)
            return fault;
        set_damage(ledger, "the copy there is not whole; the other one counts", (uint64_t)at);
    }
    return 0;
}

/* Reads both blocks and keeps the record that counts. A block that its medium does not give is
 * damaged as one is that is not whole. Returns 0 or a negative errno. */
static int
read_blocks(struct segments_ledger *ledger, int fd)
{
    int faults[LEDGER_BLOCKS];
    (void)ledger_record_read_newest(&ledger->record, fd, faults);
    for (unsigned block = 0; block < LEDGER_BLOCKS; block++) {
        if (faults[block] != 0 && faults[block] != -EBADMSG && faults[block] != -EIO)
            return faults[block];
        int result = faults[block] == 0 ? look_at_copies(ledger, fd, block) : 0;
        if (result != 0)
            return result;
    }
    if (faults[0] != 0 && faults[1] != 0)
        set_damage(ledger, "neither of its two blocks is whole", 0);
    else if (faults[0] != 0 || faults[1] != 0)
        set_damage(ledger, "the block there is not whole; the other one counts",
                   faults[0] != 0 ? 0 : LEDGER_BLOCK_BYTES);
    return 0;
}

/* Whether it is the ledger of the output that it tells of, by its name, and that output can be. */
static bool
belongs_to(const struct ledger_state *state, const char *name)
{
    char expected[LEDGER_NAME_BYTES_MAX];
    ledger_name_format(expected, state->kind, state->name);
    return strncmp(name, expected, strlen(expected)) == 0 &&
           segment_kind_takes_name((uint16_t)state->kind, state->name.size);
}

int
segments_ledger_read(struct segments_ledger *ledger, int fd, const char *name)
{
    *ledger = (struct segments_ledger){.valid = false};
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        set_damage(ledger, "it is not a regular file", 0);
        return 0;
    }
    for (int look = 0; look < LOOKS_MAX; look++) {
        segments_ledger_close(ledger);
        int result = read_blocks(ledger, fd);
        if (result != 0)
            return result;
        if (ledger->damage == NULL)
            break;
        (void)nanosleep(&(struct timespec){.tv_nsec = LOOK_PAUSE_NS}, NULL);
    }
    if (ledger->record.size == 0)
        return 0;
    int result = ledger_record_state(&ledger->record, &ledger->state);
    if (result != 0)
        return result;
    ledger->valid = belongs_to(&ledger->state, name);
    if (!ledger->valid)
        set_damage(ledger, "its name is not that of the output it tells of", 0);
    return 0;
}

void
segments_ledger_close(struct segments_ledger *ledger)
{
    ledger_record_clear(&ledger->record);
    *ledger = (struct segments_ledger){.valid = false};
}
