/* segment_name.h -- the names of segment files, which carry slot, incarnation, number and state
 * (segment_format.h). Used by workers, the collector and the master. */
#ifndef MYGRPCADAPTER_SEGMENT_NAME_H
#define MYGRPCADAPTER_SEGMENT_NAME_H

#include <stdbool.h>

#include "segment/segment_format.h"

enum segment_state { SEGMENT_STATE_NEW, SEGMENT_STATE_OPEN, SEGMENT_STATE_SEALED };
#define SEGMENT_STATES 3U

/* Writes the name, NUL-terminated. */
void segment_name_format(char name[static SEGMENT_NAME_BYTES_MAX],
                         const struct segment_identity *identity, enum segment_state state);

/* Reads a name; true only for exactly what segment_name_format() writes. */
bool segment_name_parse(const char *name, struct segment_identity *identity_r,
                        enum segment_state *state_r);

/* Whether both are of one worker's life: their records have one order. */
bool segment_identity_same_incarnation(const struct segment_identity *a,
                                       const struct segment_identity *b);

/* Orders by slot, then incarnation, then number: negative, 0 or positive. */
int segment_identity_compare(const struct segment_identity *a, const struct segment_identity *b);

#endif
