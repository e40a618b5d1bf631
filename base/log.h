/* log.h -- what every process says on standard error.
 *
 * One line per event, written with one write(2), so that lines of several processes never mix. A
 * line holds the time (UTC, milliseconds, CLOCK_REALTIME), the level, the role of the process with
 * its slot, its pid, the event and its fields as key=value; with format "json" the same as one
 * JSON object. When standard error is the journal of systemd, its priority stands before a line as
 * <N>, which the journal takes off. errno is kept. Allocates nothing and never waits, so it may be
 * used at any moment but from a signal handler. A line that standard error has no room for is lost;
 * the next line of that process that goes out has the number of those as its last field,
 * `lines_lost`. Used by every process.
 */
#ifndef MYGRPCADAPTER_BASE_LOG_H
#define MYGRPCADAPTER_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

#define LOG_LEVELS (LOG_LEVEL_DEBUG + 1)
#define LOG_FORMATS (LOG_FORMAT_JSON + 1)

/* As log lines and the configuration call them. */
extern const char *const log_level_names[LOG_LEVELS];
extern const char *const log_format_names[LOG_FORMATS];

#define LOG_NO_SLOT UINT32_MAX

enum log_field_kind { LOG_FIELD_STRING, LOG_FIELD_UNSIGNED, LOG_FIELD_SIGNED };

/* One key=value of a line. The strings are borrowed until log_write() returns. */
struct log_field {
    const char *key;
    enum log_field_kind kind;
    const char *string;
    uint64_t number_unsigned;
    int64_t number_signed;
};

/* The fields of a line, closed by one without a key. */
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.key = NULL}})

/* The most fields of one line. */
#define LOG_FIELDS_MAX 16U

/* A line that could come with every call is written once in this time, so that it fills no disk. */
#define LOG_BRAKE_INTERVAL_MS 10000U

/* A brake for one kind of line: log_write_braked(). Zero it before use. */
struct log_brake {
    /* From when on a line is written again, by CLOCK_MONOTONIC. */
    uint64_t next_ms;

    /* How many were not written since the last. */
    uint64_t suppressed;
};

/* Looks once, at the program's start, whether standard error is the journal. Before this it counts
 * as something else. */
void log_open(void);

/* Opens standard error once more, so that no line waits for who reads it (base/outlet.h). To be
 * called once, at the program's start. Before this each line asks for room first. */
void log_open_outlet(void);

/* The descriptor that log_open_outlet() has opened, which a child keeps; -1 = none. */
int log_outlet_fd(void);

/* Sets what is written from now on. `level` is the most talkative level that still appears. */
void log_configure(enum log_level level, enum log_format format);

/* Names the process in each line it writes: `role` (a literal, kept by reference) and `slot`,
 * LOG_NO_SLOT for none. */
void log_identify(const char *role, uint32_t slot);

/* True if lines of this level appear: for callers whose fields are dear to make. */
bool log_enabled(enum log_level level);

/* Writes one line. `fields` is LOG_FIELDS(...) or NULL. Never fails: a line that cannot be written
 * is lost. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Writes a line that is only `text`, whatever level is shown; of a process that cannot start. */
void log_write_bare(enum log_level level, const char *text);

/* Writes one line, unless one was written with this brake less than LOG_BRAKE_INTERVAL_MS
 * before `now_ms` (CLOCK_MONOTONIC). Its last field, `suppressed`, is how many lines were not
 * written since then, if there are any. A line that the level hides is neither written nor
 * counted. */
void log_write_braked(struct log_brake *brake, uint64_t now_ms, enum log_level level,
                      const char *event, const struct log_field *fields);

static inline struct log_field
log_string(const char *key, const char *value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_STRING, .string = value};
}

static inline struct log_field
log_u64(const char *key, uint64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_UNSIGNED, .number_unsigned = value};
}

static inline struct log_field
log_i64(const char *key, int64_t value)
{
    return (struct log_field){.key = key, .kind = LOG_FIELD_SIGNED, .number_signed = value};
}

/* The text of an errno value, positive or negative, as field `error`. */
struct log_field log_error(int error);

#endif
