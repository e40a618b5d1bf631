/* log_test.c -- a log line is one write of one whole line that says what it was given, in both
 * formats, whatever stands in the values. */
#include "tests/unit/scratch.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"

#define TIME_BYTES 24U /* 2026-01-31T23:59:59.999Z */
#define LONG_BYTES 5000U

struct fixture {
    struct scratch scratch;
    int saved_fd; /* standard error while it is redirected */
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->scratch);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    scratch_close(&f->scratch);
    free(f);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_identify("main", LOG_NO_SLOT);
    (void)unsetenv("JOURNAL_STREAM");
    log_open();
    return 0;
}

/* Until release(), what is written to standard error goes to `fd`, which this closes. */
static void
redirect(struct fixture *f, int fd)
{
    assert_true(fd >= 0);
    (void)fflush(stderr);
    f->saved_fd = dup(STDERR_FILENO);
    assert_true(f->saved_fd >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    (void)close(fd);
}

static void
release(struct fixture *f)
{
    (void)dup2(f->saved_fd, STDERR_FILENO);
    (void)close(f->saved_fd);
}

static void
redirect_to_file(struct fixture *f)
{
    redirect(f, openat(f->scratch.fd, "log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600));
}

static char *
release_file(struct fixture *f)
{
    release(f);
    char *text = scratch_get(&f->scratch, "log", NULL);
    if (text == NULL)
        fail();
    return text;
}

/* What log_write() makes of one event; the caller frees. */
static char *
write_one(struct fixture *f, enum log_level level, const char *event,
          const struct log_field *fields)
{
    redirect_to_file(f);
    log_write(level, event, fields);
    return release_file(f);
}

static char *
repeat(char byte, size_t size)
{
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, byte, size);
    text[size] = '\0';
    return text;
}

static size_t
count_byte(const char *text, char byte)
{
    size_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == byte ? 1 : 0;
    return count;
}

/* The moment that `text` begins with, in milliseconds. */
static int64_t
parse_time(const char *text)
{
    struct tm utc = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
    assert_non_null(end);
    assert_int_equal(end - text, 19);
    assert_int_equal(end[0], '.');
    for (int i = 1; i <= 3; i++)
        assert_true(end[i] >= '0' && end[i] <= '9');
    assert_int_equal(end[4], 'Z');
    return (int64_t)timegm(&utc) * 1000 + (end[1] - '0') * 100 + (end[2] - '0') * 10 + end[3] - '0';
}

static int64_t
now_ms(void)
{
    struct timespec now;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Expects a text line of a time and then `format` with this process's pid in place of its %d. */
static void
expect_text(const char *line, const char *before_pid, const char *after_pid)
{
    char expected[4096];
    (void)parse_time(line);
    (void)snprintf(expected, sizeof(expected), " %s[%d]: %s\n", before_pid, (int)getpid(),
                   after_pid);
    assert_string_equal(line + TIME_BYTES, expected);
}

static void
test_less_important_levels_are_left_out(void **state)
{
    struct fixture *f = *state;
    static const enum log_level levels[] = {LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO,
                                            LOG_LEVEL_DEBUG};
    for (size_t shown = 0; shown < 4; shown++) {
        log_configure(levels[shown], LOG_FORMAT_TEXT);
        for (size_t level = 0; level < 4; level++) {
            char *line = write_one(f, levels[level], "event", NULL);
            assert_int_equal(count_byte(line, '\n'), level <= shown ? 1 : 0);
            assert_int_equal(log_enabled(levels[level]), level <= shown);
            free(line);
        }
    }
}

static void
test_a_text_line_names_time_level_role_slot_and_pid(void **state)
{
    struct fixture *f = *state;
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    int64_t before = now_ms();
    char *line = write_one(f, LOG_LEVEL_INFO, "it begins", NULL);
    int64_t after = now_ms();
    assert_true(parse_time(line) >= before && parse_time(line) <= after);
    expect_text(line, "info main", "it begins");
    free(line);

    log_identify("worker", 12);
    static const char *const starts[] = {"error worker/12", "warning worker/12", "info worker/12",
                                         "debug worker/12"};
    for (unsigned level = 0; level < 4; level++) {
        line = write_one(f, (enum log_level)level, "a word", LOG_FIELDS(log_u64("calls", 3)));
        expect_text(line, starts[level], "a word calls=3");
        free(line);
    }
    log_identify("worker", 0);
    line = write_one(f, LOG_LEVEL_INFO, "x", NULL);
    expect_text(line, "info worker/0", "x");
    free(line);
}

static void
test_text_values_are_quoted_where_they_are_no_plain_word(void **state)
{
    struct fixture *f = *state;
    static const char *const table[][2] = {
        {"plain", "v=plain"},
        {"/a/b-c_d.e:1,2", "v=/a/b-c_d.e:1,2"},
        {"", "v=\"\""},
        {"two words", "v=\"two words\""},
        {" ", "v=\" \""},
        {"say \"hi\"", "v=\"say \\\"hi\\\"\""},
        {"\"", "v=\"\\\"\""},
        {"back\\slash", "v=\"back\\\\slash\""},
        {"a=b", "v=\"a=b\""},
        {"line\nbreak\r\ttab", "v=\"line\\u000abreak\\u000d\\u0009tab\""},
        {"\x01\x1f\x7f", "v=\"\\u0001\\u001f\\u007f\""},
        {"\xc3\xa9\xff", "v=\"\\u00c3\\u00a9\\u00ff\""},
        {"%s%n", "v=%s%n"},
        {NULL, "v=-"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        char expected[128];
        char *line = write_one(f, LOG_LEVEL_INFO, "e",
                               LOG_FIELDS(log_string("v", table[i][0]), log_i64("n", -1)));
        (void)snprintf(expected, sizeof(expected), "e %s n=-1", table[i][1]);
        expect_text(line, "info main", expected);
        free(line);
    }
}

static void
test_numbers_are_exact_at_their_bounds(void **state)
{
    struct fixture *f = *state;
    char *line = write_one(f, LOG_LEVEL_INFO, "e",
                           LOG_FIELDS(log_u64("a", 0), log_u64("b", UINT64_MAX), log_i64("c", 0),
                                      log_i64("d", INT64_MIN), log_i64("e", INT64_MAX)));
    expect_text(line, "info main",
                "e a=0 b=18446744073709551615 c=0 d=-9223372036854775808 e=9223372036854775807");
    free(line);
}

static void
test_errors_are_named_whatever_their_sign(void **state)
{
    (void)state;
    assert_string_equal(log_error(ENOENT).string, "No such file or directory");
    assert_string_equal(log_error(-ENOENT).string, "No such file or directory");
    assert_string_equal(log_error(ENOENT).key, "error");
    assert_string_equal(log_error(-99999).string, "unknown error");
}

/* Steps over a JSON string; NULL if there is none. */
static const char *
skip_string(const char *at)
{
    if (*at++ != '"')
        return NULL;
    while (*at != '"') {
        if (*at < ' ' || *at > '~') /* and the end of the text */
            return NULL;
        if (*at++ != '\\')
            continue;
        if (*at == 'u' && strspn(at + 1, "0123456789abcdef") >= 4)
            at += 5;
        else if (*at == '"' || *at == '\\')
            at++;
        else
            return NULL;
    }
    return at + 1;
}

/* Steps over a JSON string, integer or null; NULL if there is none. */
static const char *
skip_value(const char *at)
{
    if (*at == '"')
        return skip_string(at);
    if (strncmp(at, "null", 4) == 0)
        return at + 4;
    at += *at == '-' ? 1 : 0;
    size_t digits = strspn(at, "0123456789");
    return digits == 0 || (digits > 1 && *at == '0') ? NULL : at + digits;
}

/* Whether the text is exactly one flat JSON object and a newline. */
static bool
is_json_line(const char *at)
{
    if (*at != '{')
        return false;
    do {
        at = skip_string(at + 1);
        if (at == NULL || *at != ':')
            return false;
        at = skip_value(at + 1);
    } while (at != NULL && *at == ',');
    return at != NULL && strcmp(at, "}\n") == 0;
}

static void
test_the_json_check_is_strict(void **state)
{
    (void)state;
    assert_true(is_json_line("{\"a\":\"b\\\"\\\\\\u00ff\",\"c\":-12,\"d\":null,\"e\":0}\n"));
    static const char *const wrong[] = {"",
                                        "{}",
                                        "{\"a\":1}",
                                        "{\"a\":1}\n\n",
                                        "{\"a\":1,}\n",
                                        "{\"a\":}\n",
                                        "{\"a\":01}\n",
                                        "{\"a\":\"b}\n",
                                        "{\"a\":\"b\\\"}\n",
                                        "{\"a\":\"\n\"}\n",
                                        "{\"a\":\"\\u00g0\"}\n",
                                        "{\"a\":\"\\x\"}\n",
                                        "{\"a\":\"\xc3\"}\n",
                                        "{\"a\" \"b\"}\n",
                                        "{\"a\":1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(is_json_line(wrong[i]));
}

static void
test_a_json_line_holds_the_same_as_a_text_line(void **state)
{
    struct fixture *f = *state;
    static const char start[] = "{\"time\":\"";
    char expected[512];
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_identify("collector", 3);
    char *line = write_one(f, LOG_LEVEL_WARNING, "say \"it\"",
                           LOG_FIELDS(log_string("a b", "c\n\"d\"\\\xe2"), log_string("none", NULL),
                                      log_string("empty", ""), log_string("word", "plain"),
                                      log_u64("u", UINT64_MAX), log_i64("i", INT64_MIN)));
    assert_true(is_json_line(line));
    assert_memory_equal(line, start, strlen(start));
    (void)parse_time(line + strlen(start));
    (void)snprintf(expected, sizeof(expected),
                   "\",\"level\":\"warning\",\"role\":\"collector\",\"slot\":3,\"pid\":%d,"
                   "\"event\":\"say \\\"it\\\"\",\"a b\":\"c\\u000a\\\"d\\\"\\\\\\u00e2\","
                   "\"none\":null,\"empty\":\"\",\"word\":\"plain\",\"u\":18446744073709551615,"
                   "\"i\":-9223372036854775808}\n",
                   (int)getpid());
    assert_string_equal(line + strlen(start) + TIME_BYTES, expected);
    free(line);

    log_identify("master", LOG_NO_SLOT);
    line = write_one(f, LOG_LEVEL_ERROR, "e", NULL);
    assert_true(is_json_line(line));
    assert_null(strstr(line, "slot"));
    assert_non_null(strstr(line, "\"level\":\"error\",\"role\":\"master\",\"pid\":"));
    free(line);
}

static void
test_every_byte_can_stand_in_a_json_value(void **state)
{
    struct fixture *f = *state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = {'x', (char)byte, 'y', '\0'};
        char *line = write_one(f, LOG_LEVEL_INFO, text, LOG_FIELDS(log_string(text, text)));
        assert_true(is_json_line(line));
        free(line);
    }
}

static void
test_json_stays_whole_whatever_the_length_of_a_value(void **state)
{
    struct fixture *f = *state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    static const char bytes[] = {'x', '"', '\n'};
    for (size_t size = 0; size < LONG_BYTES; size += size < 250 ? 50 : size < 2100 ? 1 : 499) {
        char *value = repeat(bytes[size % 3], size);
        char *line = write_one(
            f, LOG_LEVEL_INFO, "e",
            LOG_FIELDS(log_u64("first", 1), log_string("value", value), log_u64("last", 2)));
        assert_true(is_json_line(line));
        assert_non_null(strstr(line, "\"event\":\"e\",\"first\":1,"));
        assert_non_null(strstr(line, "\"last\":2}\n"));
        free(line);
        free(value);
    }
}

static void
test_json_stays_whole_whatever_the_number_of_fields(void **state)
{
    struct fixture *f = *state;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    struct log_field fields[201] = {{.key = NULL}};
    for (size_t count = 0; count < 200; count++) {
        char *line = write_one(f, LOG_LEVEL_INFO, "e", fields);
        assert_true(is_json_line(line));
        free(line);
        fields[count] = count % 2 == 0 ? log_u64("a key of some length", UINT64_MAX)
                                       : log_string("a key", "a value \"\"\n");
    }
}

static void
test_an_over_long_text_line_is_cut_and_still_ends(void **state)
{
    struct fixture *f = *state;
    char *value = repeat('x', LONG_BYTES);
    char *line = write_one(f, LOG_LEVEL_INFO, "e",
                           LOG_FIELDS(log_string("value", value), log_u64("last", 2)));
    size_t size = strlen(line);
    assert_true(size > 1000 && size < LONG_BYTES);
    assert_int_equal(count_byte(line, '\n'), 1);
    assert_int_equal(line[size - 1], '\n');
    assert_non_null(strstr(line, ": e value=xxxx"));
    free(line);
    free(value);
}

/* A pipe that keeps each write(2) apart: a read(2) gives what one write(2) gave. */
static int
redirect_to_packets(struct fixture *f)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK | O_CLOEXEC), 0);
    redirect(f, ends[1]);
    return ends[0];
}

static void
expect_one_line_a_write(struct fixture *f, const char *value)
{
    char packet[8192];
    int fd = redirect_to_packets(f);
    for (int i = 0; i < 5; i++)
        log_write(LOG_LEVEL_INFO, "e",
                  LOG_FIELDS(log_i64("i", i), log_string("v", value), log_string("w", value)));
    release(f);
    for (int i = 0; i < 5; i++) {
        ssize_t size = read(fd, packet, sizeof(packet) - 1);
        assert_true(size > (ssize_t)TIME_BYTES);
        packet[size] = '\0';
        assert_int_equal(strlen(packet), size);
        assert_int_equal(count_byte(packet, '\n'), 1);
        assert_int_equal(packet[size - 1], '\n');
    }
    assert_int_equal(read(fd, packet, sizeof(packet)), 0);
    (void)close(fd);
}

static void
test_a_line_is_one_write(void **state)
{
    struct fixture *f = *state;
    static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON};
    char *value = repeat('\n', LONG_BYTES);
    for (size_t i = 0; i < 2; i++) {
        log_configure(LOG_LEVEL_INFO, formats[i]);
        expect_one_line_a_write(f, "short\nvalue");
        expect_one_line_a_write(f, value);
    }
    free(value);
}

static void
test_lines_of_several_processes_never_mix(void **state)
{
    struct fixture *f = *state;
    const int children = 4;
    const int lines = 300;
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_JSON);
    redirect_to_file(f);
    for (int i = 0; i < children; i++) {
        if (fork() != 0)
            continue;
        for (int n = 0; n < lines; n++)
            log_write(LOG_LEVEL_INFO, "e",
                      LOG_FIELDS(log_i64("n", n), log_string("v", "a value of some length \"\n")));
        _exit(0);
    }
    while (wait(NULL) > 0)
        ;
    char *log = release_file(f);
    int found = 0;
    for (char *at = log; *at != '\0'; found++) {
        char line[512] = "";
        size_t size = strcspn(at, "\n") + 1;
        assert_true(size < sizeof(line));
        memcpy(line, at, size);
        assert_true(is_json_line(line));
        at += size;
    }
    assert_int_equal(found, children * lines);
    free(log);
}

/* No value of the enums was forgotten, and none has another's name. */
static void
test_every_level_and_format_has_a_name(void **state)
{
    (void)state;
    static const char *const levels[] = {"error", "warning", "info", "debug"};
    static const char *const formats[] = {"text", "json"};
    assert_int_equal(LOG_LEVELS, 4);
    for (size_t i = 0; i < LOG_LEVELS; i++)
        assert_string_equal(log_level_names[i], levels[i]);
    assert_int_equal(LOG_FORMATS, 2);
    for (size_t i = 0; i < LOG_FORMATS; i++)
        assert_string_equal(log_format_names[i], formats[i]);
}

static void
test_errno_is_kept(void **state)
{
    struct fixture *f = *state;
    redirect_to_file(f);
    errno = ERANGE;
    log_write(LOG_LEVEL_ERROR, "e", LOG_FIELDS(log_error(ENOENT)));
    int after_write = errno;
    errno = ERANGE;
    log_write(LOG_LEVEL_DEBUG, "not shown", NULL);
    int after_nothing = errno;
    free(release_file(f));
    assert_int_equal(after_write, ERANGE);
    assert_int_equal(after_nothing, ERANGE);
}

/* The next line ends so. */
static void
check_next_line(struct fixture *f, enum log_format format, const char *end)
{
    log_configure(LOG_LEVEL_INFO, format);
    redirect_to_file(f);
    log_write(LOG_LEVEL_INFO, "x", LOG_FIELDS(log_u64("n", 1)));
    char *line = release_file(f);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    assert_non_null(strstr(line, end));
    free(line);
}

static void
test_errno_is_kept_when_the_line_is_lost(void **state)
{
    struct fixture *f = *state;
    redirect(f, open("/dev/full", O_WRONLY | O_CLOEXEC));
    errno = ERANGE;
    log_write(LOG_LEVEL_ERROR, "e", NULL);
    int after_full = errno;
    (void)close(STDERR_FILENO);
    errno = ERANGE;
    log_write(LOG_LEVEL_ERROR, "e", NULL);
    int after_closed = errno;
    release(f);
    assert_int_equal(after_full, ERANGE);
    assert_int_equal(after_closed, ERANGE);
    check_next_line(f, LOG_FORMAT_TEXT, ": x n=1 lines_lost=2\n");
}

/* A pipe that nobody reads is not waited for; what it did not take is counted, in both formats. */
static void
test_lines_that_are_lost_are_counted(void **state)
{
    struct fixture *f = *state;
    static const char *const ends[] = {
        [LOG_FORMAT_TEXT] = ": x n=1 lines_lost=3\n",
        [LOG_FORMAT_JSON] = ",\"event\":\"x\",\"n\":1,\"lines_lost\":3}\n",
    };
    for (enum log_format format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        int pipe_fds[2];
        assert_int_equal(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
        while (write(pipe_fds[1], "x", 1) == 1)
            continue;
        assert_int_equal(fcntl(pipe_fds[1], F_SETFL, 0), 0);
        redirect(f, pipe_fds[1]);
        for (int i = 0; i < 3; i++)
            log_write(LOG_LEVEL_INFO, "e", NULL);
        log_write(LOG_LEVEL_DEBUG, "hidden", NULL);
        release(f);
        (void)close(pipe_fds[0]);
        check_next_line(f, format, ends[format]);
        check_next_line(f, LOG_FORMAT_TEXT, ": x n=1\n");
    }
}

/* What a braked line at `now_ms` comes to; the caller frees. */
static char *
write_braked(struct fixture *f, struct log_brake *brake, uint64_t now_ms)
{
    redirect_to_file(f);
    log_write_braked(brake, now_ms, LOG_LEVEL_INFO, "x", LOG_FIELDS(log_u64("n", 1)));
    return release_file(f);
}

static void
check_braked(struct fixture *f, struct log_brake *brake, uint64_t now_ms, const char *end)
{
    char *line = write_braked(f, brake, now_ms);
    if (end == NULL)
        assert_string_equal(line, "");
    else
        assert_non_null(strstr(line, end));
    free(line);
}

static void
test_a_brake_tells_what_was_not_written(void **state)
{
    struct fixture *f = *state;
    struct log_brake brake = {0};
    check_braked(f, &brake, 1000, ": x n=1\n");
    for (uint64_t i = 0; i < 10; i++)
        check_braked(f, &brake, 1000 + i * LOG_BRAKE_INTERVAL_MS / 10, NULL);
    check_braked(f, &brake, 1000 + LOG_BRAKE_INTERVAL_MS, ": x n=1 suppressed=10\n");
    check_braked(f, &brake, 999 + 2 * LOG_BRAKE_INTERVAL_MS, NULL);
    check_braked(f, &brake, 2700 + 2 * LOG_BRAKE_INTERVAL_MS, ": x n=1 suppressed=1\n");
    /* From the last one, not by the clock. */
    check_braked(f, &brake, 1000 + 3 * LOG_BRAKE_INTERVAL_MS, NULL);
    check_braked(f, &brake, 2700 + 3 * LOG_BRAKE_INTERVAL_MS, ": x n=1 suppressed=1\n");
    check_braked(f, &brake, 2700 + 4 * LOG_BRAKE_INTERVAL_MS, ": x n=1\n");
}

static void
test_brakes_are_apart(void **state)
{
    struct fixture *f = *state;
    struct log_brake one = {0};
    struct log_brake other = {0};
    check_braked(f, &one, 0, ": x n=1\n");
    check_braked(f, &other, 0, ": x n=1\n");
    check_braked(f, &one, 1, NULL);
    check_braked(f, &other, LOG_BRAKE_INTERVAL_MS, ": x n=1\n");
}

static void
test_a_hidden_line_is_not_braked(void **state)
{
    struct fixture *f = *state;
    struct log_brake brake = {0};
    log_write_braked(&brake, 1, LOG_LEVEL_DEBUG, "x", NULL);
    check_braked(f, &brake, 2, ": x n=1\n");
}

/* What `log_open()` with this JOURNAL_STREAM has a line of `level` begin with; the caller frees. */
static char *
write_with_stream(struct fixture *f, const char *stream, enum log_level level)
{
    redirect_to_file(f);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_open();
    log_write(level, "x", NULL);
    return release_file(f);
}

static void
test_in_the_journal_a_line_begins_with_its_priority(void **state)
{
    struct fixture *f = *state;
    static const char *const priorities[] = {"<3>", "<4>", "<6>", "<7>"};
    struct stat status;
    char stream[64];
    redirect_to_file(f);
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    free(release_file(f));
    (void)snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev,
                   (uintmax_t)status.st_ino);
    for (unsigned format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
        log_configure(LOG_LEVEL_DEBUG, (enum log_format)format);
        for (unsigned level = 0; level < 4; level++) {
            char *line = write_with_stream(f, stream, (enum log_level)level);
            assert_memory_equal(line, priorities[level], 3);
            assert_int_equal(line[3] == '{', format == LOG_FORMAT_JSON);
            free(line);
        }
    }
}

static void
test_no_priority_where_it_is_another_stream(void **state)
{
    struct fixture *f = *state;
    static const char *const streams[] = {"", "1", "1:", ":", "1:1", "1:1x", "a:b", "-1:-1"};
    for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
        char *line = write_with_stream(f, streams[i], LOG_LEVEL_INFO);
        assert_true(line[0] != '<');
        free(line);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_less_important_levels_are_left_out),
        TEST(test_a_text_line_names_time_level_role_slot_and_pid),
        TEST(test_text_values_are_quoted_where_they_are_no_plain_word),
        TEST(test_numbers_are_exact_at_their_bounds),
        TEST(test_errors_are_named_whatever_their_sign),
        TEST(test_the_json_check_is_strict),
        TEST(test_a_json_line_holds_the_same_as_a_text_line),
        TEST(test_every_byte_can_stand_in_a_json_value),
        TEST(test_json_stays_whole_whatever_the_length_of_a_value),
        TEST(test_json_stays_whole_whatever_the_number_of_fields),
        TEST(test_an_over_long_text_line_is_cut_and_still_ends),
        TEST(test_a_line_is_one_write),
        TEST(test_lines_of_several_processes_never_mix),
        TEST(test_in_the_journal_a_line_begins_with_its_priority),
        TEST(test_no_priority_where_it_is_another_stream),
        TEST(test_every_level_and_format_has_a_name),
        TEST(test_errno_is_kept),
        TEST(test_errno_is_kept_when_the_line_is_lost),
        TEST(test_lines_that_are_lost_are_counted),
        TEST(test_a_brake_tells_what_was_not_written),
        TEST(test_brakes_are_apart),
        TEST(test_a_hidden_line_is_not_braked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
