/* segments_survey.c -- copies a segment, walks the copy, and looks again at what seems damaged.
 * Runs in the process of `mygrpcadapter segments`; segments_survey.h says why. */
#include "commands/segments_survey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES ((size_t)256 * 1024)

/* How often a file is copied whose damage never stands in the same place twice: it is being
 * written, faster than it can be copied. */
#define LOOKS_MAX 8

struct survey {
    int fd;
    const struct segment_identity *identity;
    segments_take *take;
    void *context;
    struct segment_facts facts;       /* once `started` */
    struct segment_position position; /* of the next record */
    bool started;                     /* a copy had a good header */
    struct segments_survey *result;
};

static void
set_damage(struct survey *survey, const char *reason, uint64_t offset)
{
    survey->result->damage = reason;
    survey->result->damage_offset = offset;
}

/* A file larger than half of the memory there is would, as a copy, leave too little for the adapter
 * that may run here. */
static bool
is_too_large(uint64_t bytes)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0 && bytes / (uint64_t)page_bytes > (uint64_t)pages / 2;
}

static int
write_piece(int copy_fd, const char *piece, size_t size, off_t at)
{
    while (size > 0) {
        ssize_t written = pwrite(copy_fd, piece, size, at);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            piece += written;
            at += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* Copies the file, to its end or to `size` if it grows. Returns 0 or a negative errno; *reached_r
 * is how far it got. */
static int
copy_bytes(int copy_fd, int fd, uint64_t size, uint64_t *reached_r)
{
    static char piece[PIECE_BYTES];
    *reached_r = 0;
    while (*reached_r < size) {
        uint64_t left = size - *reached_r;
        size_t wanted = left < sizeof(piece) ? (size_t)left : sizeof(piece);
        ssize_t got = pread(fd, piece, wanted, (off_t)*reached_r);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : 0;
        int result = write_piece(copy_fd, piece, (size_t)got, (off_t)*reached_r);
        if (result != 0)
            return result;
        *reached_r += (uint64_t)got;
    }
    return 0;
}

/* Copies the file as it is now. Returns 0 or a negative errno; *copy_fd_r is the caller's to close,
 * or -1 if the file is damaged and that is noted. */
static int
make_copy(struct survey *survey, int *copy_fd_r)
{
    struct stat status;
    *copy_fd_r = -1;
    if (fstat(survey->fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        set_damage(survey, "it is not a regular file", 0);
        return 0;
    }
    if (is_too_large((uint64_t)status.st_size))
        return -EFBIG;
    int copy_fd = memfd_create("segment", MFD_CLOEXEC);
    if (copy_fd < 0)
        return -errno;
    uint64_t reached;
    int result = copy_bytes(copy_fd, survey->fd, (uint64_t)status.st_size, &reached);
    if (result == 0) {
        *copy_fd_r = copy_fd;
        return 0;
    }
    (void)close(copy_fd);
    if (result != -EIO)
        return result;
    set_damage(survey, "the medium cannot be read there", reached);
    return 0;
}

/* Whether the copy is of the segment that the copy before it was of. */
static bool
is_same_segment(const struct survey *survey, const struct segment_facts *facts)
{
    return survey->facts.file_bytes == facts->file_bytes &&
           memcmp(&survey->facts.id, &facts->id, sizeof(facts->id)) == 0;
}

/* Gives out the records from the survey's position on, up to whatever ends them. Returns 0 or what
 * `take` returned. */
static int
walk(struct survey *survey, struct segment_reader *reader)
{
    struct segment_record record;
    for (;;) {
        struct segment_position at = segment_reader_position(reader);
        survey->position = at;
        switch (segment_reader_next(reader, &record)) {
        case SEGMENT_NEXT_RECORD:
            break;
        case SEGMENT_NEXT_NONE:
            if (segment_reader_has_more(reader))
                set_damage(survey, "a record is missing there, and others follow", at.offset);
            return 0;
        case SEGMENT_NEXT_SEALED:
            return 0;
        case SEGMENT_NEXT_DAMAGED:
            set_damage(survey, "what stands there is no record", at.offset);
            return 0;
        }
        survey->result->records++;
        survey->result->payload_bytes += record.payload.size;
        int result = survey->take(survey->context, &survey->facts, &record, at);
        if (result != 0)
            return result;
    }
}

/* Reads a copy on from where the last one was left. Returns 0 or a negative errno. */
static int
read_copy(struct survey *survey, int copy_fd)
{
    struct segment_facts facts;
    const char *reason = NULL;
    struct segment_reader *reader = NULL;
    int result = segment_facts_read(&facts, copy_fd, survey->identity, &reason);
    if (result == -EBADMSG) {
        set_damage(survey, reason, 0);
        return 0;
    }
    if (result == 0 && survey->started && !is_same_segment(survey, &facts)) {
        set_damage(survey, "its header has become another", 0);
        return 0;
    }
    if (result == 0)
        result = segment_reader_open(&reader, copy_fd, &facts);
    if (result != 0)
        return result;
    if (survey->started)
        segment_reader_seek(reader, survey->position);
    survey->facts = facts;
    survey->started = true;
    result = walk(survey, reader);
    segment_reader_close(&reader);
    return result;
}

/* Copies the file once and reads the copy. Returns 0, a negative errno, or what `take` returned. */
static int
look_once(struct survey *survey)
{
    int copy_fd;
    int result = make_copy(survey, &copy_fd);
    if (result != 0 || copy_fd < 0)
        return result;
    result = read_copy(survey, copy_fd);
    (void)close(copy_fd);
    return result;
}

int
segments_survey_file(struct segments_survey *survey_r, int fd,
                     const struct segment_identity *identity, segments_take *take, void *context)
{
    struct survey survey = {
        .fd = fd, .identity = identity, .take = take, .context = context, .result = survey_r};
    *survey_r = (struct segments_survey){.damage = NULL};
    for (int look = 0; look < LOOKS_MAX; look++) {
        bool seen_before = survey_r->damage != NULL;
        uint64_t offset_before = survey_r->damage_offset;
        survey_r->damage = NULL;
        int result = look_once(&survey);
        if (result != 0 || survey_r->damage == NULL ||
            (seen_before && survey_r->damage_offset == offset_before))
            return result;
    }
    survey_r->damage = NULL;
    return 0;
}
