/* segment_maker.c -- looks for room, makes the file, looks again; segment_maker.h. Runs in a
 * worker.
 *
 * A kill leaves a file ".new", in which nothing was ever accepted, to the collector.
 */
#include "worker/segment_maker.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "common/heritage.h"
#include "common/settings.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"
#include "worker/call_refusal.h"
#include "worker/segment_helper.h"
#include "worker/volume_reserve.h"

static bool
refuse_for_error(struct call_refusal *refusal_r, int error)
{
    struct rlimit limit;
    if (error == -EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
        return call_refuse(refusal_r, REFUSAL_TOO_LARGE,
                           "no segment can be made in segments.directory: the limit on the size of "
                           "a file (RLIMIT_FSIZE) is %" PRIu64 " bytes",
                           (uint64_t)limit.rlim_cur);
    return call_refuse(refusal_r, call_refusal_cause_of_error(error),
                       "no segment can be made in segments.directory: %s", strerrordesc_np(-error));
}

/* Whether one more file of that size is within the limit and leaves enough of the volume free; if
 * not, says why. */
static bool
check_room_for(const struct heritage *heritage, uint64_t file_bytes, struct call_refusal *refusal_r)
{
    int64_t limit_bytes = heritage->settings->segments_limit_bytes;
    struct segment_store_bytes used;
    int result =
        segment_store_count_bytes(heritage->fds[HERITAGE_FD_SEGMENTS], heritage->slot, &used);
    if (result != 0)
        return refuse_for_error(refusal_r, result);
    if (used.of_slot + file_bytes > (uint64_t)limit_bytes)
        return call_refuse(refusal_r, REFUSAL_SEGMENTS_LIMIT,
                           "segments.limit_bytes (%" PRId64
                           ") is reached: records come faster than they are merged, or an output "
                           "cannot be written",
                           limit_bytes);
    return volume_reserve_is_kept(heritage, used.of_all + file_bytes, file_bytes, refusal_r);
}

/* Whether, with the file that was made, enough of the volume is free; if not, says why. */
static bool
check_room_left(const struct heritage *heritage, struct call_refusal *refusal_r)
{
    struct segment_store_bytes used;
    int result =
        segment_store_count_bytes(heritage->fds[HERITAGE_FD_SEGMENTS], heritage->slot, &used);
    if (result != 0)
        return refuse_for_error(refusal_r, result);
    return volume_reserve_is_kept(heritage, used.of_all, 0, refusal_r);
}

/* Before, so that a volume without room is not asked for it ten times a second; and again with the
 * room taken, since several workers may have looked at one moment. Of those the last to take its
 * room sees the files of all. */
bool
segment_maker_make(const struct heritage *heritage, const struct segment_order *order,
                   struct segment_writer **writer_r, struct call_refusal *refusal_r)
{
    struct segment_identity identity = {heritage->slot, heritage->incarnation, order->number};
    bool durable = heritage->settings->segments_durability == DURABILITY_MACHINE;
    if (!check_room_for(heritage, order->file_bytes, refusal_r))
        return false;
    int result = segment_writer_prepare(writer_r, heritage->fds[HERITAGE_FD_SEGMENTS], &identity,
                                        order->first_sequence, order->file_bytes, durable);
    if (result != 0)
        return refuse_for_error(refusal_r, result);
    if (!check_room_left(heritage, refusal_r)) {
        segment_writer_discard(writer_r);
        return false;
    }
    result = segment_writer_publish(writer_r);
    return result == 0 || refuse_for_error(refusal_r, result);
}
