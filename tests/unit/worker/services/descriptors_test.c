/* descriptors_test.c -- what proto/ defines is found by each of its names, and nothing else is. */
#include "tests/unit/scratch.h"

#include "worker/services/descriptors.h"

static struct descriptors *
open_built_in(void)
{
    struct descriptors *descriptors = NULL;
    struct bytes set = {(const char *)descriptors_set, descriptors_set_size};
    assert_int_equal(descriptors_open(&descriptors, set), 0);
    return descriptors;
}

static void
test_symbols_are_found_in_their_files(void **state)
{
    static const struct {
        const char *symbol;
        const char *file;
    } cases[] = {
        {"metric.HandleMetricService", "metric.proto"},
        {"metric.HandleMetricService.HandleMetric", "metric.proto"},
        {"metric.InstanceMsg", "metric.proto"},
        {"metric.InstanceMsg.name", "metric.proto"},
        {"metric.InstanceMsg.DimensionsEntry", "metric.proto"},
        {"metric.InstanceMsg.DimensionsEntry.key", "metric.proto"},
        {"adapter.mygrpcadapter.config.Params", "config.proto"},
        {"istio.policy.v1beta1.ValueType", "value.proto"},
        {"istio.policy.v1beta1.STRING_MAP", "value.proto"},
        {"istio.mixer.adapter.model.v1beta1.template_name", "extensions.proto"},
        {"grpc.health.v1.Health.Watch", "health.proto"},
        {"grpc.health.v1.HealthCheckResponse.SERVING", "health.proto"},
        {"grpc.reflection.v1.ServerReflection", "reflection_v1.proto"},
        {"grpc.reflection.v1alpha.ServerReflection", "reflection_v1alpha.proto"},
        {"google.protobuf.Any", "google/protobuf/any.proto"},
    };
    static const char *const unknown[] = {"",
                                          "metric",
                                          "metric.",
                                          "metric.Instance",
                                          "metric.InstanceMsgs",
                                          "metric.InstanceMsg.",
                                          "metric.InstanceMsg.name.x",
                                          "metric.HandleMetricService.HandleMetric.x",
                                          "InstanceMsg",
                                          ".metric.InstanceMsg",
                                          "istio.policy.v1beta1.ValueType.STRING_MAP"};
    (void)state;
    struct descriptors *descriptors = open_built_in();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t found = descriptors_find_symbol(descriptors, cases[i].symbol);
        assert_int_not_equal(found, DESCRIPTORS_NONE);
        assert_int_equal(found, descriptors_find_file(descriptors, cases[i].file));
    }
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        assert_int_equal(descriptors_find_symbol(descriptors, unknown[i]), DESCRIPTORS_NONE);
    assert_int_equal(descriptors_find_file(descriptors, "nobody.proto"), DESCRIPTORS_NONE);
    descriptors_close(&descriptors);
    assert_null(descriptors);
    descriptors_close(&descriptors);
}

static void
test_a_file_comes_with_all_it_imports_itself_first(void **state)
{
    struct bytes closure[DESCRIPTORS_FILES_MAX];
    (void)state;
    struct descriptors *descriptors = open_built_in();
    size_t file = descriptors_find_file(descriptors, "metric.proto");
    /* any, extensions, report, value; descriptor behind extensions; duration, timestamp behind
     * value. */
    assert_int_equal(descriptors_closure(descriptors, file, closure), 8);
    assert_memory_equal(closure[0].data, "\x0a\x0cmetric.proto", 14);
    file = descriptors_find_file(descriptors, "health.proto");
    assert_int_equal(descriptors_closure(descriptors, file, closure), 1);
    assert_memory_equal(closure[0].data, "\x0a\x0chealth.proto", 14);
    descriptors_close(&descriptors);
}

static void
test_extensions(void **state)
{
    static const char options[] = "google.protobuf.FileOptions";
    int32_t numbers[4] = {0};
    (void)state;
    struct descriptors *descriptors = open_built_in();
    size_t file = descriptors_find_file(descriptors, "extensions.proto");
    assert_int_equal(descriptors_find_extension(descriptors, options, 72295888), file);
    assert_int_equal(descriptors_find_extension(descriptors, options, 1), DESCRIPTORS_NONE);
    assert_int_equal(
        descriptors_find_extension(descriptors, "google.protobuf.FileOption", 72295888),
        DESCRIPTORS_NONE);
    assert_int_equal(descriptors_extensions(descriptors, options, numbers, 4), 2);
    assert_int_equal(numbers[0] + numbers[1], 72295727 + 72295888);
    assert_int_equal(descriptors_extensions(descriptors, options, numbers, 1), 1);
    assert_int_equal(descriptors_extensions(descriptors, "metric.InstanceMsg", numbers, 4), 0);
    descriptors_close(&descriptors);
}

static void
test_services(void **state)
{
    const char *package = NULL;
    const char *name = NULL;
    (void)state;
    struct descriptors *descriptors = open_built_in();
    assert_int_equal(descriptors_service(descriptors, 0, &package, &name), 0);
    assert_string_equal(package, "metric");
    assert_string_equal(name, "HandleMetricService");
    assert_int_equal(descriptors_service(descriptors, 3, &package, &name), 0);
    assert_int_equal(descriptors_service(descriptors, 4, &package, &name), -ENOENT);
    descriptors_close(&descriptors);
}

/* No part of a set is taken for a whole one, and none makes it read beyond its end. */
static void
test_what_is_cut_off_is_no_set(void **state)
{
    (void)state;
    size_t whole = 0; /* sets of fewer files */
    for (size_t size = 0; size < descriptors_set_size; size++) {
        struct descriptors *descriptors = NULL;
        char *copy = malloc(size + 1);
        assert_non_null(copy);
        memcpy(copy, descriptors_set, size);
        int result = descriptors_open(&descriptors, (struct bytes){copy, size});
        assert_true(result == 0 || result == -EBADMSG);
        whole += result == 0 ? 1 : 0;
        descriptors_close(&descriptors);
        free(copy);
    }
    assert_int_equal(whole, 12); /* of 0 to 11 files */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_symbols_are_found_in_their_files),
        cmocka_unit_test(test_a_file_comes_with_all_it_imports_itself_first),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_services),
        cmocka_unit_test(test_what_is_cut_off_is_no_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
