/* volume_watch.h -- whether the paths of the volume still lead to the directories this adapter has
 * open.
 *
 * Somebody may mount another file system over output.root or the segment directory, or rename or
 * remove them. Calls would go on into what nobody sees, and outputs could not be opened. So they
 * are refused until the paths lead back. Runs in a worker, in its main thread only.
 */
#ifndef MYGRPCADAPTER_WORKER_VOLUME_WATCH_H
#define MYGRPCADAPTER_WORKER_VOLUME_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "worker/call_refusal.h"

struct heritage;

struct volume_watch {
    const struct heritage *heritage;

    /* A path led elsewhere at the last look: `refusal` says which. */
    bool is_away;
    struct call_refusal refusal;

    /* When the next look is due. */
    uint64_t look_at_ms;
    struct log_brake brake;
};

/* Sets up a watch over the volume of the heritage, which is borrowed. Looks at nothing yet. */
void volume_watch_init(struct volume_watch *watch, const struct heritage *heritage);

/* Looks, if the last look was a quarter of a second ago, and logs what has changed. To be called
 * about ten times a second. */
void volume_watch_look(struct volume_watch *watch, uint64_t now_ms);

#endif
