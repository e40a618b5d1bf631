/* destination.h -- where an output's records go; the collector knows nothing else about it.
 *
 * One kind of destination is one file: file_destination.c, stream_destination.c. A new one (a
 * message broker, say) takes a number in enum segment_kind, a file here and a line in
 * destination.c. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_DESTINATION_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_DESTINATION_H

#include <sys/uio.h>

#include "segment/ledger_format.h"

struct heritage;
struct destination;

/* What there is to say about a batch beside its records. */
struct delivery {
    /* From prepare(): what the ledger must note to undo the batch (its length apart). From
     * deliver(): what is still to be undone, with length 0 if nothing is. */
    struct ledger_mark mark;
    /* Bytes of the first record that are delivered already; and, afterwards, of the first one that
     * is not delivered whole. For destinations that cannot take back what they have. */
    size_t begun_bytes;
    /* The negative errno that stopped deliver(); 0 = all is delivered. */
    int error;
};

struct destination_kind {
    /* Makes a destination for that name; nothing is opened yet. 0 or a negative errno; the caller
     * owns *out. */
    int (*open)(struct destination **out, const struct heritage *heritage, const char *name);

    /* Makes ready for a batch. 0 or a negative errno. */
    int (*prepare)(struct destination *destination, struct ledger_mark *mark_r);

    /* Delivers records, each one iovec, whole and in order. Returns how many. */
    size_t (*deliver)(struct destination *destination, const struct iovec *records, size_t count,
                      struct delivery *delivery);

    /* Waits until what was delivered is on the disk (base/disk.h). 0, or a negative errno if it
     * cannot be told whether it will stay there: the process must end. */
    int (*sync)(struct destination *destination);

    /* Takes back what a batch left that was cut short. 0 or a negative errno. */
    int (*undo)(struct destination *destination, const struct ledger_mark *mark);

    /* Which file it would write to now. 0 or a negative errno (-ENOENT: none, or none yet). */
    int (*identify)(struct destination *destination, uint64_t *device_r, uint64_t *inode_r);

    /* Lets go of descriptors; the next prepare() gets them again. */
    void (*release)(struct destination *destination);

    /* Frees; NULL-safe; sets *dp to NULL. */
    void (*close)(struct destination **dp);
};

extern const struct destination_kind file_destination;
extern const struct destination_kind stream_destination;

/* A file in quarantine/ of the segment directory, for records whose own destination cannot be. */
extern const struct destination_kind aside_destination;

/* The destination for a record's kind, or NULL if there is none. */
const struct destination_kind *destination_kind_find(enum segment_kind kind);

#endif
