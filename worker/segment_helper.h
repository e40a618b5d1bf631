/* segment_helper.h -- makes the next segment and seals the last one, beside the main thread.
 *
 * For durability "machine": each of the two waits for the disk several times, and a worker whose
 * main loop waits for a slow disk is taken for one that hangs. Runs in a worker; used by journal.c.
 *
 * The main thread gives orders and takes what is ready. The commit thread syncs: it holds off the
 * helper's sealing, and is held off by it, with segment_helper_hold().
 */
#ifndef MYGRPCADAPTER_WORKER_SEGMENT_HELPER_H
#define MYGRPCADAPTER_WORKER_SEGMENT_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct call_refusal;
struct heritage;
struct segment_helper;
struct segment_writer;

/* Fewer segments than so many have been left and are not sealed: another one is made only when most
 * are. */
#define SEGMENT_HELPER_LEFT_MAX 8U

struct segment_order {
    uint64_t number;
    uint64_t first_sequence;
    uint64_t file_bytes;
};

/* Makes a segment. Returns true, or false and why not. In the helper's thread. */
typedef bool segment_helper_make(const struct heritage *heritage, const struct segment_order *order,
                                 struct segment_writer **writer_r, struct call_refusal *refusal_r);

/* What became of an order. */
enum segment_helper_state {
    /* There is none. */
    SEGMENT_HELPER_IDLE,
    /* It is being carried out. */
    SEGMENT_HELPER_MAKING,
    /* The segment waits to be taken. */
    SEGMENT_HELPER_READY,
    /* It could not be made. */
    SEGMENT_HELPER_FAILED,
};

/* Starts the thread. Returns 0 or a negative errno; the caller owns *out. */
int segment_helper_start(struct segment_helper **out, const struct heritage *heritage,
                         segment_helper_make *make);

/* Orders the next segment. Only while idle, or after a failure. */
void segment_helper_order(struct segment_helper *helper, const struct segment_order *order);

/* What became of the order, after `wait_ms` at most. With SEGMENT_HELPER_FAILED *refusal_r says
 * why; it is left alone otherwise. */
enum segment_helper_state segment_helper_look(struct segment_helper *helper, uint64_t wait_ms,
                                              struct call_refusal *refusal_r);

/* Takes the segment that is ready: the caller owns it. */
struct segment_writer *segment_helper_take(struct segment_helper *helper);

/* Gives the helper a segment to seal, or, with `abandon`, to let go of. */
void segment_helper_leave(struct segment_helper *helper, struct segment_writer *writer,
                          bool abandon);

/* Keeps the helper from freeing a segment until segment_helper_release(). */
void segment_helper_hold(struct segment_helper *helper);
void segment_helper_release(struct segment_helper *helper);

/* Lists the segments that are left and not sealed, while they are held. Returns how many. */
size_t segment_helper_list_left(struct segment_helper *helper,
                                struct segment_writer *left_r[SEGMENT_HELPER_LEFT_MAX]);

/* Ends the thread once all that was left is sealed, and frees; a segment that is ready becomes the
 * caller's: *ready_r, else NULL. NULL-safe; sets *hp to NULL. */
void segment_helper_stop(struct segment_helper **hp, struct segment_writer **ready_r);

#endif
