/* destination.h -- where an output's records go; the collector knows nothing else about it.
 *
 * One kind of destination is one file: file_destination.c, stream_destination.c. A new one (a
 * message broker, say) takes a number in enum segment_kind, a file here and a line in
 * destination.c. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_DESTINATION_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_DESTINATION_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "segment/ledger_format.h"

struct heritage;
struct destination;

struct destination_kind {
    /* Makes a destination for that name; nothing is opened yet. 0 or a negative errno; the caller
     * owns *out. */
    int (*open)(struct destination **out, const struct heritage *heritage, const char *name);

    /* Makes ready for a batch. 0 or a negative errno. */
    int (*prepare)(struct destination *destination, struct ledger_mark *mark_r);

    /* Delivers a batch, each record one iovec, whole and in order. 0 when all of it is out. With
     * a negative errno any part of it may be: complete() goes on from there. *moved_r becomes
     * true when something is out. */
    int (*deliver)(struct destination *destination, const struct iovec *records, size_t count,
                   bool *moved_r);

    /* Goes on with a batch of which any part may be out, since a collector died in it or
     * deliver() could not end it: finds what stands of it behind the size that the mark notes,
     * and writes what is missing, and no more. With `again` what stands is written once more
     * where it stands, for sync(): a sync that failed may have left it out of the disk. 0 when
     * all of it is out, or a negative errno, and it may be tried again. -ERANGE: what is missing
     * cannot be written behind that mark so that it would be found there (the file is shorter
     * than it was, very much was written behind, or it need not be the marked file and nothing
     * of the batch stands in it): the first *standing_r records stand, and the others need a
     * batch of their own. */
    int (*complete)(struct destination *destination, const struct ledger_mark *mark,
                    const struct iovec *records, size_t count, bool again, bool *moved_r,
                    size_t *standing_r);

    /* Looks which records of such a batch stand whole, and writes none that does not: stands_r[i]
     * for record i. Where there is no file, none does. `again` as for complete(): if any stands,
     * sync() may be called. 0, or a negative errno: it cannot be told now. */
    int (*look)(struct destination *destination, const struct ledger_mark *mark,
                const struct iovec *records, size_t count, bool again, bool *stands_r);

    /* Reads what stands behind the size that the mark notes, mark->length bytes at most, into
     * `bytes`. Returns how many, or a negative errno. */
    ssize_t (*peek)(struct destination *destination, const struct ledger_mark *mark, char *bytes);

    /* Waits until what was delivered is on the disk (base/disk.h). 0, or a negative errno if it
     * cannot be told whether it will stay there: the process must end. */
    int (*sync)(struct destination *destination);

    /* Which file it would write to now. 0 or a negative errno (-ENOENT: none, or none yet). */
    int (*identify)(struct destination *destination, uint64_t *device_r, uint64_t *inode_r);

    /* Lets go of descriptors; the next prepare() gets them again. */
    void (*release)(struct destination *destination);

    /* Frees; NULL-safe; sets *dp to NULL. */
    void (*close)(struct destination **dp);
};

extern const struct destination_kind file_destination;
extern const struct destination_kind stream_destination;

/* The destination for a record's kind, or NULL if there is none. */
const struct destination_kind *destination_kind_find(enum segment_kind kind);

#endif
