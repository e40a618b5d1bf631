/* output_note.c -- reads, writes and removes notes. Runs in the collector. */
#include "collector/destination/output_note.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/bytes.h"
#include "base/disk.h"
#include "base/invariant.h"
#include "common/heritage.h"
#include "common/output_path.h"
#include "common/rotated_name.h"
#include "common/settings.h"
#include "segment/ledger_format.h"

#define MAGIC "mygrpcno"
#define PREFIX "note-"
#define LEDGER_PREFIX_BYTES (sizeof("ledger-") - 1)
#define CHECKSUM_BYTES 8U
#define NOTE_MODE 0600

/* No period of output.rotate_seconds is longer. */
#define PERIOD_S_MAX INT64_C(31622400)

/* On disk: how a note begins. */
struct note_header {
    char magic[8];               /*  0 */
    unsigned char written_s[8];  /*  8 */
    unsigned char name_bytes[8]; /* 16 */
};
_Static_assert(sizeof(struct note_header) == 24, "on disk");

/* A note, with room for the longest name and the checksum behind it. */
struct note {
    struct note_header header;
    char name[OUTPUT_NAME_BYTES_MAX + CHECKSUM_BYTES];
};
_Static_assert(offsetof(struct note, name) == sizeof(struct note_header), "no gap");

/* The names of the ledger and of the note of an output file. */
static void
format_names(const char *name, char ledger[static LEDGER_NAME_BYTES_MAX],
             char note[static LEDGER_NAME_BYTES_MAX])
{
    ledger_name_format(ledger, SEGMENT_FILE, (struct bytes){name, strlen(name)});
    (void)snprintf(note, LEDGER_NAME_BYTES_MAX, PREFIX "%s", ledger + LEDGER_PREFIX_BYTES);
}

static uint64_t
checksum(const struct note *note, size_t name_bytes)
{
    return XXH3_64bits(note, sizeof(note->header) + name_bytes);
}

/* Reads a note file. Returns 0, -EBADMSG if it is not whole, or another negative errno. The name is
 * NUL-terminated. */
static int
read_file(int segments_fd, const char *file_name, struct note *note)
{
    int fd = openat(segments_fd, file_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    ssize_t size = pread(fd, note, sizeof(*note), 0);
    int error = errno;
    (void)close(fd);
    if (size < 0)
        return -error;
    uint64_t name_bytes = le64_get(note->header.name_bytes);
    if ((size_t)size < sizeof(note->header) + CHECKSUM_BYTES ||
        memcmp(note->header.magic, MAGIC, sizeof(note->header.magic)) != 0 ||
        name_bytes >= OUTPUT_NAME_BYTES_MAX ||
        (size_t)size != sizeof(note->header) + name_bytes + CHECKSUM_BYTES)
        return -EBADMSG;
    const unsigned char *sum = (const unsigned char *)note->name + name_bytes;
    if (le64_get(sum) != checksum(note, name_bytes))
        return -EBADMSG;
    note->name[name_bytes] = '\0';
    return 0;
}

int
output_note_read(int segments_fd, const char *name, int64_t *written_s_r)
{
    char ledger_name[LEDGER_NAME_BYTES_MAX];
    char note_name[LEDGER_NAME_BYTES_MAX];
    struct note note;
    format_names(name, ledger_name, note_name);
    int result = read_file(segments_fd, note_name, &note);
    if (result == -EBADMSG || (result == 0 && strcmp(note.name, name) != 0))
        return -ENOENT;
    if (result == 0)
        *written_s_r = (int64_t)le64_get(note.header.written_s);
    return result;
}

/* Fills a note. Returns its size. */
static size_t
build(struct note *note, const char *name, int64_t written_s)
{
    size_t name_bytes = strlen(name);
    INVARIANT(name_bytes < OUTPUT_NAME_BYTES_MAX);
    memcpy(note->header.magic, MAGIC, sizeof(note->header.magic));
    le64_put(note->header.written_s, (uint64_t)written_s);
    le64_put(note->header.name_bytes, name_bytes);
    memcpy(note->name, name, name_bytes);
    le64_put((unsigned char *)note->name + name_bytes, checksum(note, name_bytes));
    return sizeof(note->header) + name_bytes + CHECKSUM_BYTES;
}

int
output_note_write(int segments_fd, const char *name, int64_t written_s, bool durable)
{
    char ledger_name[LEDGER_NAME_BYTES_MAX];
    char note_name[LEDGER_NAME_BYTES_MAX];
    struct note note;
    format_names(name, ledger_name, note_name);
    size_t size = build(&note, name, written_s);
    int fd = openat(segments_fd, note_name,
                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, NOTE_MODE);
    if (fd < 0)
        return -errno;
    ssize_t written = pwrite(fd, &note, size, 0);
    int result = written == (ssize_t)size ? 0 : written < 0 ? -errno : -ENOSPC;
    if (result == 0 && durable) {
        disk_sync_data(fd, note_name);
        disk_sync(segments_fd, "segments.directory");
    }
    (void)close(fd);
    return result;
}

/* Returns 1 or 0, or a negative errno if it cannot be told. */
static int
is_there(int segments_fd, const char *file_name)
{
    struct stat status;
    if (fstatat(segments_fd, file_name, &status, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? 0 : -errno;
}

int
output_note_is_output(int segments_fd, const char *name)
{
    char ledger_name[LEDGER_NAME_BYTES_MAX];
    char note_name[LEDGER_NAME_BYTES_MAX];
    format_names(name, ledger_name, note_name);
    int result = is_there(segments_fd, ledger_name);
    return result == 0 ? is_there(segments_fd, note_name) : result;
}

bool
output_note_name_is(const char *file_name)
{
    char ledger_name[LEDGER_NAME_BYTES_MAX + sizeof("ledger-")];
    size_t prefix = strlen(PREFIX);
    if (strncmp(file_name, PREFIX, prefix) != 0 || strlen(file_name) >= LEDGER_NAME_BYTES_MAX)
        return false;
    (void)snprintf(ledger_name, sizeof(ledger_name), "ledger-%s", file_name + prefix);
    return ledger_name_is(ledger_name);
}

/* A note is kept for one period more. The clock of a file server may be ahead by so much; then the
 * time of the file would say that it was written in the next period. */
static bool
period_is_over(const struct settings *settings, int64_t written_s, int64_t now_s)
{
    int64_t period_s =
        settings->output_rotate_seconds > 0 ? settings->output_rotate_seconds : PERIOD_S_MAX;
    return written_s / period_s + 1 < now_s / period_s;
}

static bool
is_needed(const struct heritage *heritage, const struct note *note, int64_t now_s)
{
    uint64_t device;
    uint64_t inode;
    if (rotated_name_ends(note->name))
        return output_path_identify(heritage->fds[HERITAGE_FD_ROOT], note->name, &device, &inode) !=
               -ENOENT;
    return !period_is_over(heritage->settings, (int64_t)le64_get(note->header.written_s), now_s);
}

void
output_note_tidy(const struct heritage *heritage, const char *file_name, int64_t now_s)
{
    int segments_fd = heritage->fds[HERITAGE_FD_SEGMENTS];
    struct note note;
    int result = read_file(segments_fd, file_name, &note);
    if (result == -EBADMSG || (result == 0 && !is_needed(heritage, &note, now_s)))
        (void)unlinkat(segments_fd, file_name, 0);
}
