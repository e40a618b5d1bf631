/* config_test.c -- the configuration from file and command line: values, bounds, the words of each
 * refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "common/settings.h"
#include "master/config/config.h"
#include "master/config/config_table.h"
#include "master/validators.h"

#define SHIPPED_FILE "etc/mygrpcadapter.cfg"
#define TEXT_BYTES 1400

static char directory[] = "/tmp/config_test.XXXXXX";

/* DIRECTORY/NAME with that text; the path is good until the next call but three. */
static const char *
write_file(const char *name, const char *text)
{
    static char paths[4][128];
    static size_t next;
    char *path = paths[next++ % 4];
    (void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static int
load(struct settings *settings, const char *path, const char *set, struct complaint *complaint)
{
    const char *sets[] = {set};
    const struct config_sources sources = {
        .file = path, .sets = sets, .set_count = set != NULL, .port = CONFIG_NO_PORT};
    return config_load(settings, &sources, &master_validators, complaint);
}

static struct settings
load_well(const char *path, const char *set)
{
    struct settings settings;
    struct complaint complaint = {.text = ""};
    int result = load(&settings, path, set, &complaint);
    assert_string_equal(complaint.text, "");
    assert_int_equal(result, 0);
    return settings;
}

/* `expected` is what the complaint says after the directory of the test. */
static void
assert_file_refused(const char *text, const char *expected)
{
    struct settings settings;
    struct complaint complaint;
    char whole[TEXT_BYTES];
    const char *path = write_file("x.cfg", text);
    assert_int_equal(load(&settings, path, NULL, &complaint), EX_CONFIG);
    (void)snprintf(whole, sizeof(whole), "%s/%s", directory, expected);
    assert_string_equal(complaint.text, whole);
    assert_null(settings.output_root);
}

static void
assert_set_refused(const char *set, const char *expected)
{
    struct settings settings;
    struct complaint complaint;
    char whole[TEXT_BYTES];
    assert_int_equal(load(&settings, "/dev/null", set, &complaint), EX_CONFIG);
    (void)snprintf(whole, sizeof(whole), "--set %s: %s", set, expected);
    assert_string_equal(complaint.text, whole);
}

static void
assert_same(const struct settings *a, const struct settings *b)
{
    char text_a[4096] = "";
    char text_b[4096] = "";
    FILE *file_a = fmemopen(text_a, sizeof(text_a), "w");
    FILE *file_b = fmemopen(text_b, sizeof(text_b), "w");
    config_print(a, file_a);
    config_print(b, file_b);
    assert_int_equal(fclose(file_a), 0);
    assert_int_equal(fclose(file_b), 0);
    assert_true(strlen(text_a) > 500 && strlen(text_a) < sizeof(text_a) - 1);
    assert_string_equal(text_a, text_b);
}

static void
test_defaults(void **state)
{
    (void)state;
    struct settings settings = load_well("/dev/null", NULL);
    assert_string_equal(settings.listen_address, "[::]");
    assert_int_equal(settings.listen_port, 8000);
    assert_int_equal(settings.listen_backlog, 1024);
    assert_int_equal(settings.workers_count, 0);
    assert_int_equal(settings.workers_max_connections, 1024);
    assert_int_equal(settings.workers_max_concurrent_streams, 1024);
    assert_int_equal(settings.workers_max_message_bytes, 4194304);
    assert_int_equal(settings.workers_max_text_bytes, 67108864);
    assert_int_equal(settings.workers_start_timeout_ms, 30000);
    assert_int_equal(settings.workers_stall_timeout_ms, 10000);
    assert_int_equal(settings.workers_drain_timeout_ms, 10000);
    assert_string_equal(settings.segments_directory, "/volume/.mygrpcadapter");
    assert_int_equal(settings.segments_size_bytes, 16777216);
    assert_int_equal(settings.segments_limit_bytes, 268435456);
    assert_int_equal(settings.segments_durability, DURABILITY_PROCESS);
    assert_string_equal(settings.output_root, "/volume");
    assert_int_equal(settings.output_mode, 0640);
    assert_int_equal(settings.output_max_files, 1024);
    assert_int_equal(settings.log_level, LOG_LEVEL_INFO);
    assert_int_equal(settings.log_format, LOG_FORMAT_TEXT);
    config_free(&settings);
    config_free(&settings);
}

/* The shipped file says what the table says; that it leaves nothing out is test_manual.py's to
 * see. */
static void
test_shipped_file(void **state)
{
    (void)state;
    struct settings defaults = load_well("/dev/null", NULL);
    struct settings shipped = load_well(SHIPPED_FILE, NULL);
    assert_same(&defaults, &shipped);
    config_free(&defaults);
    config_free(&shipped);
}

static void
test_printed_configuration_reads_back(void **state)
{
    (void)state;
    struct settings settings = load_well(
        write_file("y.cfg", "listen: { address = \"127.0.0.1\"; port = 0; };\n"
                            "segments: { limit_bytes = 1099511627776L; size_bytes = 0x20000; };\n"
                            "log: { level = \"debug\"; format = \"json\"; };\n"
                            "output: { mode = \"0666\"; };\n"),
        "output.root=/data/a \"quoted\" \\ back\tt\xc3\xa9 # no comment");
    char text[8192] = "";
    FILE *stream = fmemopen(text, sizeof(text), "w");
    config_print(&settings, stream);
    assert_int_equal(fclose(stream), 0);
    struct settings again = load_well(write_file("z.cfg", text), NULL);
    assert_same(&settings, &again);
    assert_string_equal(again.output_root, "/data/a \"quoted\" \\ back\tt\xc3\xa9 # no comment");
    assert_int_equal(again.segments_limit_bytes, 1099511627776);
    assert_int_equal(again.segments_size_bytes, 131072);
    assert_int_equal(again.output_mode, 0666);
    assert_int_equal(again.log_level, LOG_LEVEL_DEBUG);
    assert_int_equal(again.log_format, LOG_FORMAT_JSON);
    config_free(&settings);
    config_free(&again);
}

static void
test_command_line_overrides(void **state)
{
    (void)state;
    const char *path = write_file("x.cfg", "listen: { port = 9000; }; output: { root = \"/a\"; };");
    const char *sets[] = {"listen.port=9001", "listen.port=9002", "output.root=/b",
                          "log.level=error", "output.mode=600"};
    struct config_sources sources = {
        .file = path, .sets = sets, .set_count = 5, .port = CONFIG_NO_PORT};
    struct settings settings;
    struct complaint complaint;
    assert_int_equal(config_load(&settings, &sources, &master_validators, &complaint), 0);
    assert_int_equal(settings.listen_port, 9002);
    assert_string_equal(settings.output_root, "/b");
    assert_string_equal(settings.segments_directory, "/b/.mygrpcadapter");
    assert_int_equal(settings.log_level, LOG_LEVEL_ERROR);
    assert_int_equal(settings.output_mode, 0600);
    config_free(&settings);
    sources.port = 9003;
    assert_int_equal(config_load(&settings, &sources, &master_validators, &complaint), 0);
    assert_int_equal(settings.listen_port, 9003);
    config_free(&settings);
}

static void
test_segments_directory(void **state)
{
    (void)state;
    struct settings settings = load_well("/dev/null", "segments.directory=/elsewhere");
    assert_string_equal(settings.segments_directory, "/elsewhere");
    config_free(&settings);
    settings = load_well("/dev/null", "output.root=/");
    assert_string_equal(settings.segments_directory, "/.mygrpcadapter");
    config_free(&settings);
}

static void
test_file_refusals(void **state)
{
    (void)state;
    assert_file_refused("listen: {\n  port = 70000;\n};",
                        "x.cfg:2: listen.port: 70000 is out of range (0 to 65535)");
    assert_file_refused("listen: { port = -1; };",
                        "x.cfg:1: listen.port: -1 is out of range (0 to 65535)");
    assert_file_refused("listen: { port = \"80\"; };", "x.cfg:1: listen.port: must be an integer");
    assert_file_refused("listen: { port = 80.5; };", "x.cfg:1: listen.port: must be an integer");
    assert_file_refused("listen: { port = true; };", "x.cfg:1: listen.port: must be an integer");
    assert_file_refused("listen: { port: { a = 1; }; };",
                        "x.cfg:1: listen.port: must be an integer");
    assert_file_refused("\nlog: { level = 3; };", "x.cfg:2: log.level: must be a string");
    assert_file_refused("log: { level = \"loud\"; };", "x.cfg:1: log.level: \"loud\" is not one "
                                                       "of: error, warning, info, debug");
    assert_file_refused("output: { mode = 640; };", "x.cfg:1: output.mode: must be a string of "
                                                    "octal digits such as \"0640\"");
    assert_file_refused("listen: { prot = 80; };", "x.cfg:1: listen.prot: unknown setting");
    assert_file_refused("listne: { port = 80; };", "x.cfg:1: listne: unknown group");
    assert_file_refused("port = 80;", "x.cfg:1: port: unknown setting");
    assert_file_refused("\n\nlisten = 80;", "x.cfg:3: listen: must be a group, listen: { ... };");
    assert_file_refused("listen: { port = 80;\n port = 81; };",
                        "x.cfg:2: duplicate setting name in: port = 81; };");
    assert_file_refused("listen: { port = 80; };\nlisten: { backlog = 5; };",
                        "x.cfg:2: duplicate setting name in: listen: { backlog = 5; };");
    assert_file_refused("listen: { port = ; };", "x.cfg:1: syntax error in: listen: { port = ; };");
}

/* libconfig 1.5 would read 4294975296 as 8000. */
static void
test_integers_beyond_32_bits_need_their_suffix(void **state)
{
    (void)state;
    assert_file_refused("# 4294975296\n/* 4294975296 // \" */ // 4294975296\nlog: { level = "
                        "\"4294975296\\\"\"; };\n"
                        "listen: {\n  port = 4294975296; };",
                        "x.cfg:5: port: 4294975296 is beyond 32 bits and needs an L: 4294975296L");
    assert_file_refused("segments: { limit_bytes = 0xFFFFFFFF0; };",
                        "x.cfg:1: limit_bytes: 0xFFFFFFFF0 is beyond 32 bits and needs an L: "
                        "0xFFFFFFFF0L");
    assert_file_refused("listen: { port = 4294975296L; };",
                        "x.cfg:1: listen.port: 4294975296 is out of range (0 to 65535)");
    assert_file_refused("listen: { port = 99999999999999999999L; };",
                        "x.cfg:1: listen.port: 9223372036854775807 is out of range (0 to 65535)");
}

static void
test_set_refusals(void **state)
{
    (void)state;
    assert_set_refused("listen.port=x", "must be an integer");
    assert_set_refused("listen.port=", "must be an integer");
    assert_set_refused("listen.port=80x", "must be an integer");
    assert_set_refused("listen.port=65536", "65536 is out of range (0 to 65535)");
    assert_set_refused("listen.port=99999999999999999999",
                       "9223372036854775807 is out of range (0 to 65535)");
    assert_set_refused("listen.prot=1", "unknown setting");
    assert_set_refused("listen=1", "unknown setting");
    assert_set_refused("listen.address=localhost",
                       "\"localhost\" is not a numeric IPv4 or IPv6 address");
    assert_set_refused("output.root=volume", "\"volume\" is not an absolute path");
    assert_set_refused("output.root=", "\"\" is not an absolute path");
    assert_set_refused("segments.directory=x", "\"x\" is not an absolute path");
    assert_set_refused("segments.durability=x", "\"x\" is not one of: process, machine");
    assert_set_refused("output.mode=0999", "\"0999\" is not a string of one to four octal digits");
    assert_set_refused("output.mode=7777", "\"7777\" is out of range (0600 to 0777)");
    assert_set_refused("output.mode=0440", "\"0440\" does not let the owner read and write");
    assert_set_refused("log.format=xml", "\"xml\" is not one of: text, json");
}

static void
test_settings_that_do_not_fit_together(void **state)
{
    (void)state;
    struct settings settings = load_well("/dev/null", "segments.limit_bytes=1000000");
    assert_int_equal(settings.segments_size_bytes, 1000000);
    assert_int_equal(settings.workers_max_text_bytes, 1000000 - 16384);
    config_free(&settings);
    /* The setting in the way may be a default, then it is named without a place. */
    struct complaint complaint;
    assert_int_equal(load(&settings, "/dev/null", "segments.size_bytes=536870912", &complaint),
                     EX_CONFIG);
    assert_string_equal(
        complaint.text,
        "segments.limit_bytes: 268435456 is less than segments.size_bytes (536870912)");
}

static void
test_includes(void **state)
{
    (void)state;
    (void)write_file("inner.cfg", "\n\nlisten: { port = 9000; };\n");
    struct settings settings = load_well(
        write_file("x.cfg", "@include \"inner.cfg\"\nlog: { level = \"error\"; };"), NULL);
    assert_int_equal(settings.listen_port, 9000);
    config_free(&settings);
    (void)write_file("inner.cfg", "\n\nlisten: { port = 90000; };\n");
    assert_file_refused("@include \"inner.cfg\"\nlog: { level = \"error\"; };",
                        "inner.cfg:3: listen.port: 90000 is out of range (0 to 65535)");
    (void)write_file("inner.cfg", "\nlisten: { port = 4294975296; };\n");
    assert_file_refused("@include \"inner.cfg\"\n",
                        "inner.cfg:2: port: 4294975296 is beyond 32 bits and needs an L: "
                        "4294975296L");
    (void)write_file("inner.cfg", "\nlisten: { port = ; };\n");
    assert_file_refused("@include \"inner.cfg\"\n",
                        "inner.cfg:2: syntax error in: listen: { port = ; };");
    assert_file_refused("\n@include \"none.cfg\"\n",
                        "x.cfg:2: cannot open include file in: @include \"none.cfg\"");
}

static void
test_files_that_cannot_be_read(void **state)
{
    (void)state;
    struct settings settings;
    struct complaint complaint;
    assert_int_equal(load(&settings, "/nonexistent.cfg", NULL, &complaint), EX_CONFIG);
    assert_string_equal(complaint.text,
                        "cannot read \"/nonexistent.cfg\": No such file or directory");
    assert_int_equal(load(&settings, "/tmp", NULL, &complaint), EX_CONFIG);
    assert_string_equal(complaint.text, "cannot read \"/tmp\": Is a directory");
}

static int
make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) != NULL ? 0 : -1;
}

static int
remove_directory(void **state)
{
    static const char *const names[] = {"x.cfg", "y.cfg", "z.cfg", "inner.cfg"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
        (void)unlink(path);
    }
    return rmdir(directory);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_shipped_file),
        cmocka_unit_test(test_printed_configuration_reads_back),
        cmocka_unit_test(test_command_line_overrides),
        cmocka_unit_test(test_segments_directory),
        cmocka_unit_test(test_file_refusals),
        cmocka_unit_test(test_integers_beyond_32_bits_need_their_suffix),
        cmocka_unit_test(test_set_refusals),
        cmocka_unit_test(test_settings_that_do_not_fit_together),
        cmocka_unit_test(test_includes),
        cmocka_unit_test(test_files_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
