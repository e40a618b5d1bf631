/* destination.h -- where an output's records go; the collector knows nothing else about it.
 *
 * One kind of destination is one file: file_destination.c, stream_destination.c. A new one (a
 * message broker, say) takes a number in enum segment_kind, a file here and a line in
 * destination.c. Runs in the collector.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_DESTINATION_H
#define MYGRPCADAPTER_COLLECTOR_DESTINATION_H

#include <sys/uio.h>

#include "collector/ledger.h"

struct heritage;
struct destination;

struct destination_kind {
    /* Makes a destination for that name; nothing is opened yet. 0 or a negative errno; the caller
     * owns *out. */
    int (*open)(struct destination **out, const struct heritage *heritage, const char *name);

    /* Makes ready for a batch and says what the ledger must remember to undo one. 0 or a negative
     * errno. */
    int (*prepare)(struct destination *destination, struct ledger_mark *mark_r);

    /* Delivers records, each one iovec, whole and in order; a record it could not finish is taken
     * back. Returns how many it delivered; if fewer than `count`, *error_r is the negative errno
     * that stopped it. May change `records`. */
    size_t (*deliver)(struct destination *destination, struct iovec *records, size_t count,
                      int *error_r);

    /* At start: takes back the batch that was under way when the last collector died. 0 or a
     * negative errno. */
    int (*undo)(struct destination *destination, const struct ledger_mark *mark);

    /* Lets go of descriptors; the next prepare() gets them again. */
    void (*rest)(struct destination *destination);

    /* Frees; NULL-safe; sets *dp to NULL. */
    void (*close)(struct destination **dp);
};

extern const struct destination_kind file_destination;
extern const struct destination_kind stream_destination;

/* The destination for a record's kind, or NULL if there is none. */
const struct destination_kind *destination_kind_find(enum segment_kind kind);

#endif
