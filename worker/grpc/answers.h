/* answers.h -- answers on their way to their clients, and what becomes of those that do not arrive.
 *
 * A client may keep an answer from leaving, by a window that it closes, and then the answer must
 * not keep the place of a call that others wait for: after a while it is late, and after a longer
 * while it is cut off. In the main thread of a worker.
 */
#ifndef MYGRPCADAPTER_WORKER_GRPC_ANSWERS_H
#define MYGRPCADAPTER_WORKER_GRPC_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

enum answer_phase { ANSWER_PROMPT, ANSWER_LATE, ANSWER_CUT };

/* One answer; embedded in its call, which sets the two functions once. */
struct answer {
    struct list_link link;
    uint64_t begun_ms;
    enum answer_phase phase;
    /* Makes place for another call. Called once, unless none is taken any more. */
    void (*make_place)(struct answer *answer);
    /* Cancels the call, so that it ends soon. Called once. */
    void (*cut)(struct answer *answer);
};

struct answers {
    /* In the order they were begun. */
    struct list_link list;
    size_t count;
};

void answers_init(struct answers *answers);

/* An answer begins; `now_ms` is CLOCK_MONOTONIC, and not before that of the last one. */
void answers_add(struct answers *answers, struct answer *answer, uint64_t now_ms);

/* It has left, or its connection has gone. True if place was made for another call meanwhile. */
bool answers_remove(struct answers *answers, struct answer *answer);

/* Looks for those that are late, or to be cut off. To be called some times a second. If not
 * `serving`, no place is made for other calls. */
void answers_look(struct answers *answers, bool serving, uint64_t now_ms);

#endif
