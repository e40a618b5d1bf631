/* segment_name.c -- formats and parses the names of segment files. Runs in every process. */
#include "segment/segment_name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"

static const char *const suffixes[] = {
    [SEGMENT_STATE_NEW] = "new", [SEGMENT_STATE_OPEN] = "open", [SEGMENT_STATE_SEALED] = "sealed"};
_Static_assert(sizeof(suffixes) / sizeof(suffixes[0]) == SEGMENT_STATES, "a suffix for each");

void
segment_name_format(char name[static SEGMENT_NAME_BYTES_MAX],
                    const struct segment_identity *identity, enum segment_state state)
{
    int length =
        snprintf(name, SEGMENT_NAME_BYTES_MAX, "%05" PRIu32 "-%010" PRIu64 "-%010" PRIu64 ".%s",
                 identity->slot, identity->incarnation, identity->number, suffixes[state]);
    INVARIANT(length > 0 && length < (int)SEGMENT_NAME_BYTES_MAX);
}

/* Reads a decimal number and the one character that must follow it. */
static bool
parse_number(const char **at, char end, uint64_t *number_r)
{
    if (**at < '0' || **at > '9')
        return false;
    char *stop = NULL;
    errno = 0;
    *number_r = strtoull(*at, &stop, 10);
    if (errno != 0 || *stop != end)
        return false;
    *at = stop + 1;
    return true;
}

bool
segment_name_parse(const char *name, struct segment_identity *identity_r,
                   enum segment_state *state_r)
{
    const char *at = name;
    uint64_t slot;
    if (!parse_number(&at, '-', &slot) || slot > UINT32_MAX ||
        !parse_number(&at, '-', &identity_r->incarnation) ||
        !parse_number(&at, '.', &identity_r->number))
        return false;
    identity_r->slot = (uint32_t)slot;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        if (strcmp(at, suffixes[i]) != 0)
            continue;
        /* Formatting it again refuses what only looks alike, such as other zeros in front. */
        char exact[SEGMENT_NAME_BYTES_MAX];
        *state_r = (enum segment_state)i;
        segment_name_format(exact, identity_r, *state_r);
        return strcmp(exact, name) == 0;
    }
    return false;
}

bool
segment_identity_same_incarnation(const struct segment_identity *a,
                                  const struct segment_identity *b)
{
    return a->slot == b->slot && a->incarnation == b->incarnation;
}

static int
compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int
segment_identity_compare(const struct segment_identity *a, const struct segment_identity *b)
{
    int order = compare_u64(a->slot, b->slot);
    if (order == 0)
        order = compare_u64(a->incarnation, b->incarnation);
    if (order == 0)
        order = compare_u64(a->number, b->number);
    return order;
}
