/* segment_store.c -- lists, takes over, removes and sets aside segment files. Runs in every
 * process; what only the collector may do, segment_store.h says. */
#include "segment/segment_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/array.h"
#include "base/clock.h"
#include "base/crash_point.h"
#include "base/directory.h"
#include "base/disk.h"
#include "base/rename.h"
#include "segment/segment_reader.h"

/* A file is written again by pieces of so many bytes. */
#define PIECE_BYTES (1U << 20)

/* A ".new" file younger than this may belong to a writer that has not locked it yet. */
#define NEW_FILE_GRACE_NS 1000000000U

static int
compare_entries(const void *a, const void *b)
{
    const struct segment_entry *left = a;
    const struct segment_entry *right = b;
    return segment_identity_compare(&left->identity, &right->identity);
}

/* The entries found so far. */
struct listing {
    struct segment_entry *entries;
    size_t count;
    size_t capacity;
};

/* Adds a name to the listing, if it is a segment's. */
static int
visit_name(void *context, const struct dirent *found)
{
    struct listing *listing = context;
    struct segment_entry entry;
    if (!segment_name_parse(found->d_name, &entry.identity, &entry.state))
        return 0;
    int result = ARRAY_RESERVE(listing->entries, listing->capacity, listing->count + 1);
    if (result == 0)
        listing->entries[listing->count++] = entry;
    return result;
}

int
segment_store_list(int directory_fd, struct segment_entry **entries_r, size_t *count_r)
{
    struct listing listing = {.entries = NULL};
    int result = directory_read(directory_fd, ".", visit_name, &listing);
    if (result != 0) {
        free(listing.entries);
        return result;
    }
    if (listing.count > 0)
        qsort(listing.entries, listing.count, sizeof(*listing.entries), compare_entries);
    *entries_r = listing.entries;
    *count_r = listing.count;
    return 0;
}

int
segment_store_next_incarnation(int directory_fd, uint64_t *next_r)
{
    struct segment_entry *entries = NULL;
    size_t count = 0;
    int result = segment_store_list(directory_fd, &entries, &count);
    if (result != 0)
        return result;
    *next_r = clock_realtime_ns() / 1000000;
    for (size_t i = 0; i < count; i++) {
        if (entries[i].identity.incarnation >= *next_r)
            *next_r = entries[i].identity.incarnation + 1;
    }
    free(entries);
    return 0;
}

/* The size of a segment's file, also if it was renamed since it was listed; 0 if it is gone. */
static uint64_t
find_bytes(int directory_fd, const struct segment_entry *entry)
{
    for (unsigned state = entry->state; state <= SEGMENT_STATE_SEALED; state++) {
        char name[SEGMENT_NAME_BYTES_MAX];
        struct stat status;
        segment_name_format(name, &entry->identity, (enum segment_state)state);
        if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0)
            return (uint64_t)status.st_size;
    }
    return 0;
}

int
segment_store_count_bytes(int directory_fd, uint32_t slot, struct segment_store_bytes *bytes_r)
{
    struct segment_entry *entries = NULL;
    size_t count = 0;
    int result = segment_store_list(directory_fd, &entries, &count);
    if (result != 0)
        return result;
    *bytes_r = (struct segment_store_bytes){0, 0};
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = find_bytes(directory_fd, &entries[i]);
        bytes_r->of_all += bytes;
        if (entries[i].identity.slot == slot && entries[i].state != SEGMENT_STATE_NEW)
            bytes_r->of_slot += bytes;
    }
    free(entries);
    return 0;
}

/* Opens a file and gets its lock without waiting. Returns the descriptor or a negative errno. */
static int
open_locked(int directory_fd, const char *name)
{
    int fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int error = errno == EWOULDBLOCK ? EAGAIN : errno;
        (void)close(fd);
        return -error;
    }
    return fd;
}

/* Writes once more what stands in a file, where it stands, and syncs it. Its writer may have
 * died of a sync that failed: the kernel then has pages that it calls clean and the disk lacks.
 * Returns 0 or a negative errno; a sync that fails ends the process. */
static int
rewrite_file(int fd, const char *name)
{
    char *piece = malloc(PIECE_BYTES);
    int result = piece == NULL ? -ENOMEM : 0;
    off_t at = 0;
    while (result == 0) {
        ssize_t size = pread(fd, piece, PIECE_BYTES, at);
        if (size < 0)
            result = -errno;
        if (size <= 0)
            break;
        ssize_t written = pwrite(fd, piece, (size_t)size, at);
        if (written != size)
            result = written < 0 ? -errno : -EIO;
        at += size;
    }
    free(piece);
    if (result == 0)
        disk_sync_data(fd, name);
    return result;
}

/* The same for a segment whose records were acknowledged when the disk had them. */
static int
rewrite_if_durable(int fd, const char *name, const struct segment_identity *identity)
{
    struct segment_facts facts;
    const char *reason;
    int result = segment_facts_read(&facts, fd, identity, &reason);
    if (result == -EBADMSG)
        return 0; /* it is judged once it is sealed */
    return result == 0 && facts.durable ? rewrite_file(fd, name) : result;
}

int
segment_store_take_over(int directory_fd, const struct segment_identity *identity)
{
    char open_name[SEGMENT_NAME_BYTES_MAX];
    char sealed_name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(open_name, identity, SEGMENT_STATE_OPEN);
    segment_name_format(sealed_name, identity, SEGMENT_STATE_SEALED);
    int fd = open_locked(directory_fd, open_name);
    if (fd < 0)
        return fd;
    crash_point("store.locked");
    int result = rewrite_if_durable(fd, open_name, identity);
    if (result == 0)
        result = rename_noreplace(directory_fd, open_name, directory_fd, sealed_name);
    crash_point("store.taken_over");
    (void)close(fd);
    return result;
}

/* In the order of a file's life: one that is renamed between two looks is seen. */
int
segment_store_has(int directory_fd, const struct segment_identity *identity)
{
    static const struct {
        const char *directory;
        enum segment_state state;
    } places[] = {{SEGMENT_DIRECTORY_ASIDE "/", SEGMENT_STATE_SEALED},
                  {"", SEGMENT_STATE_OPEN},
                  {"", SEGMENT_STATE_SEALED}};
    int result = -ENOENT;
    size_t first = identity->slot == SEGMENT_SLOT_ASIDE ? 0 : 1;
    for (size_t i = first; i < sizeof(places) / sizeof(places[0]) && result == -ENOENT; i++) {
        char path[sizeof(SEGMENT_DIRECTORY_ASIDE "/") + SEGMENT_NAME_BYTES_MAX];
        char name[SEGMENT_NAME_BYTES_MAX];
        struct stat status;
        segment_name_format(name, identity, places[i].state);
        (void)snprintf(path, sizeof(path), "%s%s", places[i].directory, name);
        result = fstatat(directory_fd, path, &status, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
    }
    return result;
}

int
segment_store_open(int directory_fd, const struct segment_entry *entry)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(name, &entry->identity, entry->state);
    int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int
segment_store_remove(int directory_fd, const struct segment_identity *identity)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(name, identity, SEGMENT_STATE_SEALED);
    int result = unlinkat(directory_fd, name, 0) != 0 && errno != ENOENT ? -errno : 0;
    crash_point("store.removed");
    return result;
}

int
segment_store_remove_new(int directory_fd, const struct segment_identity *identity)
{
    char name[SEGMENT_NAME_BYTES_MAX];
    struct stat status;
    segment_name_format(name, identity, SEGMENT_STATE_NEW);
    if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return -errno;
    uint64_t changed_ns =
        (uint64_t)status.st_ctim.tv_sec * 1000000000U + (uint64_t)status.st_ctim.tv_nsec;
    if (clock_realtime_ns() < changed_ns + NEW_FILE_GRACE_NS)
        return -EAGAIN;
    int fd = open_locked(directory_fd, name);
    if (fd < 0)
        return fd;
    int result = unlinkat(directory_fd, name, 0) == 0 ? 0 : -errno;
    (void)close(fd);
    return result;
}

static void
sync_directory(int directory_fd, const char *name)
{
    int fd = segment_directory_open(directory_fd, name);
    if (fd < 0)
        return; /* it was never made */
    disk_sync(fd, name);
    (void)close(fd);
}

void
segment_store_sync(int directory_fd)
{
    sync_directory(directory_fd, SEGMENT_DIRECTORY_QUARANTINE);
    sync_directory(directory_fd, SEGMENT_DIRECTORY_ASIDE);
    disk_sync(directory_fd, "segments.directory");
}

int
segment_store_quarantine(int directory_fd, const char *name)
{
    int result = segment_directory_make(directory_fd, SEGMENT_DIRECTORY_QUARANTINE);
    if (result != 0)
        return result;
    crash_point("store.quarantine_made");
    for (unsigned copy = 0; copy < 1000; copy++) {
        char target[NAME_MAX + 64];
        int length =
            copy == 0 ? snprintf(target, sizeof(target), SEGMENT_DIRECTORY_QUARANTINE "/%s", name)
                      : snprintf(target, sizeof(target), SEGMENT_DIRECTORY_QUARANTINE "/%s.%u",
                                 name, copy);
        if (length < 0 || length >= (int)sizeof(target))
            return -EINVAL;
        result = rename_noreplace(directory_fd, name, directory_fd, target);
        if (result == 0 || result == -ENOENT) {
            crash_point("store.quarantined");
            return 0;
        }
        if (result != -EEXIST)
            return result;
    }
    return -EEXIST;
}
