/* segments_inspect.c -- from a list of names to what is known of each file. Runs in the process of
 * `mygrpcadapter segments`. */
#include "commands/segments/segments_inspect.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock_holder.h"
#include "commands/segments/segments_ledger.h"
#include "segment/aside_store.h"

/* One segment while its records are read. */
struct reading {
    struct segments_outputs *outputs;
    struct segments_row *row;
    FILE *dump; /* NULL: none */
    bool escape;
    bool entered; /* the outputs know which segment it is */
};

static void
set_damage(struct segments_row *row, const char *reason)
{
    row->survey.damage = reason;
    row->survey.damage_offset = 0;
}

/* Whether open(2) refuses what has the name because it is no file: a link, a socket. */
static bool
is_no_file(int error)
{
    return error == -ELOOP || error == -ENXIO;
}

/* Notes that a file cannot be read, for a reason of its own. */
static void
set_unreadable(struct segments_inspection *inspection, struct segments_row *row, int error)
{
    (void)fprintf(stderr, "mygrpcadapter segments: %s: %s\n", row->file->name, strerror(-error));
    row->unreadable = true;
    inspection->unreadable = true;
}

/* What became of a record; the output's count of what waits goes up. Returns 0 or -ENOMEM. */
static int
find_fate(struct reading *reading, const struct segment_facts *facts,
          const struct segment_record *record, uint64_t offset, enum segments_fate *fate_r)
{
    struct segments_row *row = reading->row;
    *fate_r = SEGMENTS_ASIDE;
    if (row->file->place == SEGMENTS_IN_ASIDE && row->aside_of == NULL) {
        row->aside_of = segments_outputs_find_aside(reading->outputs, record);
        return row->aside_of == NULL ? -ENOMEM : 0;
    }
    if (row->file->place != SEGMENTS_AT_WORK)
        return 0; /* no ledger remembers it */
    if (!reading->entered)
        segments_outputs_enter_segment(reading->outputs, &facts->id);
    reading->entered = true;
    bool consumed = false;
    int result = segments_outputs_add_record(reading->outputs, record, offset, &consumed);
    *fate_r = consumed ? SEGMENTS_CONSUMED : SEGMENTS_WAITING;
    if (consumed)
        row->consumed++;
    else if (row->next == 0)
        row->next = offset;
    return result;
}

static int
take_record(void *context, const struct segment_facts *facts, const struct segment_record *record,
            struct segment_position at)
{
    struct reading *reading = context;
    enum segments_fate fate;
    int result = find_fate(reading, facts, record, at.offset, &fate);
    if (result != 0 || reading->dump == NULL)
        return result;
    segments_report_record(reading->dump, reading->row->file->name, record, at, fate,
                           reading->escape);
    return ferror(reading->dump) != 0 ? -EIO : 0;
}

/* Who writes the segment; `file` goes on to its next name if its writer has just sealed it. */
static long
find_writer(int directory_fd, struct segments_file *file, const struct stat *status)
{
    if (file->place != SEGMENTS_AT_WORK || file->state == SEGMENT_STATE_SEALED)
        return 0;
    long writer = lock_holder_find(status);
    if (writer == 0 && file->state == SEGMENT_STATE_OPEN) {
        int fd = segments_file_open(directory_fd, file);
        if (fd >= 0)
            (void)close(fd);
    }
    return writer;
}

static int
visit_segment(struct segments_inspection *inspection, int directory_fd, int fd,
              struct segments_file *file, const struct stat *status, struct reading *reading)
{
    struct segments_row *row = reading->row;
    row->writer = find_writer(directory_fd, file, status);
    if (file->state == SEGMENT_STATE_NEW && file->place == SEGMENTS_AT_WORK)
        return 0; /* its writer prepares it: no record yet, nor a whole header */
    if (file->place == SEGMENTS_IN_ASIDE && aside_name_is(file->name)) {
        int known = aside_store_identify(fd, &file->identity);
        if (known == -EBADMSG)
            set_damage(row, "it is no segment of records that were set aside");
        else if (known != 0)
            set_unreadable(inspection, row, known);
        if (known != 0)
            return 0;
    }
    int result = segments_survey_file(&row->survey, fd, &file->identity, take_record, reading);
    if (result == -EIO || result == -ENOMEM)
        return result;
    if (result != 0)
        set_unreadable(inspection, row, result);
    return 0;
}

/* Reads a ledger and, unless it was set aside, notes the output it tells of. */
static int
visit_ledger(struct segments_inspection *inspection, int fd, const struct segments_file *file,
             struct segments_row *row)
{
    struct segments_ledger ledger;
    size_t prefix =
        file->place == SEGMENTS_IN_QUARANTINE ? strlen(SEGMENT_DIRECTORY_QUARANTINE "/") : 0;
    int result = segments_ledger_read(&ledger, fd, file->name + prefix);
    row->survey.damage = ledger.damage;
    row->survey.damage_offset = ledger.damage_offset;
    if (result == 0 && ledger.valid && file->place == SEGMENTS_AT_WORK)
        result = segments_outputs_add_ledger(&inspection->outputs, &ledger.state);
    segments_ledger_close(&ledger);
    if (result == -ENOMEM)
        return result;
    if (result != 0)
        set_unreadable(inspection, row, result);
    return 0;
}

/* A segment seen under two names while it was renamed is one. */
static bool
is_noted(const struct segments_inspection *inspection, const struct stat *status)
{
    if (inspection->row_count == 0)
        return false;
    const struct segments_row *last = &inspection->rows[inspection->row_count - 1];
    return last->device == status->st_dev && last->inode == status->st_ino;
}

/* Opens a file and notes it. Returns its descriptor, the caller's to close, or -1 with nothing to
 * read in it: it is gone, noted before, or noted as what it is. */
static int
meet_file(struct segments_inspection *inspection, int directory_fd, struct segments_file *file,
          struct stat *status_r)
{
    int fd = segments_file_open(directory_fd, file);
    if (fd == -ENOENT)
        return -1;
    int error = fd < 0 ? fd : 0;
    if (fd >= 0 && fstat(fd, status_r) != 0)
        error = -errno;
    if (error == 0 && is_noted(inspection, status_r)) {
        (void)close(fd);
        return -1;
    }
    struct segments_row *row = &inspection->rows[inspection->row_count++];
    *row = (struct segments_row){.file = file};
    if (error == 0) {
        row->file_bytes = (uint64_t)status_r->st_size;
        row->device = status_r->st_dev;
        row->inode = status_r->st_ino;
        return fd;
    }
    if (is_no_file(error) && file->kind != SEGMENTS_FILE_OTHER)
        set_damage(row, "it is not a regular file");
    else if (!is_no_file(error))
        set_unreadable(inspection, row, error);
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int
visit_file(struct segments_inspection *inspection, int directory_fd, struct segments_file *file,
           FILE *dump, bool escape)
{
    struct stat status;
    int fd = meet_file(inspection, directory_fd, file, &status);
    if (fd < 0)
        return 0;
    struct segments_row *row = &inspection->rows[inspection->row_count - 1];
    struct reading reading = {
        .outputs = &inspection->outputs, .row = row, .dump = dump, .escape = escape};
    int result = 0;
    if (file->kind == SEGMENTS_FILE_SEGMENT)
        result = visit_segment(inspection, directory_fd, fd, file, &status, &reading);
    else if (file->kind == SEGMENTS_FILE_LEDGER)
        result = visit_ledger(inspection, fd, file, row);
    (void)close(fd);
    return result;
}

static int
visit_kind(struct segments_inspection *inspection, int directory_fd, enum segments_file_kind kind,
           FILE *dump, bool escape)
{
    struct segments_listing *listing = &inspection->listing;
    int result = 0;
    for (size_t i = 0; i < listing->count && result == 0; i++) {
        if (listing->files[i].kind == kind)
            result = visit_file(inspection, directory_fd, &listing->files[i], dump, escape);
    }
    return result;
}

int
segments_inspect(struct segments_inspection *inspection, int directory_fd, FILE *dump, bool escape)
{
    *inspection = (struct segments_inspection){.rows = NULL};
    int result = segments_listing_read(&inspection->listing, directory_fd);
    if (result != 0)
        return result;
    inspection->rows = calloc(inspection->listing.count + 1, sizeof(*inspection->rows));
    if (inspection->rows == NULL)
        return -ENOMEM;
    result = visit_kind(inspection, directory_fd, SEGMENTS_FILE_LEDGER, dump, escape);
    if (result == 0)
        result = visit_kind(inspection, directory_fd, SEGMENTS_FILE_SEGMENT, dump, escape);
    if (result == 0)
        result = visit_kind(inspection, directory_fd, SEGMENTS_FILE_OTHER, dump, escape);
    return result;
}

void
segments_inspection_close(struct segments_inspection *inspection)
{
    segments_outputs_close(&inspection->outputs);
    segments_listing_close(&inspection->listing);
    free(inspection->rows);
    *inspection = (struct segments_inspection){.rows = NULL};
}
