/* send_instance_test.c -- every kind of value in the message that is packed of it. */
#include "tests/unit/scratch.h"

#include "metric.pb-c.h"

#include "commands/send/send_instance.h"
#include "commands/send/send_options.h"

#define CASE(name) ISTIO__POLICY__V1BETA1__VALUE__VALUE_##name

/* Makes an instance with that value, packs it, and unpacks it again; the caller frees. */
static Metric__InstanceMsg *
round_trip(const struct send_options *options)
{
    struct send_instance *instance = NULL;
    assert_int_equal(send_instance_open(&instance, options), 0);
    Metric__InstanceMsg *message = send_instance_message(instance);
    size_t size = metric__instance_msg__get_packed_size(message);
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    assert_int_equal(metric__instance_msg__pack(message, bytes), size);
    Metric__InstanceMsg *unpacked = metric__instance_msg__unpack(NULL, size, bytes);
    assert_non_null(unpacked);
    free(bytes);
    send_instance_close(&instance);
    assert_null(instance);
    send_instance_close(&instance);
    return unpacked;
}

static void
free_message(Metric__InstanceMsg *message)
{
    metric__instance_msg__free_unpacked(message, NULL);
}

static void
test_no_value(void **state)
{
    (void)state;
    const struct send_options options = {.name = "n", .value = {.kind = SEND_VALUE_NONE}};
    Metric__InstanceMsg *message = round_trip(&options);
    assert_string_equal(message->name, "n");
    assert_null(message->value);
    assert_int_equal(message->n_dimensions, 0);
    free_message(message);
}

/* The value of an instance of that value. */
#define VALUE(...) round_trip(&(struct send_options){.name = "n", .value = {__VA_ARGS__}})

static void
test_plain_values(void **state)
{
    (void)state;
    Metric__InstanceMsg *message = VALUE(.kind = SEND_VALUE_STRING, .text = "text");
    assert_int_equal(message->value->value_case, CASE(STRING_VALUE));
    assert_string_equal(message->value->string_value, "text");
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_INT64, .integer = INT64_MIN);
    assert_int_equal(message->value->value_case, CASE(INT64_VALUE));
    assert_true(message->value->int64_value == INT64_MIN);
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_DOUBLE, .number = -0.25);
    assert_int_equal(message->value->value_case, CASE(DOUBLE_VALUE));
    assert_true(message->value->double_value == -0.25);
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_BOOL, .integer = 1);
    assert_int_equal(message->value->value_case, CASE(BOOL_VALUE));
    assert_true(message->value->bool_value);
    free_message(message);
}

static void
test_wrapped_values(void **state)
{
    (void)state;
    Metric__InstanceMsg *message =
        VALUE(.kind = SEND_VALUE_IP_ADDRESS, .address = {10, 1, 2, 3}, .address_size = 4);
    assert_int_equal(message->value->value_case, CASE(IP_ADDRESS_VALUE));
    assert_int_equal(message->value->ip_address_value->value.len, 4);
    assert_memory_equal(message->value->ip_address_value->value.data, "\x0a\x01\x02\x03", 4);
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_TIMESTAMP, .integer = -1, .nanos = 5);
    assert_int_equal(message->value->value_case, CASE(TIMESTAMP_VALUE));
    assert_int_equal(message->value->timestamp_value->value->seconds, -1);
    assert_int_equal(message->value->timestamp_value->value->nanos, 5);
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_DURATION, .integer = 7, .nanos = 8);
    assert_int_equal(message->value->value_case, CASE(DURATION_VALUE));
    assert_int_equal(message->value->duration_value->value->seconds, 7);
    assert_int_equal(message->value->duration_value->value->nanos, 8);
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_EMAIL_ADDRESS, .text = "a@b.c");
    assert_int_equal(message->value->value_case, CASE(EMAIL_ADDRESS_VALUE));
    assert_string_equal(message->value->email_address_value->value, "a@b.c");
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_DNS_NAME, .text = "svc.local");
    assert_int_equal(message->value->value_case, CASE(DNS_NAME_VALUE));
    assert_string_equal(message->value->dns_name_value->value, "svc.local");
    free_message(message);
    message = VALUE(.kind = SEND_VALUE_URI, .text = "http://x/");
    assert_int_equal(message->value->value_case, CASE(URI_VALUE));
    assert_string_equal(message->value->uri_value->value, "http://x/");
    free_message(message);
}

/* In their order; the one of --unique is the last, and has room for any number. */
static void
test_dimensions(void **state)
{
    (void)state;
    char keys[][2] = {"b", "a"};
    struct send_dimension dimensions[] = {
        {.key = keys[0], .value = {.kind = SEND_VALUE_STRING, .text = "x"}},
        {.key = keys[1], .value = {.kind = SEND_VALUE_NONE}},
    };
    const struct send_options options = {.name = "n",
                                         .value = {.kind = SEND_VALUE_NONE},
                                         .dimensions = dimensions,
                                         .dimension_count = 2,
                                         .unique = true};
    Metric__InstanceMsg *message = round_trip(&options);
    assert_int_equal(message->n_dimensions, 3);
    assert_string_equal(message->dimensions[0]->key, "b");
    assert_string_equal(message->dimensions[0]->value->string_value, "x");
    assert_string_equal(message->dimensions[1]->key, "a");
    assert_null(message->dimensions[1]->value);
    assert_string_equal(message->dimensions[2]->key, SEND_UNIQUE_KEY);
    assert_true(message->dimensions[2]->value->int64_value == SEND_INSTANCE_CALL_PLACEHOLDER);
    free_message(message);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_value),
        cmocka_unit_test(test_plain_values),
        cmocka_unit_test(test_wrapped_values),
        cmocka_unit_test(test_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
