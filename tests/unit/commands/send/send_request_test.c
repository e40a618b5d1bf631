/* send_request_test.c -- what a call of `send` carries, read back with protobuf-c. */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.pb-c.h"
#include "metric.pb-c.h"

#include "base/complaint.h"
#include "commands/send/send_options.h"
#include "commands/send/send_request.h"

#define ARGUMENTS_MAX 64

static char command_line[ARGUMENTS_MAX][256];

static char *
set_argument(int index, const char *text)
{
    assert_in_range(index, 0, ARGUMENTS_MAX - 1);
    size_t size = strlen(text) + 1;
    assert_in_range(size, 1, sizeof(command_line[index]));
    return memcpy(command_line[index], text, size);
}

static struct send_request *
open_request(const char *const *arguments)
{
    char *argv[ARGUMENTS_MAX + 1] = {command_line[0]};
    int argc = 1;
    (void)set_argument(0, "send");
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = set_argument(argc, arguments[argc - 1]);
    struct send_options options;
    struct complaint complaint;
    struct send_request *request = NULL;
    assert_int_equal(send_options_parse(&options, argc, argv, &complaint), 0);
    assert_int_equal(send_request_open(&request, &options), 0);
    send_options_close(&options);
    return request;
}

#define OPEN(...) open_request((const char *const[]){__VA_ARGS__, NULL})

/* The whole message of one call: the shared bytes and its own. The caller frees it. */
static uint8_t *
call_bytes(const struct send_request *request, uint64_t number)
{
    uint8_t *bytes = malloc(request->size + 1);
    assert_non_null(bytes);
    memcpy(bytes, request->bytes, request->shared_size);
    send_request_write(request, number, bytes + request->shared_size);
    return bytes;
}

static Metric__HandleMetricRequest *
call_message(const struct send_request *request, uint64_t number)
{
    uint8_t *bytes = call_bytes(request, number);
    Metric__HandleMetricRequest *message =
        metric__handle_metric_request__unpack(NULL, request->size, bytes);
    free(bytes);
    assert_non_null(message);
    return message;
}

static void
free_message(Metric__HandleMetricRequest *message)
{
    metric__handle_metric_request__free_unpacked(message, NULL);
}

static const Istio__Policy__V1beta1__Value *
dimension(const Metric__InstanceMsg *instance, const char *key)
{
    for (size_t i = 0; i < instance->n_dimensions; i++)
        if (strcmp(instance->dimensions[i]->key, key) == 0)
            return instance->dimensions[i]->value;
    fail_msg("no dimension %s", key);
    return NULL;
}

static void
test_config_with_file_path(void **state)
{
    (void)state;
    struct send_request *request = OPEN("--file-path", "/volume/out.txt");
    Metric__HandleMetricRequest *message = call_message(request, 1);
    assert_string_equal(message->adapter_config->type_url,
                        "type.googleapis.com/adapter.mygrpcadapter.config.Params");
    Adapter__Mygrpcadapter__Config__Params *params = adapter__mygrpcadapter__config__params__unpack(
        NULL, message->adapter_config->value.len, message->adapter_config->value.data);
    assert_non_null(params);
    assert_string_equal(params->file_path, "/volume/out.txt");
    adapter__mygrpcadapter__config__params__free_unpacked(params, NULL);
    free_message(message);
    send_request_close(&request);
    assert_null(request);
    send_request_close(&request);
}

static void
test_config_without_file_path(void **state)
{
    (void)state;
    struct send_request *request = OPEN("--name", "n");
    Metric__HandleMetricRequest *message = call_message(request, 1);
    assert_string_equal(message->adapter_config->type_url,
                        "type.googleapis.com/adapter.mygrpcadapter.config.Params");
    assert_int_equal(message->adapter_config->value.len, 0);
    free_message(message);
    send_request_close(&request);

    request = OPEN("--no-config");
    message = call_message(request, 1);
    assert_null(message->adapter_config);
    free_message(message);
    send_request_close(&request);
}

static void
test_plain_dimensions(void **state)
{
    (void)state;
    struct send_request *request =
        OPEN("--name", "n.instance.ns", "--value", "1235", "--dimension", "s=text", "--dimension",
             "e=", "--dimension", "i=int:-5", "--dimension", "d=double:1.5", "--dimension",
             "b=bool:false", "--dimension", "n=none");
    Metric__HandleMetricRequest *message = call_message(request, 1);
    assert_int_equal(message->n_instances, 1);
    const Metric__InstanceMsg *instance = message->instances[0];
    assert_string_equal(instance->name, "n.instance.ns");
    assert_int_equal(instance->value->value_case, ISTIO__POLICY__V1BETA1__VALUE__VALUE_INT64_VALUE);
    assert_int_equal(instance->value->int64_value, 1235);
    assert_int_equal(instance->n_dimensions, 6);
    assert_string_equal(dimension(instance, "s")->string_value, "text");
    assert_int_equal(dimension(instance, "e")->value_case,
                     ISTIO__POLICY__V1BETA1__VALUE__VALUE_STRING_VALUE);
    assert_string_equal(dimension(instance, "e")->string_value, "");
    assert_int_equal(dimension(instance, "i")->int64_value, -5);
    assert_true(dimension(instance, "d")->double_value == 1.5);
    assert_int_equal(dimension(instance, "b")->value_case,
                     ISTIO__POLICY__V1BETA1__VALUE__VALUE_BOOL_VALUE);
    assert_false(dimension(instance, "b")->bool_value);
    assert_null(dimension(instance, "n"));
    free_message(message);
    send_request_close(&request);
}

static void
test_wrapped_dimensions(void **state)
{
    (void)state;
    struct send_request *request =
        OPEN("--value", "none", "--dimension", "ip=ip:10.1.2.3", "--dimension",
             "t=timestamp:1969-12-31T23:59:59.5Z", "--dimension", "u=duration:-1.5s", "--dimension",
             "m=email:a@b.c", "--dimension", "h=dns:svc.local", "--dimension", "r=uri:http://x/");
    Metric__HandleMetricRequest *message = call_message(request, 1);
    const Metric__InstanceMsg *instance = message->instances[0];
    assert_null(instance->value);
    assert_int_equal(dimension(instance, "ip")->ip_address_value->value.len, 4);
    assert_memory_equal(dimension(instance, "ip")->ip_address_value->value.data, "\x0a\x01\x02\x03",
                        4);
    assert_int_equal(dimension(instance, "t")->timestamp_value->value->seconds, -1);
    assert_int_equal(dimension(instance, "t")->timestamp_value->value->nanos, 500000000);
    assert_int_equal(dimension(instance, "u")->duration_value->value->seconds, -1);
    assert_int_equal(dimension(instance, "u")->duration_value->value->nanos, -500000000);
    assert_string_equal(dimension(instance, "m")->email_address_value->value, "a@b.c");
    assert_string_equal(dimension(instance, "h")->dns_name_value->value, "svc.local");
    assert_string_equal(dimension(instance, "r")->uri_value->value, "http://x/");
    free_message(message);
    send_request_close(&request);
}

static void
test_dedup_id_counts(void **state)
{
    (void)state;
    struct send_request *request = OPEN("--count", "5");
    uint64_t first = 0;
    for (uint64_t number = 1; number <= 5; number++) {
        Metric__HandleMetricRequest *message = call_message(request, number);
        char *end;
        uint64_t id = strtoull(message->dedup_id, &end, 10);
        assert_int_equal(*end, '\0');
        assert_int_equal(strlen(message->dedup_id), 19);
        if (number == 1)
            first = id;
        assert_int_equal(id, first + number - 1);
        free_message(message);
    }
    send_request_close(&request);
}

static void
test_dedup_ids_start_anywhere(void **state)
{
    (void)state;
    struct send_request *a = OPEN("--count", "5");
    struct send_request *b = OPEN("--count", "5");
    assert_int_not_equal(a->dedup_id_first, b->dedup_id_first);
    send_request_close(&a);
    send_request_close(&b);
}

static void
test_all_calls_share_all_but_the_dedup_id(void **state)
{
    (void)state;
    struct send_request *request = OPEN("--instances", "400", "--file-path", "x");
    assert_int_equal(request->size - request->shared_size, 19);
    assert_int_equal(request->instance_count, 400);
    Metric__HandleMetricRequest *message = call_message(request, 7);
    assert_int_equal(message->n_instances, 400);
    free_message(message);
    send_request_close(&request);
}

static void
test_unique_numbers_each_instance(void **state)
{
    (void)state;
    struct send_request *request =
        OPEN("--unique", "--instances", "3", "--name", "a-name-of-some-length", "--dimension",
             "x=9223372036854775807", "--dimension", "y=int:9223372036854775807");
    static const uint64_t numbers[] = {1, 2, 127, 128, 16384, 1000000, SEND_COUNT_MAX};
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        Metric__HandleMetricRequest *message = call_message(request, numbers[i]);
        assert_int_equal(message->n_instances, 3);
        for (size_t j = 0; j < 3; j++) {
            const Metric__InstanceMsg *instance = message->instances[j];
            assert_string_equal(instance->name, "a-name-of-some-length");
            assert_int_equal(instance->n_dimensions, 3);
            assert_int_equal(dimension(instance, "call")->int64_value, numbers[i]);
            assert_int_equal(dimension(instance, "y")->int64_value, INT64_MAX);
        }
        assert_int_equal(strtoull(message->dedup_id, NULL, 10),
                         request->dedup_id_first + numbers[i] - 1);
        free_message(message);
    }
    send_request_close(&request);
}

static void
test_unique_without_a_name(void **state)
{
    (void)state;
    struct send_request *request = OPEN("--unique", "--name", "", "--value", "none", "--no-config");
    Metric__HandleMetricRequest *message = call_message(request, 300);
    assert_string_equal(message->instances[0]->name, "");
    assert_int_equal(dimension(message->instances[0], "call")->int64_value, 300);
    free_message(message);
    send_request_close(&request);
}

static void
test_request_file_is_sent_as_it_is(void **state)
{
    (void)state;
    struct send_request *request = OPEN("--request", "tests/golden/0000-post.pb");
    FILE *file = fopen("tests/golden/0000-post.pb", "rb");
    assert_non_null(file);
    uint8_t wanted[4096];
    size_t size = fread(wanted, 1, sizeof(wanted), file);
    (void)fclose(file);
    assert_int_equal(request->size, size);
    assert_int_equal(request->shared_size, size);
    assert_memory_equal(request->bytes, wanted, size);
    assert_int_equal(request->instance_count, 1);
    send_request_write(request, 2, NULL);
    send_request_close(&request);

    request = OPEN("--request", "tests/golden/0005-empty-request.pb");
    assert_int_equal(request->size, 0);
    assert_int_equal(request->instance_count, 0);
    send_request_close(&request);
}

static void
test_request_file_larger_than_one_read(void **state)
{
    (void)state;
    char path[] = "/tmp/send_request_test.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static uint8_t block[100000];
    memset(block, 0xff, sizeof(block));
    for (int i = 0; i < 3; i++)
        assert_int_equal(write(fd, block, sizeof(block)), sizeof(block));
    (void)close(fd);
    struct send_request *request = OPEN("--request", path);
    assert_int_equal(request->size, 3 * sizeof(block));
    assert_int_equal(request->instance_count, 0); /* what it holds is no request */
    send_request_close(&request);
    (void)unlink(path);
}

static void
test_request_file_that_cannot_be_read(void **state)
{
    (void)state;
    struct send_options options = {.request_file = "tests/golden/no-such-file"};
    struct send_request *request = NULL;
    assert_int_equal(send_request_open(&request, &options), -ENOENT);
    options.request_file = "tests";
    assert_int_equal(send_request_open(&request, &options), -EISDIR);
    assert_null(request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config_with_file_path),
        cmocka_unit_test(test_config_without_file_path),
        cmocka_unit_test(test_plain_dimensions),
        cmocka_unit_test(test_wrapped_dimensions),
        cmocka_unit_test(test_dedup_id_counts),
        cmocka_unit_test(test_dedup_ids_start_anywhere),
        cmocka_unit_test(test_all_calls_share_all_but_the_dedup_id),
        cmocka_unit_test(test_unique_numbers_each_instance),
        cmocka_unit_test(test_unique_without_a_name),
        cmocka_unit_test(test_request_file_is_sent_as_it_is),
        cmocka_unit_test(test_request_file_larger_than_one_read),
        cmocka_unit_test(test_request_file_that_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
