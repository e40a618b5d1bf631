/* segments_listing.c -- lists and opens the files of a segment directory. Runs in the process of
 * `mygrpcadapter segments`; segment_store.h has the names and their order. */
#include "commands/segments/segments_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/array.h"
#include "base/directory.h"
#include "segment/aside_store.h"
#include "segment/ledger_format.h"

static int
compare_files(const void *a, const void *b)
{
    const struct segments_file *left = a;
    const struct segments_file *right = b;
    if (left->kind != right->kind)
        return left->kind < right->kind ? -1 : 1;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    int order = left->kind == SEGMENTS_FILE_SEGMENT
                    ? segment_identity_compare(&left->identity, &right->identity)
                    : 0;
    return order != 0 ? order : strcmp(left->name, right->name);
}

/* Takes off the number that segment_store_quarantine() may have put behind a name. */
static void
cut_copy_number(char *name)
{
    char *dot = strrchr(name, '.');
    if (dot != NULL && dot[1] != '\0' && dot[1 + strspn(dot + 1, "0123456789")] == '\0')
        *dot = '\0';
}

/* The directories that are listed. */
static const char *const directories[] = {[SEGMENTS_AT_WORK] = ".",
                                          [SEGMENTS_IN_ASIDE] = SEGMENT_DIRECTORY_ASIDE,
                                          [SEGMENTS_IN_QUARANTINE] = SEGMENT_DIRECTORY_QUARANTINE};
_Static_assert(sizeof(directories) / sizeof(directories[0]) == SEGMENTS_PLACES, "one for each");

static enum segments_file_kind
find_kind(struct segments_file *file, const char *bare)
{
    if (file->place == SEGMENTS_IN_ASIDE && aside_name_is(bare)) {
        file->identity = (struct segment_identity){SEGMENT_SLOT_ASIDE, 0, 0};
        file->state = SEGMENT_STATE_SEALED;
        return SEGMENTS_FILE_SEGMENT;
    }
    if (segment_name_parse(bare, &file->identity, &file->state))
        return SEGMENTS_FILE_SEGMENT;
    return ledger_name_is(bare) ? SEGMENTS_FILE_LEDGER : SEGMENTS_FILE_OTHER;
}

/* Makes out what a name in one of the directories is. False for what is not listed. */
static bool
describe_name(struct segments_file *file, const char *name, enum segments_place place)
{
    char bare[NAME_MAX + 1];
    bool at_work = place == SEGMENTS_AT_WORK;
    (void)snprintf(bare, sizeof(bare), "%s", name);
    if (place == SEGMENTS_IN_QUARANTINE)
        cut_copy_number(bare);
    *file = (struct segments_file){.place = place};
    file->kind = find_kind(file, bare);
    (void)snprintf(file->name, sizeof(file->name), "%s%s%s", at_work ? "" : directories[place],
                   at_work ? "" : "/", name);
    return file->kind != SEGMENTS_FILE_OTHER ||
           (!at_work && strcmp(name, ".") != 0 && strcmp(name, "..") != 0);
}

/* A directory while its names are added. */
struct visit {
    struct segments_listing *listing;
    enum segments_place place;
};

static int
visit_name(void *context, const struct dirent *found)
{
    const struct visit *visit = context;
    struct segments_listing *listing = visit->listing;
    struct segments_file file;
    if (!describe_name(&file, found->d_name, visit->place))
        return 0;
    int result = ARRAY_RESERVE(listing->files, listing->capacity, listing->count + 1);
    if (result == 0)
        listing->files[listing->count++] = file;
    return result;
}

static int
add_directory(struct segments_listing *listing, int directory_fd, enum segments_place place)
{
    struct visit visit = {listing, place};
    return directory_read(directory_fd, directories[place], visit_name, &visit);
}

int
segments_listing_read(struct segments_listing *listing, int directory_fd)
{
    *listing = (struct segments_listing){.files = NULL};
    /* quarantine/ last: what goes there meanwhile is seen twice rather than never, and its first
     * name is then gone. */
    int result = add_directory(listing, directory_fd, SEGMENTS_AT_WORK);
    for (unsigned place = SEGMENTS_IN_ASIDE; place < SEGMENTS_PLACES && result == 0; place++) {
        result = add_directory(listing, directory_fd, (enum segments_place)place);
        if (result == -ENOENT)
            result = 0; /* nothing ever came there */
    }
    if (result == 0 && listing->count > 0)
        qsort(listing->files, listing->count, sizeof(*listing->files), compare_files);
    return result;
}

void
segments_listing_close(struct segments_listing *listing)
{
    free(listing->files);
    *listing = (struct segments_listing){.files = NULL};
}

/* Whether a directory has a segment or a ledger. Returns 1, 0 or a negative errno. */
static int
has_files(int directory_fd)
{
    struct segments_listing listing = {.files = NULL};
    int result = add_directory(&listing, directory_fd, SEGMENTS_AT_WORK);
    if (result == 0)
        result = listing.count > 0;
    segments_listing_close(&listing);
    return result;
}

int
segments_directory_open(const char *path, bool *beneath_r)
{
    *beneath_r = false;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int result = has_files(fd);
    if (result > 0)
        return fd;
    int beneath =
        result < 0 ? -1 : openat(fd, SEGMENT_DIRECTORY_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (result == 0 && beneath < 0) {
        if (errno == ENOENT)
            return fd;
        result = -errno;
    }
    (void)close(fd);
    *beneath_r = beneath >= 0;
    return result < 0 ? result : beneath;
}

/* The name a segment has next, for one that is gone from the name it had. */
static bool
go_to_next_name(struct segments_file *file)
{
    if (file->kind != SEGMENTS_FILE_SEGMENT || file->place != SEGMENTS_AT_WORK ||
        file->state == SEGMENT_STATE_SEALED)
        return false;
    file->state = file->state == SEGMENT_STATE_NEW ? SEGMENT_STATE_OPEN : SEGMENT_STATE_SEALED;
    segment_name_format(file->name, &file->identity, file->state);
    return true;
}

int
segments_file_open(int directory_fd, struct segments_file *file)
{
    int fd;
    do {
        fd = openat(directory_fd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    } while (fd < 0 && errno == ENOENT && go_to_next_name(file));
    return fd < 0 ? -errno : fd;
}
