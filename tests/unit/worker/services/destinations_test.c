/* destinations_test.c -- what a client's file_path means: the right output for every spelling, a
 * refusal that says why, and a second look at the volume once a second. */
#include "tests/unit/scratch.h"

#include "common/heritage.h"
#include "common/admission.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/call_refusal.h"
#include "worker/services/destinations.h"

#define FRESH_MS 1000U
#define ACCEPTED REFUSAL_CAUSE_COUNT

struct fixture {
    struct scratch root;
    struct settings settings;
    struct heritage heritage;
    struct destinations *destinations;
    enum segment_kind kind;
    struct bytes name;
    struct call_refusal refusal;
};

static void
begin(struct fixture *f, int64_t max_files)
{
    f->settings.output_max_files = max_files;
    admission_close(&f->heritage.admission);
    destinations_close(&f->destinations);
    assert_int_equal(admission_open(&f->heritage.admission, (uint32_t)max_files), 0);
    assert_int_equal(destinations_open(&f->destinations, &f->heritage), 0);
    assert_non_null(f->destinations);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->root);
    assert_int_equal(mkdirat(f->root.fd, ".seg", 0700), 0);
    f->heritage.settings = &f->settings;
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    f->heritage.fds[HERITAGE_FD_SEGMENTS] =
        openat(f->root.fd, ".seg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->heritage.fds[HERITAGE_FD_SEGMENTS] >= 0);
    f->settings.output_root = f->root.path;
    assert_int_equal(scoreboard_open(&f->heritage.scoreboard, 1), 0);
    begin(f, 1000);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    destinations_close(&f->destinations);
    assert_null(f->destinations);
    admission_close(&f->heritage.admission);
    scoreboard_close(&f->heritage.scoreboard);
    (void)close(f->heritage.fds[HERITAGE_FD_SEGMENTS]);
    scratch_close(&f->root);
    free(f);
    return 0;
}

/* ACCEPTED, or the cause of the refusal. */
static enum refusal_cause
resolve_bytes(struct fixture *f, const char *path, size_t size, uint64_t now_ms)
{
    char *exact = malloc(size == 0 ? 1 : size); /* ends where the path ends */
    assert_non_null(exact);
    memcpy(exact, path, size);
    memset(&f->refusal, 'z', sizeof(f->refusal));
    f->kind = SEGMENT_SEAL;
    f->name = (struct bytes){"nothing", 7};
    bool accepted = destinations_resolve(f->destinations, (struct bytes){exact, size}, now_ms,
                                         &f->kind, &f->name, &f->refusal);
    free(exact);
    return accepted ? ACCEPTED : f->refusal.cause;
}

static enum refusal_cause
resolve(struct fixture *f, const char *path, uint64_t now_ms)
{
    return resolve_bytes(f, path, strlen(path), now_ms);
}

static void
expect_file(struct fixture *f, const char *path, uint64_t now_ms, const char *name)
{
    assert_int_equal(resolve(f, path, now_ms), ACCEPTED);
    assert_int_equal(f->kind, SEGMENT_FILE);
    assert_int_equal(f->name.size, strlen(name));
    assert_memory_equal(f->name.data, name, strlen(name));
}

/* Expects the reason to be a bounded line of printable ASCII. */
static void
expect_printable_reason(const struct fixture *f)
{
    size_t size = strnlen(f->refusal.text, sizeof(f->refusal.text));
    assert_true(size > 0 && size < sizeof(f->refusal.text));
    for (size_t i = 0; i < size; i++)
        assert_true(f->refusal.text[i] >= 0x20 && f->refusal.text[i] < 0x7f);
}

static void
expect_refused(struct fixture *f, const char *path, uint64_t now_ms, enum refusal_cause cause,
               const char *fault)
{
    char quoted[256];
    assert_int_equal(resolve(f, path, now_ms), cause);
    expect_printable_reason(f);
    (void)snprintf(quoted, sizeof(quoted), "file_path \"%s\" ", path);
    assert_memory_equal(f->refusal.text, quoted, strlen(quoted));
    if (strstr(f->refusal.text + strlen(quoted), fault) == NULL)
        assert_string_equal(f->refusal.text, fault); /* shows both */
}

static void
test_an_empty_path_is_standard_output(void **state)
{
    struct fixture *f = *state;
    for (uint64_t now = 0; now < 3; now++) {
        assert_int_equal(resolve(f, "", now), ACCEPTED);
        assert_int_equal(f->kind, SEGMENT_STANDARD_OUTPUT);
        assert_int_equal(f->name.size, 0);
    }
    assert_true(destinations_resolve(f->destinations, (struct bytes){NULL, 0}, 5, &f->kind,
                                     &f->name, &f->refusal));
    assert_int_equal(f->kind, SEGMENT_STANDARD_OUTPUT);
}

static void
test_spellings_of_one_path_are_one_output(void **state)
{
    struct fixture *f = *state;
    begin(f, 1); /* a second one would be refused */
    char absolute[128];
    (void)snprintf(absolute, sizeof(absolute), "%s//logs/./a", f->root.path);
    const char *const spellings[] = {"logs/a", "./logs/a", "logs//a", "logs/././/a", absolute};
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < sizeof(spellings) / sizeof(spellings[0]); i++)
            expect_file(f, spellings[i], 7, "logs/a");
    }
    expect_refused(f, "logs/b", 7, REFUSAL_MAX_FILES, "output.max_files");
    assert_false(scratch_has(&f->root, "logs")); /* resolving creates nothing */
}

static void
test_a_refusal_names_the_path_and_the_reason(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(mkdirat(f->root.fd, "directory", 0700), 0);
    assert_int_equal(mkfifoat(f->root.fd, "fifo", 0600), 0);
    scratch_put(&f->root, "file", "", 0);
    assert_int_equal(symlinkat("..", f->root.fd, "out"), 0);
    assert_int_equal(symlinkat("loop", f->root.fd, "loop"), 0);
    assert_int_equal(symlinkat("nowhere", f->root.fd, "dangling"), 0);
    static const char *const table[][2] = {
        {"/etc/passwd", "is not beneath output.root"},
        {"a/../b", "has a \"..\" component"},
        {"a/", "ends with a slash"},
        {".", "names output.root itself"},
        {"directory", "is a directory"},
        {"fifo", "is a FIFO"},
        {"file/below", "leads through something that is no directory"},
        {"out/file", "leads out of output.root"},
        {".seg/file", "into the segment directory"},
        {"loop", "leads through a loop of symbolic links"},
        {"dangling", "leads to a symbolic link to nothing"},
    };
    for (int again = 0; again < 2; again++) { /* found out, then remembered */
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
            expect_refused(f, table[i][0], 7, REFUSAL_FILE_PATH, table[i][1]);
    }
    expect_file(f, "file", 7, "file");
}

static void
test_refused_paths_take_no_output_away(void **state)
{
    struct fixture *f = *state;
    begin(f, 1);
    for (int i = 0; i < 10; i++) {
        char path[16];
        (void)snprintf(path, sizeof(path), "d%d/", i);
        expect_refused(f, path, 7, REFUSAL_FILE_PATH, "slash");
    }
    expect_file(f, "a", 7, "a");
}

/* Room for the record of a call: as much as the test says. */
static bool
has_room(void *context, size_t name_bytes, struct call_refusal *refusal_r)
{
    const size_t *room = context;
    return name_bytes <= *room || call_refuse(refusal_r, REFUSAL_VOLUME_FULL, "no room");
}

static void
test_calls_there_is_no_room_for_take_no_output_away(void **state)
{
    struct fixture *f = *state;
    begin(f, 1);
    size_t room = 0;
    destinations_ask_for_room(f->destinations, has_room, &room);
    for (int i = 0; i < 10; i++) {
        char path[16];
        (void)snprintf(path, sizeof(path), "d%d/a", i);
        assert_int_equal(resolve(f, path, 7), REFUSAL_VOLUME_FULL);
    }
    room = 5;
    /* At once: the lack of room is not remembered as a fault of the path. */
    expect_file(f, "d3/a", 7, "d3/a");
    room = 0;
    /* Accepted before, it is not asked for again until it is looked at anew. */
    expect_file(f, "d3/a", 7, "d3/a");
    room = 5;
    expect_refused(f, "d4/a", 7, REFUSAL_MAX_FILES, "output.max_files");
}

static void
test_deep_paths_are_refused_for_their_directories(void **state)
{
    struct fixture *f = *state;
    begin(f, 2);
    expect_refused(f, "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z", 7, REFUSAL_MAX_FILES,
                   "more directories");
    expect_file(f, "a/b/c", 7, "a/b/c");
}

static void
test_a_change_is_noticed_after_a_second_and_not_before(void **state)
{
    struct fixture *f = *state;
    const uint64_t start = 5000;
    expect_file(f, "a", start, "a");
    assert_int_equal(mkdirat(f->root.fd, "a", 0700), 0);
    expect_file(f, "a", start, "a");
    expect_file(f, "a", start + 500, "a"); /* being used does not keep it fresh */
    expect_file(f, "a", start + FRESH_MS - 1, "a");
    expect_refused(f, "a", start + FRESH_MS, REFUSAL_FILE_PATH, "is a directory");
    assert_int_equal(unlinkat(f->root.fd, "a", AT_REMOVEDIR), 0);
    expect_refused(f, "a", start + 2 * FRESH_MS - 1, REFUSAL_FILE_PATH, "is a directory");
    expect_file(f, "a", start + 2 * FRESH_MS, "a");
    expect_file(f, "a", start + 100 * FRESH_MS, "a");
}

static void
test_another_spelling_is_looked_at_on_its_own(void **state)
{
    struct fixture *f = *state;
    expect_file(f, "a", 5000, "a");
    assert_int_equal(mkdirat(f->root.fd, "a", 0700), 0);
    expect_file(f, "a", 5001, "a");
    expect_refused(f, "./a", 5001, REFUSAL_FILE_PATH, "is a directory");
}

static void
test_more_paths_than_are_remembered_still_mean_what_they_mean(void **state)
{
    struct fixture *f = *state;
    char path[32];
    char name[32];
    for (uint64_t i = 0; i < 3000; i++) {
        unsigned which = (unsigned)(i * i * 31 + i / 7) % 200;
        (void)snprintf(path, sizeof(path), "./logs//f%u", which);
        (void)snprintf(name, sizeof(name), "logs/f%u", which);
        if (which % 10 == 3)
            expect_refused(f, strcat(path, "/"), i, REFUSAL_FILE_PATH, "slash");
        else
            expect_file(f, path, i, name);
    }
}

/* A path in use is remembered while 63 others come and go, and forgotten after 64. */
static void
test_the_path_longest_unused_is_forgotten_first(void **state)
{
    struct fixture *f = *state;
    char path[32];
    expect_file(f, "kept", 1, "kept");
    expect_file(f, "dropped", 1, "dropped");
    assert_int_equal(mkdirat(f->root.fd, "kept", 0700), 0);
    assert_int_equal(mkdirat(f->root.fd, "dropped", 0700), 0);
    for (unsigned i = 0; i < 63; i++) {
        (void)snprintf(path, sizeof(path), "f%u", i);
        expect_file(f, path, 1, path);
        expect_file(f, "kept", 1, "kept");
    }
    expect_refused(f, "dropped", 1, REFUSAL_FILE_PATH, "is a directory");
    for (unsigned i = 0; i < 64; i++) {
        (void)snprintf(path, sizeof(path), "g%u", i);
        expect_file(f, path, 1, path);
    }
    expect_refused(f, "kept", 1, REFUSAL_FILE_PATH, "is a directory");
}

static void
test_no_more_outputs_than_max_files(void **state)
{
    struct fixture *f = *state;
    begin(f, 3);
    expect_file(f, "a", 7, "a");
    expect_file(f, "b", 7, "b");
    expect_file(f, "c", 7, "c");
    expect_refused(f, "d", 7, REFUSAL_MAX_FILES, "output.max_files (3)");
    expect_refused(f, "d", 8, REFUSAL_MAX_FILES, "output.max_files (3)");
    expect_refused(f, "e", 7 + 2 * FRESH_MS, REFUSAL_MAX_FILES, "output.max_files (3)");
    expect_file(f, "a", 7, "a");
    expect_file(f, "./b", 7, "b");
    expect_file(f, "c", 7 + 2 * FRESH_MS, "c");
    assert_int_equal(resolve(f, "", 7), ACCEPTED);
    assert_int_equal(f->kind, SEGMENT_STANDARD_OUTPUT);
}

static void
test_outputs_of_other_workers_count(void **state)
{
    struct fixture *f = *state;
    begin(f, 2);
    struct destinations *other = NULL;
    assert_int_equal(destinations_open(&other, &f->heritage), 0);
    expect_file(f, "a", 7, "a");
    struct destinations *own = f->destinations;
    f->destinations = other;
    expect_file(f, "a", 7, "a");
    expect_file(f, "b", 7, "b");
    f->destinations = own;
    expect_refused(f, "c", 7, REFUSAL_MAX_FILES, "output.max_files (2)");
    expect_file(f, "b", 7, "b");
    destinations_close(&other);
}

static void
test_what_cannot_be_told_is_no_fault_of_the_path(void **state)
{
    struct fixture *f = *state;
    f->heritage.fds[HERITAGE_FD_ROOT] = -1;
    expect_refused(f, "a", 5000, REFUSAL_SYSTEM, "cannot be checked: Bad file descriptor");
    f->heritage.fds[HERITAGE_FD_ROOT] = f->root.fd;
    expect_file(f, "a", 5000 + FRESH_MS, "a");
}

static void
expect_hostile_refused(struct fixture *f, const char *path, size_t size)
{
    assert_int_equal(resolve_bytes(f, path, size, 7), REFUSAL_FILE_PATH);
    expect_printable_reason(f);
    assert_int_equal(strncmp(f->refusal.text, "file_path \"", 11), 0);
    const char *close_quote = strrchr(f->refusal.text, '"');
    assert_int_equal(strncmp(close_quote, "\" ", 2), 0);
}

static void
test_long_hostile_paths_give_short_printable_reasons(void **state)
{
    struct fixture *f = *state;
    static const char bytes[] = {'x', '\0', '\n', '"', '\\', '\x7f', '\xff', '%', '/', '\x1b'};
    char *path = malloc(100000);
    assert_non_null(path);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        memset(path, bytes[i], 100000);
        for (size_t size = 1; size < 420; size++) {
            path[size - 1] = '\n'; /* never acceptable */
            expect_hostile_refused(f, path, size);
            path[size - 1] = bytes[i];
        }
        expect_hostile_refused(f, path, 4096);
        expect_hostile_refused(f, path, 100000);
    }
    free(path);
}

static void
test_bytes_that_could_forge_a_message_are_escaped(void **state)
{
    struct fixture *f = *state;
    static const char path[] = "a\"b\\c\n\xc3\xa9%s\0z";
    assert_int_equal(resolve_bytes(f, path, sizeof(path) - 1, 7), REFUSAL_FILE_PATH);
    assert_string_equal(f->refusal.text, "file_path \"a\\\"b\\\\c\\n\\xc3\\xa9%s\\x00z\" "
                                         "holds a control character");
}

static void
test_bytes_beyond_ascii_are_good_in_a_name(void **state)
{
    struct fixture *f = *state;
    expect_file(f, "caf\xc3\xa9/\xff", 7, "caf\xc3\xa9/\xff");
}

static void
test_close_accepts_nothing(void **state)
{
    (void)state;
    struct destinations *none = NULL;
    destinations_close(&none);
    assert_null(none);
}

static void
expect_refused_for_rotation(struct fixture *f, const char *path, uint64_t now_ms)
{
    assert_int_equal(resolve_bytes(f, path, strlen(path), now_ms), REFUSAL_FILE_PATH);
    assert_non_null(strstr(f->refusal.text, "ends in a dot and a number"));
    assert_non_null(strstr(f->refusal.text, "output.rotate_bytes"));
}

/* Only with rotation: then a file of such a name would be renamed and deleted in time. */
static void
test_names_of_rotated_files(void **state)
{
    struct fixture *f = *state;
    scratch_put(&f->root, "b.7", "", 0);
    assert_int_equal(symlinkat("b.7", f->root.fd, "link"), 0);
    assert_int_equal(resolve_bytes(f, "a.1", 3, 0), ACCEPTED);
    assert_int_equal(resolve_bytes(f, "link", 4, 0), ACCEPTED);
    f->settings.output_rotate_seconds = 60;
    expect_refused_for_rotation(f, "a.1", FRESH_MS);
    expect_refused_for_rotation(f, "link", FRESH_MS);
    expect_refused_for_rotation(f, "./x/a.12//b", FRESH_MS);
    f->settings.output_rotate_seconds = 0;
    f->settings.output_rotate_bytes = 1;
    expect_refused_for_rotation(f, "a.1000", FRESH_MS);
    assert_int_equal(resolve_bytes(f, "a.0", 3, FRESH_MS), ACCEPTED);
    assert_int_equal(resolve_bytes(f, "a", 1, FRESH_MS), ACCEPTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_empty_path_is_standard_output),
        TEST(test_spellings_of_one_path_are_one_output),
        TEST(test_a_refusal_names_the_path_and_the_reason),
        TEST(test_refused_paths_take_no_output_away),
        TEST(test_calls_there_is_no_room_for_take_no_output_away),
        TEST(test_deep_paths_are_refused_for_their_directories),
        TEST(test_a_change_is_noticed_after_a_second_and_not_before),
        TEST(test_another_spelling_is_looked_at_on_its_own),
        TEST(test_more_paths_than_are_remembered_still_mean_what_they_mean),
        TEST(test_the_path_longest_unused_is_forgotten_first),
        TEST(test_no_more_outputs_than_max_files),
        TEST(test_outputs_of_other_workers_count),
        TEST(test_what_cannot_be_told_is_no_fault_of_the_path),
        TEST(test_long_hostile_paths_give_short_printable_reasons),
        TEST(test_bytes_that_could_forge_a_message_are_escaped),
        TEST(test_bytes_beyond_ascii_are_good_in_a_name),
        TEST(test_names_of_rotated_files),
        TEST(test_close_accepts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
