/* segments_survey.c -- walks a segment, and looks again at what seems damaged. Runs in the process
 * of `mygrpcadapter segments`; segments_survey.h says why. */
#include "commands/segments/segments_survey.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* How often a file is looked at whose damage never stands in the same place twice: it is being
 * written, faster than it can be read. */
#define LOOKS_MAX 8

struct survey {
    int fd;
    const struct segment_identity *identity;
    segments_take *take;
    void *context;
    struct segment_facts facts;       /* once `started` */
    struct segment_position position; /* of the next record */
    bool started;                     /* the header was good */
    struct segments_survey *result;
};

static void
set_damage(struct survey *survey, const char *reason, uint64_t offset)
{
    survey->result->damage = reason;
    survey->result->damage_offset = offset;
}

/* Whether this is the segment that the last look was at. */
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
        enum segment_next next = segment_reader_next(reader, &record);
        if (next == SEGMENT_NEXT_NONE)
            next = segment_reader_judge_end(reader);
        if (next == SEGMENT_NEXT_DAMAGED || next == SEGMENT_NEXT_FAILED)
            set_damage(survey, segment_reader_fault(reader), at.offset);
        if (next != SEGMENT_NEXT_RECORD)
            return 0;
        survey->result->records++;
        survey->result->payload_bytes += record.payload.size;
        int result = survey->take(survey->context, &survey->facts, &record, at);
        if (result != 0)
            return result;
    }
}

/* Makes a reader that stands where the last look ended. Returns 0, also with *reader_r NULL if the
 * header is damaged, or a negative errno. */
static int
open_reader(struct survey *survey, struct segment_window *window, struct segment_reader **reader_r)
{
    struct segment_facts facts;
    const char *reason = NULL;
    *reader_r = NULL;
    int result = segment_facts_read(&facts, survey->fd, survey->identity, &reason);
    if (result == 0 && survey->started && !is_same_segment(survey, &facts)) {
        reason = "its header has become another";
        result = -EBADMSG;
    }
    if (result == -EBADMSG || result == -EIO) {
        set_damage(survey, result == -EIO ? "the header cannot be read" : reason, 0);
        return 0;
    }
    if (result != 0)
        return result;
    int fd = fcntl(survey->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    result = segment_reader_open(reader_r, fd, &facts, window);
    if (result != 0) {
        (void)close(fd);
        return result;
    }
    if (survey->started)
        segment_reader_seek(*reader_r, survey->position);
    survey->facts = facts;
    survey->started = true;
    return 0;
}

/* Reads the file on from where the last look ended. Returns 0, a negative errno, or what `take`
 * returned. */
static int
look_once(struct survey *survey)
{
    struct segment_window window = {0};
    struct segment_reader *reader;
    int result = open_reader(survey, &window, &reader);
    if (result == 0 && reader != NULL)
        result = walk(survey, reader);
    segment_reader_close(&reader);
    segment_window_clear(&window);
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
