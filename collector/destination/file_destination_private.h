/* file_destination_private.h -- what file_destination.c, which writes an output file, and
 * file_completion.c, which goes on with a batch that was cut short, share. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_FILE_DESTINATION_PRIVATE_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_FILE_DESTINATION_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "collector/destination/destination.h"

struct destination {
    const struct heritage *heritage;
    char *name;
    /* -1 = no file is open; then what follows means nothing. */
    int fd;
    uint64_t device;
    uint64_t inode;
    /* Of the file, as we left it. */
    uint64_t size;
    /* When it was last written, seconds since the epoch, by the clock of its file system. */
    int64_t modified_s;
    /* When this output's first record of the period was written, as its note says (output_note.h);
     * 0 = not known. Means nothing before the note has been looked for. */
    int64_t written_s;
    bool note_sought;
    /* It is not tried again to rotate it before that. */
    uint64_t rotation_retry_ms;
    /* Its name is known to be on the disk. */
    bool name_synced;
    /* If its name is one that rotation gives, there is a note that it is not a rotated file. */
    bool name_noted;
    struct log_brake changed_brake;
    struct log_brake rotation_brake;
    struct log_brake completion_brake;
};

/* Takes what was opened for appending: `fd` becomes the destination's. Returns 0, or a negative
 * errno, and it is closed. */
int file_adopt(struct destination *destination, int fd);

/* Opens the file for appending, and makes it if it is not there. Returns the descriptor, the
 * caller's to close, or a negative errno. */
int file_open_or_create(const struct destination *destination);

/* Appends records to the file that is open. Returns 0 when all are written, or a negative errno.
 * *moved_r becomes true when something is. */
int file_append(struct destination *destination, const struct iovec *records, size_t count,
                bool *moved_r);

/* Lets go of the file. */
void file_release(struct destination *destination);

/* struct destination_kind has what it does. */
int file_complete(struct destination *destination, const struct ledger_mark *mark,
                  const struct iovec *records, size_t count, bool again, bool *moved_r,
                  size_t *standing_r);
int file_look(struct destination *destination, const struct ledger_mark *mark,
              const struct iovec *records, size_t count, bool again, bool *stands_r);

ssize_t file_peek(struct destination *destination, const struct ledger_mark *mark, char *bytes);

#endif
