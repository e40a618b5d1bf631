/* volume_reserve.c -- compares what is free with what merging may need; volume_reserve.h. Runs in a
 * worker. */
#include "worker/volume_reserve.h"

#include <inttypes.h>
#include <sys/stat.h>

#include "base/free_room.h"
#include "common/admission.h"
#include "common/heritage.h"
#include "common/settings.h"
#include "worker/call_refusal.h"

/* What an output may take beside its text, in blocks of 4 KiB: four of a ledger (ledger_format.h),
 * one that a note begins, one that the text begins, and two for names. The ledger of an output that
 * rests is removed, so all of them may have to be made anew. */
#define OUTPUT_BYTES (UINT64_C(8) * 4096)

/* Outputs that are still to come have this part of the volume at most. */
#define NEW_OUTPUTS_PART 16

/* Whether the outputs take their room from the volume of the segments. */
static bool
is_shared(const struct heritage *heritage)
{
    struct stat root;
    struct stat segments;
    return fstat(heritage->fds[HERITAGE_FD_ROOT], &root) == 0 &&
           fstat(heritage->fds[HERITAGE_FD_SEGMENTS], &segments) == 0 &&
           root.st_dev == segments.st_dev;
}

/* What the outputs may take beside their text: those that there are, and those that
 * output.max_files lets come, as far as a small volume goes. */
static uint64_t
outputs_bytes(const struct heritage *heritage, uint64_t total_bytes)
{
    uint64_t known = admission_count(heritage->admission);
    uint64_t most = (uint64_t)heritage->settings->output_max_files;
    uint64_t new_bytes = (known < most ? most - known : 0) * OUTPUT_BYTES;
    if (new_bytes > total_bytes / NEW_OUTPUTS_PART)
        new_bytes = total_bytes / NEW_OUTPUTS_PART;
    return (known + 1) * OUTPUT_BYTES + new_bytes; /* and standard output */
}

bool
volume_reserve_is_kept(const struct heritage *heritage, uint64_t segment_bytes,
                       uint64_t missing_bytes, struct call_refusal *refusal_r)
{
    struct free_room room;
    if (!free_room_find(heritage->fds[HERITAGE_FD_SEGMENTS], &room))
        return true;
    bool shared = is_shared(heritage);
    /* A record is larger in its segment than in its output. */
    uint64_t needed_bytes =
        missing_bytes + outputs_bytes(heritage, room.total_bytes) + (shared ? segment_bytes : 0);
    if (room.free_bytes >= needed_bytes)
        return true;
    return call_refuse(refusal_r, REFUSAL_VOLUME_FULL,
                       "no segment can be made in segments.directory: %" PRIu64
                       " bytes are free on its volume, and %" PRIu64
                       " must be, so that all that is accepted can be delivered; make room, %sor "
                       "lower segments.size_bytes or output.max_files",
                       room.free_bytes, needed_bytes,
                       shared ? "put segments.directory on a volume of its own, " : "");
}
