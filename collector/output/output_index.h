/* output_index.h -- finds one output among many by its kind and name: a hash table of borrowed
 * pointers, with a memory for the last one found, since records come in runs. Runs in the
 * collector. */
#ifndef MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_INDEX_H
#define MYGRPCADAPTER_COLLECTOR_OUTPUT_OUTPUT_INDEX_H

#include <stddef.h>
#include <stdint.h>

#include "segment/segment_format.h"

struct output;

struct output_index_entry {
    uint64_t hash;
    struct output *output; /* NULL: free */
};

/* Zero it before use. */
struct output_index {
    struct output_index_entry *entries;
    size_t capacity; /* a power of two, more than twice `count`; 0 at first */
    size_t count;
    struct output *last;
};

/* Adds an output that is not in it, and stays where it is until output_index_empty(). Returns 0 or
 * -ENOMEM. */
int output_index_add(struct output_index *index, struct output *output);

/* The output of that kind and name, or NULL. */
struct output *output_index_find(struct output_index *index, enum segment_kind kind,
                                 struct bytes name);

/* Forgets all outputs; to add as many again cannot fail. */
void output_index_empty(struct output_index *index);

/* Frees what the index holds; leaves it empty. */
void output_index_clear(struct output_index *index);

#endif
