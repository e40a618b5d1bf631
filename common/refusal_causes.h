/* refusal_causes.h -- why a call can be refused: one table, one row a cause. Used by every process.
 *
 * A new cause is a row here and the place that refuses for it (worker/call_refusal.h). Of the row
 * are made the enum, the status of the answer, the label by which metrics and `status` count, and
 * the row of README.md's table, which a unit test holds to it.
 */
#ifndef MYGRPCADAPTER_COMMON_REFUSAL_CAUSES_H
#define MYGRPCADAPTER_COMMON_REFUSAL_CAUSES_H

/* CAUSE(name, gRPC status, label, when). The order is that in which metrics and `status` show
 * them. */
#define REFUSAL_CAUSES(CAUSE)                                                                      \
    CAUSE(MALFORMED, INVALID_ARGUMENT, "malformed",                                                \
          "the request does not decode (the message names the field and the byte), or its config " \
          "is of another type")                                                                    \
    CAUSE(FILE_PATH, INVALID_ARGUMENT, "file_path",                                                \
          "its `file_path` is not acceptable; the message says why")                               \
    CAUSE(TOO_LARGE, RESOURCE_EXHAUSTED, "too_large",                                              \
          "its text is longer than `workers.max_text_bytes`, or no file may be as large as its "   \
          "record")                                                                                \
    CAUSE(MAX_FILES, RESOURCE_EXHAUSTED, "max_files",                                              \
          "its output would be one more than `output.max_files`")                                  \
    CAUSE(SEGMENTS_LIMIT, RESOURCE_EXHAUSTED, "segments_limit",                                    \
          "the worker's segments have reached `segments.limit_bytes`")                             \
    CAUSE(VOLUME_FULL, RESOURCE_EXHAUSTED, "volume_full",                                          \
          "the volume of the segments is full, but for the room that is kept for merging, or a "   \
          "quota on it is reached")                                                                \
    CAUSE(NO_MEMORY, RESOURCE_EXHAUSTED, "no_memory", "the system has no memory for it")           \
    CAUSE(SYSTEM, UNAVAILABLE, "system",                                                           \
          "the path cannot be checked, or a segment made, for another reason of the system's; "    \
          "the message has it")

/* clang-format off */
enum refusal_cause {
#define REFUSAL_ENUMERATOR(name, status, label, when) REFUSAL_##name,
    REFUSAL_CAUSES(REFUSAL_ENUMERATOR)
#undef REFUSAL_ENUMERATOR
    REFUSAL_CAUSE_COUNT,
};
/* clang-format on */

/* The word for a cause, as a metric's label has it. */
const char *refusal_cause_label(enum refusal_cause cause);

#endif
