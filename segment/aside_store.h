/* aside_store.h -- records that an operator had set aside, since their output could not be written.
 *
 * They stand in aside/ of the segment directory, in segments of their own: to put one back is to
 * move it among the others. Its header carries the name it has there, of slot SEGMENT_SLOT_ASIDE;
 * its name in aside/ is for people.
 *
 *     aside/NUMBERS.open   being written; of no worth if its collector dies
 *     aside/NUMBERS.sealed whole; it counts if the ledger of the output has a position of it
 *     aside/OUTPUT-TIME.segment  it counts: its records are settled in the ledger
 *     NUMBERS.sealed       it was put back, and is merged like any other
 *
 * Used by the collector and by `mygrpcadapter segments`.
 */
#ifndef MYGRPCADAPTER_SEGMENT_ASIDE_STORE_H
#define MYGRPCADAPTER_SEGMENT_ASIDE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "segment/segment_reader.h"

#define ASIDE_NAME_BYTES_MAX 256U

/* Opens aside/ of the segment directory. Returns a descriptor, the caller's to close, or a negative
 * errno (-ENOENT: nothing was ever set aside). */
int aside_store_open(int segments_fd);

/* Opens a file of aside/, and reads its header, whatever the file is called. Returns a descriptor,
 * the caller's to close, or a negative errno; -EBADMSG: it is no segment of what was set aside, and
 * *reason_r, a literal, says why. */
int aside_store_open_file(int aside_fd, const char *name, struct segment_facts *facts_r,
                          const char **reason_r);

/* Which segment the header of such a file says that it is. Returns 0, a negative errno, or
 * -EBADMSG: it is none. */
int aside_store_identify(int fd, struct segment_identity *identity_r);

/* Gives a sealed segment, which holds records of that output, its name for people; with `durable`,
 * for good. Returns 0 and the name, or a negative errno. */
int aside_store_keep(int aside_fd, const struct segment_identity *identity, enum segment_kind kind,
                     struct bytes output, bool durable, char name_r[static ASIDE_NAME_BYTES_MAX]);

/* Moves a file from aside/ among the segments, and waits until the disk has that. Its records are
 * merged from then on, and stand in their output once. Returns 0 or a negative errno (-EBADMSG as
 * aside_store_open_file(); -EEXIST: that segment is there). */
int aside_store_put_back(int segments_fd, const char *name, const char **reason_r);

/* Whether a name in aside/ is one for people. */
bool aside_name_is(const char *name);

#endif
