/* request_test.c -- what a decoded request holds, which requests are refused, and what the refusal
 * says. */
#include "worker/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include <metric.pb-c.h>

#include "worker/arena.h"

#define WIRE(literal) ((struct bytes){"" literal, sizeof(literal) - 1})

/* Field 2, adapter_config, of 60 bytes and what follows the type URL. */
#define PARAMS_URL "\x0a\x37type.googleapis.com/adapter.mygrpcadapter.config.Params"

static struct arena *arena;
static struct request request;
static char reason[REQUEST_REASON_BYTES];

static int
open_arena(void **state)
{
    (void)state;
    return arena_open(&arena, (size_t)1 << 20, (size_t)1 << 16);
}

static int
close_arena(void **state)
{
    (void)state;
    arena_close(&arena);
    return 0;
}

static int
decode(struct bytes wire)
{
    arena_reset(arena);
    return request_decode(&request, arena, wire, reason);
}

static void
assert_bytes(struct bytes bytes, const char *expected, size_t size)
{
    assert_int_equal(bytes.size, size);
    assert_memory_equal(bytes.data, expected, size);
}

static void
assert_refused(struct bytes wire, const char *expected)
{
    assert_int_equal(decode(wire), -EBADMSG);
    assert_string_equal(reason, expected);
}

static void
empty_request(void **state)
{
    (void)state;
    assert_int_equal(decode((struct bytes){NULL, 0}), 0);
    assert_int_equal(request.message->n_instances, 0);
    assert_int_equal(request.file_path.size, 0);
    assert_int_equal(request.config_type_url.size, 0);
    assert_int_equal(request.config_value.size, 0);
    assert_string_equal(reason, "");
}

static void
file_path(void **state)
{
    (void)state;
    assert_int_equal(decode(WIRE("\x12\x44" PARAMS_URL "\x12\x09\x0a\x07out.txt")), 0);
    assert_bytes(request.file_path, "out.txt", 7);
    assert_bytes(request.config_type_url, "type.googleapis.com/" REQUEST_PARAMS_TYPE, 0x37);
    assert_bytes(request.config_value, "\x0a\x07out.txt", 9);
    /* A NUL byte does not end the path. */
    assert_int_equal(decode(WIRE("\x12\x40" PARAMS_URL "\x12\x05\x0a\x03"
                                 "a\0b")),
                     0);
    assert_bytes(request.file_path, "a\0b", 3);
}

static void
config_without_params(void **state)
{
    (void)state;
    assert_int_equal(decode(WIRE("\x12\x39" PARAMS_URL)), 0);
    assert_int_equal(request.file_path.size, 0);
    assert_int_equal(request.config_type_url.size, 0x37);
    assert_int_equal(decode(WIRE("\x12\x3b" PARAMS_URL "\x12\x00")), 0);
    assert_int_equal(request.file_path.size, 0);
    assert_int_equal(decode(WIRE("\x12\x00")), 0);
    assert_int_equal(request.file_path.size, 0);
}

static void
config_types(void **state)
{
    (void)state;
    /* Whatever comes before the last slash, a slash or not. */
    assert_int_equal(decode(WIRE("\x12\x25\x0a\x23" REQUEST_PARAMS_TYPE)), 0);
    assert_int_equal(decode(WIRE("\x12\x28\x0a\x26"
                                 "a//" REQUEST_PARAMS_TYPE)),
                     0);
    assert_refused(WIRE("\x12\x0c\x0a\x0a"
                        "x.org/y.Z\n"),
                   "adapter_config is of type \"x.org/y.Z\\x0a\", not " REQUEST_PARAMS_TYPE);
    assert_refused(WIRE("\x12\x26\x0a\x24" REQUEST_PARAMS_TYPE "/"),
                   "adapter_config is of type \"" REQUEST_PARAMS_TYPE
                   "/\", not " REQUEST_PARAMS_TYPE);
    assert_refused(WIRE("\x12\x25\x0a\x23"
                        "adapter.mygrpcadapter.config.Param\0"),
                   "adapter_config is of type \"adapter.mygrpcadapter.config.Param\\x00\", "
                   "not " REQUEST_PARAMS_TYPE);
}

static void
params_without_a_type_are_params(void **state)
{
    (void)state;
    assert_int_equal(decode(WIRE("\x12\x05\x12\x03\x0a\x01x")), 0);
    assert_bytes(request.file_path, "x", 1);
}

static void
reason_is_bounded(void **state)
{
    (void)state;
    char wire[1000] = "\x12\xe5\x07\x0a\xe2\x07";
    memset(wire + 6, 0xff, sizeof(wire) - 6);
    assert_int_equal(decode((struct bytes){wire, sizeof(wire)}), -EBADMSG);
    assert_true(strlen(reason) < 200);
    assert_non_null(strstr(reason, "\\xff\\xff...\", not " REQUEST_PARAMS_TYPE));
}

static void
faults_are_named(void **state)
{
    (void)state;
    assert_refused(WIRE("\x0a\x05\x01"), "instances[0]: length 5 at byte 1 runs past the end");
    assert_refused(WIRE("\x0a\x00\x0a\x00\x0a\x04\x12\x02\x0a\x05"),
                   "instances[2].dimensions[0].key: length 5 at byte 9 runs past the end");
    assert_refused(WIRE("\x0a\x07\xfa\xd2\xe4\x93\x02\x01\x78\x0a\x02\x0a\x00\x0a\x03\x0a\x01\x80"),
                   "instances[2].value: a tag is cut off or longer than 5 bytes at byte 17");
    assert_refused(WIRE("\x1a\x80\x80\x80\x80\x80\x00"),
                   "dedup_id: a length is cut off or longer than 5 bytes at byte 1");
    assert_refused(WIRE("\x08\x01"), "instances[0]: the wire type is not the field's at byte 0");
}

static void
faults_below_a_message(void **state)
{
    (void)state;
    assert_refused(WIRE("\x00\x00"), "a field has number 0 at byte 0");
    assert_refused(WIRE("\x7b\x7c"), "a group or an unknown wire type at byte 0");
    assert_refused(WIRE("\x7e"), "a group or an unknown wire type at byte 0");
    assert_refused(WIRE("\x79\x01\x02"), "a fixed-size number is cut off at byte 1");
    assert_refused(WIRE("\x7d\x01\x02\x03"), "a fixed-size number is cut off at byte 1");
    assert_refused(WIRE("\x78\x80"), "a number is cut off or longer than 10 bytes at byte 1");
    assert_refused(WIRE("\x0a\x08\x0a\x06\x3a\x04\x0a\x02\x10\xff"),
                   "instances[0].value.duration_value.value.nanos: "
                   "a number is cut off or longer than 10 bytes at byte 9");
    assert_refused(WIRE("\x12\x3f" PARAMS_URL "\x12\x04\x0a\x09xx"),
                   "adapter_config.value.file_path: length 9 at byte 1 runs past the end");
}

/* protobuf-c refuses to merge two oneofs of which neither is set. */
static void
unmergeable_message(void **state)
{
    (void)state;
    assert_refused(WIRE("\x0a\x04\x0a\x00\x0a\x00"),
                   "a message is given twice, and both cannot be merged");
}

static void
memory_limit_is_told_apart(void **state)
{
    (void)state;
    struct arena *small;
    char wire[2000];
    for (size_t i = 0; i < sizeof(wire); i++)
        wire[i] = i % 2 == 0 ? '\x0a' : '\0';
    assert_int_equal(arena_open(&small, 10000, 4096), 0);
    assert_int_equal(request_decode(&request, small, (struct bytes){wire, sizeof(wire)}, reason),
                     -ENOMEM);
    assert_string_equal(reason, "the request needs more than 10000 bytes of memory to decode");
    /* Even where the end is cut off too. */
    arena_reset(small);
    assert_int_equal(
        request_decode(&request, small, (struct bytes){wire, sizeof(wire) - 1}, reason), -ENOMEM);
    arena_reset(small);
    assert_int_equal(request_decode(&request, small, (struct bytes){wire, 2}, reason), 0);
    assert_int_equal(request.message->n_instances, 1);
    arena_close(&small);
}

/* Every place at which memory can run out, and every place at which the bytes can end. */
static void
any_limit_and_any_end(void **state)
{
    (void)state;
    static const char whole[] = "\x0a\x1b\x0a\x03\x0a\x01v\x12\x09\x0a\x01k\x12\x04\x2a\x02\x0a"
                                "\x00\xfa\xd2\xe4\x93\x02\x01n\x78\x01\x1a\x00"
                                "\x12\x3e" PARAMS_URL "\x12\x03\x0a\x01p\x1a\x01"
                                "1";
    const struct bytes wire = {whole, sizeof(whole) - 1};
    assert_int_equal(decode(wire), 0);
    size_t needed = arena_used_bytes(arena);
    for (size_t limit = 1; limit < needed; limit++) {
        struct arena *small;
        assert_int_equal(arena_open(&small, limit, limit), 0);
        assert_int_equal(request_decode(&request, small, wire, reason), -ENOMEM);
        arena_close(&small);
    }
    for (size_t size = 0; size < wire.size; size++) {
        char *copy = malloc(size > 0 ? size : 1); /* no more, so that a sanitizer sees the end */
        memcpy(copy, wire.data, size);
        int result = decode((struct bytes){copy, size});
        free(copy);
        bool complete = size == 0 || size == 29 || size == 29 + 64;
        assert_int_equal(result, complete ? 0 : -EBADMSG);
        assert_int_equal(reason[0] == '\0', complete);
    }
}

static void
outlives_the_received_bytes(void **state)
{
    (void)state;
    char wire[] = "\x0a\x10\xfa\xd2\xe4\x93\x02\x0ahelloworld\x12\x39" PARAMS_URL;
    assert_int_equal(decode((struct bytes){wire, sizeof(wire) - 1}), 0);
    memset(wire, 0, sizeof(wire));
    assert_bytes(arena_string(request.message->instances[0]->name), "helloworld", 10);
    assert_bytes(request.config_type_url, "type.googleapis.com/" REQUEST_PARAMS_TYPE, 0x37);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_request),
        cmocka_unit_test(file_path),
        cmocka_unit_test(config_without_params),
        cmocka_unit_test(config_types),
        cmocka_unit_test(params_without_a_type_are_params),
        cmocka_unit_test(reason_is_bounded),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(faults_below_a_message),
        cmocka_unit_test(unmergeable_message),
        cmocka_unit_test(memory_limit_is_told_apart),
        cmocka_unit_test(any_limit_and_any_end),
        cmocka_unit_test(outlives_the_received_bytes),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
