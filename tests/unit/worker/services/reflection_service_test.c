/* reflection_service_test.c -- each question about the services and their types has its answer, and
 * what is no question ends the stream. */
#include "tests/unit/worker/services/fake_stream.h"

#include "reflection_v1.pb-c.h"
#include "worker/services/reflection_service.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1__ServerReflectionResponse reflection_response;
#define REQUEST(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define RESPONSE(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

struct fixture {
    struct methods methods;
    struct reflection_service *service;
    struct stream stream;
    reflection_request request;
    reflection_response *response;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    grpc__reflection__v1__server_reflection_request__init(&f->request);
    assert_int_equal(reflection_service_open(&f->service, &f->methods), 0);
    *state = f;
    return 0;
}

static void
drop_response(struct fixture *f)
{
    if (f->response != NULL)
        grpc__reflection__v1__server_reflection_response__free_unpacked(f->response, NULL);
    f->response = NULL;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    drop_response(f);
    reflection_service_close(&f->service);
    assert_null(f->service);
    reflection_service_close(&f->service);
    free(f);
    return 0;
}

static void
take(struct fixture *f, struct bytes message)
{
    const struct stream_method *method = &f->methods.streams[0];
    method->message(method->context, &f->stream, message);
}

/* Asks what f->request asks, and expects an answer of that kind. */
static void
ask(struct fixture *f, int kind)
{
    uint8_t packed[32768];
    size_t before = f->stream.sent;
    drop_response(f);
    size_t size = grpc__reflection__v1__server_reflection_request__pack(&f->request, packed);
    take(f, (struct bytes){(const char *)packed, size});
    assert_int_equal(f->stream.sent, before + 1);
    assert_false(f->stream.ended);
    f->response = grpc__reflection__v1__server_reflection_response__unpack(
        NULL, f->stream.message_bytes, (const uint8_t *)f->stream.message);
    assert_non_null(f->response);
    assert_int_equal(f->response->message_response_case, kind);
}

static void
expect_no_such_thing(struct fixture *f)
{
    ask(f, RESPONSE(ERROR_RESPONSE));
    assert_int_equal(f->response->error_response->error_code, GRPC_STATUS_NOT_FOUND);
}

/* How many files the answer has, the first of which says that name near its begin. */
static size_t
files_from(const struct fixture *f, const char *name)
{
    const Grpc__Reflection__V1__FileDescriptorResponse *files =
        f->response->file_descriptor_response;
    assert_true(files->n_file_descriptor_proto > 0);
    const ProtobufCBinaryData *first = &files->file_descriptor_proto[0];
    assert_int_equal(first->data[0], 0x0a);
    assert_int_equal(first->data[1], strlen(name));
    assert_memory_equal(first->data + 2, name, strlen(name));
    return files->n_file_descriptor_proto;
}

static void
test_both_versions_are_there(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->methods.stream_count, 2);
    assert_string_equal(f->methods.streams[0].path,
                        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    assert_string_equal(f->methods.streams[1].path,
                        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo");
    assert_ptr_equal(f->methods.streams[0].context, f->methods.streams[1].context);
}

static void
test_services_are_listed(void **state)
{
    struct fixture *f = *state;
    static const char *const expected[] = {"metric.HandleMetricService", "grpc.health.v1.Health",
                                           "grpc.reflection.v1.ServerReflection",
                                           "grpc.reflection.v1alpha.ServerReflection"};
    f->request.message_request_case = REQUEST(LIST_SERVICES);
    f->request.list_services = bytes_unconst("*");
    ask(f, RESPONSE(LIST_SERVICES_RESPONSE));
    const Grpc__Reflection__V1__ListServiceResponse *list = f->response->list_services_response;
    assert_int_equal(list->n_service, 4);
    for (size_t i = 0; i < 4; i++) {
        size_t at = 0;
        while (at < 4 && strcmp(list->service[at]->name, expected[i]) != 0)
            at++;
        assert_true(at < 4);
    }
}

static void
test_a_file_is_found_by_its_name(void **state)
{
    struct fixture *f = *state;
    f->request.message_request_case = REQUEST(FILE_BY_FILENAME);
    f->request.file_by_filename = bytes_unconst("health.proto");
    ask(f, RESPONSE(FILE_DESCRIPTOR_RESPONSE));
    assert_int_equal(files_from(f, "health.proto"), 1);
    f->request.file_by_filename = bytes_unconst("nobody.proto");
    expect_no_such_thing(f);
}

static void
test_a_symbol_brings_its_file_and_what_that_imports(void **state)
{
    struct fixture *f = *state;
    f->request.message_request_case = REQUEST(FILE_CONTAINING_SYMBOL);
    f->request.file_containing_symbol = bytes_unconst("metric.InstanceMsg");
    ask(f, RESPONSE(FILE_DESCRIPTOR_RESPONSE));
    assert_true(files_from(f, "metric.proto") > 3);
    f->request.file_containing_symbol = bytes_unconst("metric.Nobody");
    expect_no_such_thing(f);
}

static void
test_extensions_are_found_by_type_and_number(void **state)
{
    struct fixture *f = *state;
    Grpc__Reflection__V1__ExtensionRequest extension =
        GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
    f->request.message_request_case = REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE);
    f->request.all_extension_numbers_of_type = bytes_unconst("google.protobuf.FileOptions");
    ask(f, RESPONSE(ALL_EXTENSION_NUMBERS_RESPONSE));
    const Grpc__Reflection__V1__ExtensionNumberResponse *numbers =
        f->response->all_extension_numbers_response;
    assert_string_equal(numbers->base_type_name, "google.protobuf.FileOptions");
    assert_true(numbers->n_extension_number > 0);
    extension.containing_type = bytes_unconst("google.protobuf.FileOptions");
    extension.extension_number = numbers->extension_number[0];

    f->request.message_request_case = REQUEST(FILE_CONTAINING_EXTENSION);
    f->request.file_containing_extension = &extension;
    ask(f, RESPONSE(FILE_DESCRIPTOR_RESPONSE));
    (void)files_from(f, "extensions.proto");
    extension.extension_number = 1;
    expect_no_such_thing(f);

    f->request.message_request_case = REQUEST(ALL_EXTENSION_NUMBERS_OF_TYPE);
    f->request.all_extension_numbers_of_type = bytes_unconst("metric.Nobody");
    expect_no_such_thing(f);
}

static void
test_an_answer_has_its_question(void **state)
{
    struct fixture *f = *state;
    f->request.host = bytes_unconst("somewhere");
    f->request.message_request_case = REQUEST(FILE_BY_FILENAME);
    f->request.file_by_filename = bytes_unconst("metric.proto");
    ask(f, RESPONSE(FILE_DESCRIPTOR_RESPONSE));
    assert_string_equal(f->response->valid_host, "somewhere");
    assert_string_equal(f->response->original_request->file_by_filename, "metric.proto");
}

static void
test_a_request_that_asks_nothing_is_answered_so(void **state)
{
    struct fixture *f = *state;
    ask(f, RESPONSE(ERROR_RESPONSE));
    assert_int_equal(f->response->error_response->error_code, GRPC_STATUS_INVALID_ARGUMENT);
}

static void
test_the_end_of_the_client_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    take(f, (struct bytes){NULL, 0});
    assert_true(f->stream.ended);
    assert_int_equal(f->stream.status, GRPC_STATUS_OK);
    assert_int_equal(f->stream.sent, 0);
}

static void
expect_refused(struct fixture *f, struct bytes message)
{
    f->stream.ended = false;
    take(f, message);
    assert_true(f->stream.ended);
    assert_int_equal(f->stream.status, GRPC_STATUS_INVALID_ARGUMENT);
    assert_int_equal(f->stream.sent, 0);
}

static void
test_what_does_not_decode_or_is_too_large_ends_the_stream(void **state)
{
    struct fixture *f = *state;
    static char large[20000] = "\x0a\x9b\x9c\x01"; /* host, of all the rest */
    memset(large + 4, 'x', sizeof(large) - 4);
    expect_refused(f, (struct bytes){"\x0a\x7f", 2});
    expect_refused(f, (struct bytes){large, sizeof(large)});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_both_versions_are_there),
        TEST(test_services_are_listed),
        TEST(test_a_file_is_found_by_its_name),
        TEST(test_a_symbol_brings_its_file_and_what_that_imports),
        TEST(test_extensions_are_found_by_type_and_number),
        TEST(test_an_answer_has_its_question),
        TEST(test_a_request_that_asks_nothing_is_answered_so),
        TEST(test_the_end_of_the_client_ends_the_stream),
        TEST(test_what_does_not_decode_or_is_too_large_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
