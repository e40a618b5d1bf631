/* set_aside.h -- an operator's order to set aside what waits for an output, and what an earlier
 * collector left of one. Runs in the collector; kept by merge.c.
 *
 * The order is a file in the segment directory, SEGMENT_DIRECTORY_ORDER: the word for the kind of
 * destination and, where it has a name, a colon and the name. Whoever gave it holds flock on it
 * and waits. When it is carried out, or cannot be, the collector writes its answer behind it and
 * removes it. An order lives as long as somebody waits for it; one of nobody is removed.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_SET_ASIDE_H
#define MYGRPCADAPTER_COLLECTOR_SET_ASIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

struct outputs;
struct sources;

/* Zero it before use, but for the descriptor, which is -1; the fields are for set_aside.c. */
struct set_aside {
    /* Of the order that is carried out; -1 = there is none. */
    int order_fd;
    size_t order_bytes;
    /* So far. */
    uint64_t records;
    uint64_t files;
    uint64_t taken_ms;
    /* There is nothing in aside/ of which it is not known whether it counts. */
    bool is_resolved;
    struct log_brake brake;
};

/* Looks which files in aside/ count, and removes the others: at the start, when all ledgers are
 * secured, and after an error. Until set_aside_is_resolved() no segment may be
 * removed. */
void set_aside_resolve(struct set_aside *setting, struct outputs *outputs, struct sources *sources,
                       uint64_t now_ms);

/* True once it is known of all files in aside/ whether they count. */
bool set_aside_is_resolved(const struct set_aside *setting);

/* True while an order is carried out. */
bool set_aside_is_under_way(const struct set_aside *setting);

/* Takes an order, if there is one, and carries some of it out. */
void set_aside_step(struct set_aside *setting, struct outputs *outputs, struct sources *sources,
                    uint64_t now_ms);

/* Lets go of an order. */
void set_aside_close(struct set_aside *setting);

#endif
