/* handover_test.c -- what one program leaves to the next comes out as it went in, or is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/complaint.h"
#include "common/role.h"
#include "common/settings.h"
#include "master/config/config.h"
#include "master/takeover/handover.h"
#include "master/validators.h"

static struct elder some_elders[] = {
    {.pid = 4711, .incarnation = 17, .age_ms = 5, .patience_ms = 900, .slot = 3, .told = 1},
    {.pid = 4712,
     .incarnation = 18,
     .age_ms = 6,
     .patience_ms = 901,
     .slot = 4,
     .role = ROLE_COLLECTOR},
};

static struct handover
make(void)
{
    return (struct handover){
        .fds = {[HANDOVER_FD_LISTENER] = 30,
                [HANDOVER_FD_ROOT] = 31,
                [HANDOVER_FD_SEGMENTS] = 32,
                [HANDOVER_FD_LOCK] = 33,
                [HANDOVER_FD_ROOT_LOCK] = 38,
                [HANDOVER_FD_LIFE_READ] = 34,
                [HANDOVER_FD_LIFE_WRITE] = 35,
                [HANDOVER_FD_COLLECTOR_WAKEUP] = 36,
                [HANDOVER_FD_ADMIN] = -1,
                [HANDOVER_FD_SETTINGS] = 37},
        .texts = {[HANDOVER_TEXT_PROGRAM_PATH] = bytes_unconst("/usr/sbin/mygrpcadapter"),
                  [HANDOVER_TEXT_LISTEN_ADDRESS] = bytes_unconst("[::]"),
                  [HANDOVER_TEXT_SEGMENTS_DIRECTORY] = bytes_unconst("/volume/.mygrpcadapter"),
                  [HANDOVER_TEXT_OUTPUT_ROOT] = bytes_unconst("/volume"),
                  [HANDOVER_TEXT_ADMIN_ADDRESS] = bytes_unconst("")},
        .listen_port = 8000,
        .succession = {.next_incarnation = 1795619, .elders = some_elders, .elder_count = 2},
    };
}

static void
test_round_trip(void **state)
{
    (void)state;
    struct handover sent = make();
    struct handover *got = NULL;
    struct complaint complaint = {.text = ""};
    int fd = handover_write(&sent);
    assert_true(fd > STDERR_FILENO);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(handover_announce(fd), 0);
    assert_int_equal(fcntl(fd, F_GETFD), 0);
    assert_int_equal(handover_receive(&got, &complaint), 0);
    assert_memory_equal(got->fds, sent.fds, sizeof(sent.fds));
    for (size_t i = 0; i < HANDOVER_TEXTS; i++)
        assert_string_equal(got->texts[i], sent.texts[i]);
    assert_int_equal(got->listen_port, sent.listen_port);
    assert_int_equal(got->succession.next_incarnation, sent.succession.next_incarnation);
    assert_int_equal(got->succession.elder_count, 2);
    assert_memory_equal(got->succession.elders, some_elders, sizeof(some_elders));
    handover_free(&got);
    assert_null(got);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    /* It is taken once. */
    assert_int_equal(handover_receive(&got, &complaint), 0);
    assert_null(got);
}

/* Whether a memfd of these bytes is taken. */
static bool
is_taken(const char *data, size_t size)
{
    struct handover *got = NULL;
    struct complaint complaint;
    int fd = memfd_create("handover", MFD_CLOEXEC);
    assert_int_equal(write(fd, data, size), (ssize_t)size);
    assert_int_equal(handover_announce(fd), 0);
    int result = handover_receive(&got, &complaint);
    assert_int_equal(result, got == NULL ? EX_SOFTWARE : 0);
    handover_free(&got);
    (void)close(fd);
    return result == 0;
}

static void
test_damage(void **state)
{
    (void)state;
    struct handover sent = make();
    int fd = handover_write(&sent);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    size_t size = (size_t)status.st_size;
    char *data = calloc(1, size + 1);
    assert_int_equal(pread(fd, data, size, 0), (ssize_t)size);
    (void)close(fd);
    assert_true(is_taken(data, size));
    assert_false(is_taken(data, size + 1));
    for (size_t cut = 0; cut < size; cut++)
        assert_false(is_taken(data, cut));
    for (size_t i = 0; i < 24; i++) { /* magic, version, number of elders, size */
        data[i] ^= 0x40;
        assert_false(is_taken(data, size));
        data[i] ^= 0x40;
    }
    data[size - 1] = 'x'; /* a text without an end */
    assert_false(is_taken(data, size));
    free(data);
}

/* Another version's elders may be what this one does not know; nobody but a child is sent a
 * signal. */
static void
test_elders_that_cannot_be(void **state)
{
    (void)state;
    const struct elder good = {.pid = 4711, .role = ROLE_ADMIN};
    const struct elder bad[] = {
        {.pid = 4711, .role = ROLES}, {.pid = 0}, {.pid = -1}, {.pid = 1},
        {.pid = INT64_C(1) << 40},
    };
    struct handover sent = make();
    struct elder elder = good;
    sent.succession.elders = &elder;
    sent.succession.elder_count = 1;
    for (size_t i = 0; i <= sizeof(bad) / sizeof(bad[0]); i++) {
        struct handover *got = NULL;
        struct complaint complaint;
        elder = i == 0 ? good : bad[i - 1];
        assert_int_equal(handover_announce(handover_write(&sent)), 0);
        assert_int_equal(handover_receive(&got, &complaint), i == 0 ? 0 : EX_SOFTWARE);
        handover_free(&got);
    }
}

static void
test_no_handover(void **state)
{
    (void)state;
    static const char *const numbers[] = {"", "x", "-1", "0", "4000000000", "999999", "3x"};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct handover *got = NULL;
        struct complaint complaint;
        assert_int_equal(setenv("MYGRPCADAPTER_HANDOVER", numbers[i], 1), 0);
        assert_int_equal(handover_receive(&got, &complaint), EX_SOFTWARE);
        assert_null(getenv("MYGRPCADAPTER_HANDOVER"));
    }
}

static void
test_what_cannot_change(void **state)
{
    (void)state;
    struct handover handover = make();
    struct complaint complaint;
    struct settings settings = {
        .listen_address = handover.texts[HANDOVER_TEXT_LISTEN_ADDRESS],
        .listen_port = handover.listen_port,
        .segments_directory = handover.texts[HANDOVER_TEXT_SEGMENTS_DIRECTORY],
        .output_root = handover.texts[HANDOVER_TEXT_OUTPUT_ROOT],
    };
    assert_int_equal(handover_check_settings(&handover, &settings, &complaint), 0);
    settings.listen_port = 1;
    assert_int_equal(handover_check_settings(&handover, &settings, &complaint), EX_CONFIG);
    assert_string_equal(complaint.text, "listen.port cannot change while the adapter runs: it is "
                                        "\"8000\", not \"1\"; restart it instead");
    settings.listen_port = handover.listen_port;
    settings.output_root = bytes_unconst("/elsewhere");
    assert_int_equal(handover_check_settings(&handover, &settings, &complaint), EX_CONFIG);
    assert_memory_equal(complaint.text, "output.root cannot", 18);
}

/* What the rehearsal accepts can be read again as the settings, and is known to be accepted. */
static void
test_acceptance(void **state)
{
    (void)state;
    char path[HANDOVER_SETTINGS_PATH_BYTES];
    struct handover handover = make();
    struct complaint complaint = {.text = ""};
    struct config_sources sources = {.file = "/dev/null", .port = 1234};
    struct settings settings;
    struct settings again;
    int fd = memfd_create("settings", MFD_CLOEXEC);
    handover.fds[HANDOVER_FD_SETTINGS] = dup(fd); /* which handover_accept() closes */
    assert_false(handover_is_accepted(fd));
    assert_int_equal(config_load(&settings, &sources, &master_validators, &complaint), 0);
    assert_int_equal(handover_accept(&handover, &settings, &complaint), 0);
    assert_true(handover_is_accepted(fd));
    handover.fds[HANDOVER_FD_SETTINGS] = fd;
    handover_settings_path(&handover, path);
    sources = (struct config_sources){.file = path, .port = CONFIG_NO_PORT};
    assert_int_equal(config_load(&again, &sources, &master_validators, &complaint), 0);
    assert_int_equal(again.listen_port, 1234);
    assert_string_equal(again.segments_directory, settings.segments_directory);
    config_free(&settings);
    config_free(&again);
    (void)close(fd);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_no_handover),        cmocka_unit_test(test_elders_that_cannot_be),
        cmocka_unit_test(test_what_cannot_change), cmocka_unit_test(test_acceptance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
