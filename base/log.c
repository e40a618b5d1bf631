/* log.c -- formats one event as text or JSON and writes it to standard error in one piece.
 *
 * Runs in every process. Holds a few settings and nothing else: no buffer survives a call, so a
 * kill loses at most the line being written. Nor does a call ever wait: a line that standard error
 * has no room for is lost, and the next one that goes out says how many were.
 */
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/outlet.h"

#define LINE_BYTES_MAX 2048

/* Kept free for the line's end; and by strings, for the fields behind them too. */
#define LINE_END_BYTES 16
#define LINE_TAIL_BYTES 256

/* The longest number, with what stands around a key. */
#define LINE_NUMBER_BYTES 32

static enum log_level log_level_shown = LOG_LEVEL_INFO;
static enum log_format log_format_used = LOG_FORMAT_TEXT;
static const char *log_role = "main";
static uint32_t log_slot = LOG_NO_SLOT;
static bool log_goes_to_journal = false;
static struct outlet log_outlet = OUTLET_CLOSED(STDERR_FILENO);

/* Lines of this process that did not go out, or not whole, since the last one that did. */
static _Atomic uint64_t log_lines_lost = 0;

/* The last line went out without its end. */
static _Atomic bool log_line_is_torn = false;

const char *const log_level_names[LOG_LEVELS] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARNING] = "warning",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};

const char *const log_format_names[LOG_FORMATS] = {
    [LOG_FORMAT_TEXT] = "text",
    [LOG_FORMAT_JSON] = "json",
};

static const char *const journal_priorities[LOG_LEVELS] = {
    [LOG_LEVEL_ERROR] = SD_ERR,
    [LOG_LEVEL_WARNING] = SD_WARNING,
    [LOG_LEVEL_INFO] = SD_INFO,
    [LOG_LEVEL_DEBUG] = SD_DEBUG,
};

/* A line in the making; what does not fit is cut. */
struct line {
    char bytes[LINE_BYTES_MAX];
    size_t used;
};

/* systemd names the stream it gave a service by device and inode; a service's standard error that
 * was redirected has others. */
static bool
is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    char own[64];
    struct stat status;
    if (stream == NULL || fstat(fd, &status) != 0)
        return false;
    (void)snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

void
log_open(void)
{
    log_goes_to_journal = is_journal(STDERR_FILENO);
}

void
log_open_outlet(void)
{
    outlet_open(&log_outlet, STDERR_FILENO);
}

int
log_outlet_fd(void)
{
    return log_outlet.own_fd;
}

/* What has to stand before any line on standard error: "<3>" to "<7>" for the journal, else "". */
static const char *
log_prefix(enum log_level level)
{
    return log_goes_to_journal ? journal_priorities[level] : "";
}

void
log_configure(enum log_level level, enum log_format format)
{
    log_level_shown = level;
    log_format_used = format;
}

void
log_identify(const char *role, uint32_t slot)
{
    log_role = role;
    log_slot = slot;
}

bool
log_enabled(enum log_level level)
{
    return level <= log_level_shown;
}

struct log_field
log_error(int error)
{
    const char *text = strerrordesc_np(error < 0 ? -error : error);
    return log_string("error", text != NULL ? text : "unknown error");
}

static void
line_add_byte(struct line *line, char byte)
{
    /* One byte is kept for the newline. */
    if (line->used < sizeof(line->bytes) - 1)
        line->bytes[line->used++] = byte;
}

static void
line_add(struct line *line, const char *text)
{
    for (; *text != '\0'; text++)
        line_add_byte(line, *text);
}

static void
line_add_unsigned(struct line *line, uint64_t number)
{
    char digits[24];
    (void)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)number);
    line_add(line, digits);
}

/* Quoted, with control characters, quotes and backslashes escaped as JSON does; valid in both
 * formats. It is cut, at a whole character, where fewer than `free_bytes` of the line are left. */
static void
line_add_quoted(struct line *line, const char *text, size_t free_bytes)
{
    static const char hex[] = "0123456789abcdef";
    line_add_byte(line, '"');
    for (; *text != '\0' && line->used < sizeof(line->bytes) - free_bytes; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') {
            line_add_byte(line, '\\');
            line_add_byte(line, (char)byte);
        } else if (byte < 0x20 || byte >= 0x7f) {
            line_add(line, "\\u00");
            line_add_byte(line, hex[byte >> 4]);
            line_add_byte(line, hex[byte & 15]);
        } else {
            line_add_byte(line, (char)byte);
        }
    }
    line_add_byte(line, '"');
}

/* In a text line a plain word needs no quotes. */
static bool
is_plain_word(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text >= 0x7f || *text == '"' || *text == '\\' || *text == '=')
            return false;
    }
    return true;
}

static void
line_add_value(struct line *line, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_FIELD_STRING:
        if (field->string == NULL)
            line_add(line, log_format_used == LOG_FORMAT_JSON ? "null" : "-");
        else if (log_format_used == LOG_FORMAT_TEXT && is_plain_word(field->string))
            line_add(line, field->string);
        else
            line_add_quoted(line, field->string, LINE_TAIL_BYTES);
        break;
    case LOG_FIELD_UNSIGNED:
        line_add_unsigned(line, field->number_unsigned);
        break;
    case LOG_FIELD_SIGNED:
        if (field->number_signed < 0)
            line_add_byte(line, '-');
        line_add_unsigned(line, field->number_signed < 0 ? 0 - (uint64_t)field->number_signed
                                                         : (uint64_t)field->number_signed);
        break;
    }
}

static void
line_add_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[96];
    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &utc);
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900,
                   utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                   (int)(now.tv_nsec / 1000000));
    line_add(line, text);
}

static void
line_add_text_fields(struct line *line, const struct log_field *fields)
{
    for (; fields != NULL && fields->key != NULL; fields++) {
        line_add_byte(line, ' ');
        line_add(line, fields->key);
        line_add_byte(line, '=');
        line_add_value(line, fields);
    }
}

static void
line_add_text(struct line *line, enum log_level level, const char *event,
              const struct log_field *fields, const struct log_field *more)
{
    line_add_time(line);
    line_add_byte(line, ' ');
    line_add(line, log_level_names[level]);
    line_add_byte(line, ' ');
    line_add(line, log_role);
    if (log_slot != LOG_NO_SLOT) {
        line_add_byte(line, '/');
        line_add_unsigned(line, log_slot);
    }
    line_add_byte(line, '[');
    line_add_unsigned(line, (uint64_t)getpid());
    line_add(line, "]: ");
    line_add(line, event);
    line_add_text_fields(line, fields);
    line_add_text_fields(line, more);
}

static void
line_add_json_fields(struct line *line, const struct log_field *fields)
{
    for (; fields != NULL && fields->key != NULL; fields++) {
        /* A field that there is no room for is left out, so that the object stays valid JSON. */
        if (line->used + strlen(fields->key) + LINE_NUMBER_BYTES >
            sizeof(line->bytes) - LINE_END_BYTES)
            continue;
        line_add_byte(line, ',');
        line_add_quoted(line, fields->key, LINE_END_BYTES);
        line_add_byte(line, ':');
        line_add_value(line, fields);
    }
}

static void
line_add_json(struct line *line, enum log_level level, const char *event,
              const struct log_field *fields, const struct log_field *more)
{
    line_add(line, "{\"time\":\"");
    line_add_time(line);
    line_add(line, "\",\"level\":\"");
    line_add(line, log_level_names[level]);
    line_add(line, "\",\"role\":\"");
    line_add(line, log_role);
    line_add_byte(line, '"');
    if (log_slot != LOG_NO_SLOT) {
        line_add(line, ",\"slot\":");
        line_add_unsigned(line, log_slot);
    }
    line_add(line, ",\"pid\":");
    line_add_unsigned(line, (uint64_t)getpid());
    line_add(line, ",\"event\":");
    line_add_quoted(line, event, LINE_TAIL_BYTES);
    line_add_json_fields(line, fields);
    line_add_json_fields(line, more);
    line_add_byte(line, '}');
}

/* Writes a line, and counts it if it does not go out. `lost` is how many it tells of. */
static void
put_line(const struct line *line, uint64_t lost)
{
    struct iovec part = {bytes_unconst(line->bytes), line->used};
    ssize_t written = outlet_write(&log_outlet, &part, 1);
    if (written == (ssize_t)line->used)
        return;
    (void)atomic_fetch_add(&log_lines_lost, lost + 1);
    if (written > 0)
        atomic_store(&log_line_is_torn, true);
}

void
log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    if (!log_enabled(level))
        return;
    int saved_errno = errno;
    struct line line;
    line.used = 0;
    uint64_t lost = atomic_exchange(&log_lines_lost, 0);
    const struct log_field *more = lost > 0 ? LOG_FIELDS(log_u64("lines_lost", lost)) : NULL;
    if (atomic_exchange(&log_line_is_torn, false))
        line_add_byte(&line, '\n');
    line_add(&line, log_prefix(level));
    if (log_format_used == LOG_FORMAT_JSON)
        line_add_json(&line, level, event, fields, more);
    else
        line_add_text(&line, level, event, fields, more);
    line.bytes[line.used++] = '\n';
    put_line(&line, lost);
    errno = saved_errno;
}

void
log_write_bare(enum log_level level, const char *text)
{
    const char *prefix = log_prefix(level);
    const struct iovec parts[] = {{bytes_unconst(prefix), strlen(prefix)},
                                  {bytes_unconst(text), strlen(text)},
                                  {bytes_unconst("\n"), 1}};
    (void)outlet_write(&log_outlet, parts, sizeof(parts) / sizeof(parts[0]));
}

/* Whether log_write_braked() writes now. Counts a line as not written if not. */
static bool
brake_is_open(struct log_brake *brake, uint64_t now_ms)
{
    if (now_ms >= brake->next_ms)
        return true;
    brake->suppressed++;
    return false;
}

void
log_write_braked(struct log_brake *brake, uint64_t now_ms, enum log_level level, const char *event,
                 const struct log_field *fields)
{
    struct log_field all[LOG_FIELDS_MAX + 2];
    size_t count = 0;
    if (!log_enabled(level) || !brake_is_open(brake, now_ms))
        return;
    for (; fields != NULL && fields[count].key != NULL && count < LOG_FIELDS_MAX; count++)
        all[count] = fields[count];
    if (brake->suppressed > 0)
        all[count++] = log_u64("suppressed", brake->suppressed);
    all[count].key = NULL;
    brake->suppressed = 0;
    brake->next_ms = now_ms + LOG_BRAKE_INTERVAL_MS;
    log_write(level, event, all);
}
