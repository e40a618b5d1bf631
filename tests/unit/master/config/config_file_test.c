/* config_file_test.c -- what a file holds reaches the draft with its place, and what is wrong in it
 * is complained of with the file and the line. */
#include "tests/unit/scratch.h"

#include <sysexits.h>

#include "base/complaint.h"
#include "master/config/config.h"
#include "master/config/config_draft.h"
#include "master/config/config_file.h"
#include "master/validators.h"

struct fixture {
    struct scratch scratch;
    struct config_draft draft;
    struct complaint complaint;
    char path[128];
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    scratch_open(&f->scratch);
    (void)snprintf(f->path, sizeof(f->path), "%s/a.cfg", f->scratch.path);
    assert_int_equal(config_draft_begin(&f->draft, &master_validators, &f->complaint), 0);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    config_draft_end(&f->draft);
    config_free(&f->draft.settings);
    scratch_close(&f->scratch);
    free(f);
    return 0;
}

/* Reads a.cfg with that text. */
static int
read_text(struct fixture *f, const char *text)
{
    scratch_put(&f->scratch, "a.cfg", text, strlen(text));
    return config_file_read(&f->draft, f->path, false, &f->complaint);
}

/* The text is refused; the complaint is the path of the scratch directory, then `expected`. */
static void
assert_refused(struct fixture *f, const char *text, const char *expected)
{
    size_t length = strlen(f->scratch.path);
    assert_int_equal(read_text(f, text), EX_CONFIG);
    assert_int_equal(f->complaint.exit_code, EX_CONFIG);
    assert_memory_equal(f->complaint.text, f->scratch.path, length);
    assert_string_equal(f->complaint.text + length, expected);
}

static void
assert_place(const struct fixture *f, enum config_rule_index index, const char *expected)
{
    assert_string_equal(config_draft_place(&f->draft, index) + strlen(f->scratch.path), expected);
}

static void
test_values_and_their_places(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(read_text(f, "# a comment\n"
                                  "listen: { port = 81;\n"
                                  "  address = \"127.0.0.1\"; };\n"
                                  "log: { level = \"debug\"; };\n"),
                     0);
    assert_int_equal(f->draft.settings.listen_port, 81);
    assert_string_equal(f->draft.settings.listen_address, "127.0.0.1");
    assert_int_equal(f->draft.settings.log_level, LOG_LEVEL_DEBUG);
    assert_place(f, CONFIG_RULE_listen_port, "/a.cfg:2: listen.port");
    assert_place(f, CONFIG_RULE_listen_address, "/a.cfg:3: listen.address");
    assert_false(config_draft_is_given(&f->draft, CONFIG_RULE_listen_backlog));
}

/* An included file is found beside the one that names it, whatever the working directory. */
static void
test_an_included_file(void **state)
{
    struct fixture *f = *state;
    static const char good[] = "\nlisten: { port = 82; };\n";
    static const char bad[] = "\nlisten: { port = ; };\n";
    scratch_put(&f->scratch, "b.cfg", good, sizeof(good) - 1);
    assert_int_equal(read_text(f, "@include \"b.cfg\"\n"), 0);
    assert_int_equal(f->draft.settings.listen_port, 82);
    assert_place(f, CONFIG_RULE_listen_port, "/b.cfg:2: listen.port");
    scratch_put(&f->scratch, "b.cfg", bad, sizeof(bad) - 1);
    assert_refused(f, "@include \"b.cfg\"\n", "/b.cfg:2: syntax error in: listen: { port = ; };");
}

static void
test_what_nobody_knows(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "\nport = 1;\n", "/a.cfg:2: port: unknown setting");
    assert_refused(f, "listening: { port = 1; };\n", "/a.cfg:1: listening: unknown group");
    assert_refused(f, "listen = 1;\n", "/a.cfg:1: listen: must be a group, listen: { ... };");
    assert_int_equal(read_text(f, "listen: { prt = 1; };\n"), EX_CONFIG);
    assert_non_null(strstr(f->complaint.text, "/a.cfg:1: listen.prt"));
    assert_int_equal(read_text(f, "listen: { port = [ 1 ]; };\n"), EX_CONFIG);
    assert_non_null(strstr(f->complaint.text, "/a.cfg:1: listen.port"));
}

static void
test_what_is_no_configuration(void **state)
{
    struct fixture *f = *state;
    assert_refused(f, "listen: {\n  port = 1\n  = 2; };\n", "/a.cfg:3: syntax error in: = 2; };");
    assert_int_equal(config_file_read(&f->draft, f->scratch.path, false, &f->complaint), EX_CONFIG);
    assert_non_null(strstr(f->complaint.text, "Is a directory"));
}

/* Only the default file may be missing. */
static void
test_a_missing_file(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(config_file_read(&f->draft, f->path, true, &f->complaint), 0);
    assert_int_equal(config_file_read(&f->draft, f->path, false, &f->complaint), EX_CONFIG);
    assert_non_null(strstr(f->complaint.text, "No such file or directory"));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values_and_their_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_included_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_nobody_knows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_no_configuration, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
