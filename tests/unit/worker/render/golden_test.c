/* golden_test.c -- requests against what the Go adapter wrote for them and against what
 * protobuf-c makes of them, and maps that a hostile client could send. Runs in the root of the
 * repository. */
#include "worker/render/go_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/protobuf_c.h"
#include "worker/call_refusal.h"
#include "worker/decode/request.h"
#include "worker/render/text.h"

#define GOLDEN "tests/golden"
#define HEAD "HandleMetric invoked with:\n  Adapter config: &Params{FilePath:,}\n  Instances: "

static struct request *request;
static struct text *text;
static struct call_refusal refusal;
static size_t repacked; /* requests that protobuf-c took too */

static int
open_both(void **state)
{
    (void)state;
    if (request_open(&request, (size_t)16 << 20) != 0)
        return -1;
    return text_open(&text, (size_t)64 << 20, (size_t)1 << 20);
}

static int
close_both(void **state)
{
    (void)state;
    request_close(&request);
    text_close(&text);
    return 0;
}

static bool
decode_and_render(struct bytes wire, enum go_text_ending ending)
{
    text_reset(text);
    return request_begin(request, wire, &refusal) &&
           go_text_render(text, request, ending, &refusal);
}

/* Bytes to be freed. */
struct owned {
    char *data;
    size_t size;
};

static struct bytes
borrow(struct owned owned)
{
    return (struct bytes){owned.data, owned.size};
}

/* False if there is no such file. */
static bool
read_golden(const char *name, const char *extension, struct owned *out)
{
    char path[512];
    (void)snprintf(path, sizeof(path), GOLDEN "/%s.%s", name, extension);
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return false;
    static char buffer[1 << 20];
    size_t size = fread(buffer, 1, sizeof(buffer), file);
    assert_true(size < sizeof(buffer));
    (void)fclose(file);
    char *copy = malloc(size + 1);
    memcpy(copy, buffer, size);
    *out = (struct owned){copy, size};
    return true;
}

/* The text that is made of `wire` after protobuf-c has read and written it. It ends strings at a
 * NUL byte: where there is one, or where it takes the request for malformed, nothing is checked.
 * Returns whether it was. */
static bool
check_repacked(struct bytes wire, struct bytes expected)
{
    struct bytes packed;
    if (memchr(expected.data, '\0', expected.size) != NULL || !protobuf_c_repack(wire, &packed))
        return false;
    assert_true(decode_and_render(packed, GO_TEXT_FOR_FILE));
    assert_true(bytes_equal(text_bytes(text), expected));
    free(bytes_unconst(packed.data));
    return true;
}

static void
check_golden(const char *name)
{
    struct owned wire = {0};
    struct owned expected = {0};
    assert_true(read_golden(name, "pb", &wire));
    bool accepted = decode_and_render(borrow(wire), GO_TEXT_FOR_FILE);
    if (read_golden(name, "txt", &expected)) {
        if (!accepted || !bytes_equal(text_bytes(text), borrow(expected)))
            print_error("%s differs: %s\n", name, refusal.text);
        assert_true(accepted);
        assert_true(bytes_equal(text_bytes(text), borrow(expected)));
        repacked += check_repacked(borrow(wire), borrow(expected));
    } else {
        assert_true(read_golden(name, "err", &expected));
        assert_false(accepted);
        assert_int_equal(refusal.cause, REFUSAL_MALFORMED);
    }
    free(wire.data);
    free(expected.data);
}

static void
golden_requests(void **state)
{
    (void)state;
    DIR *directory = opendir(GOLDEN);
    assert_non_null(directory);
    size_t count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        char name[sizeof(entry->d_name)];
        size_t size = strlen(entry->d_name);
        if (size < 3 || strcmp(entry->d_name + size - 3, ".pb") != 0)
            continue;
        memcpy(name, entry->d_name, size - 3);
        name[size - 3] = '\0';
        check_golden(name);
        count++;
    }
    (void)closedir(directory);
    assert_true(count > 100);
    assert_true(repacked > 90);
}

static void
ending_for_stdout(void **state)
{
    (void)state;
    assert_true(decode_and_render((struct bytes){NULL, 0}, GO_TEXT_FOR_STDOUT));
    assert_true(
        bytes_equal(text_bytes(text), (struct bytes){HEAD "\n\n", sizeof(HEAD "\n\n") - 1}));
}

/* ---- one instance with many dimensions; key i is made by a function of i */

#define KEY_BYTES_MAX 64
typedef void (*key_maker)(char key[KEY_BYTES_MAX], size_t i, size_t count);

static void
key_ascending(char key[KEY_BYTES_MAX], size_t i, size_t count)
{
    (void)count;
    (void)snprintf(key, KEY_BYTES_MAX, "%08zu", i);
}

static void
key_descending(char key[KEY_BYTES_MAX], size_t i, size_t count)
{
    (void)snprintf(key, KEY_BYTES_MAX, "%08zu", count - 1 - i);
}

static void
key_shuffled(char key[KEY_BYTES_MAX], size_t i, size_t count)
{
    /* A prime above any count used, so that the keys differ. */
    (void)count;
    (void)snprintf(key, KEY_BYTES_MAX, "shared-prefix-%08zu", i * 7919 % 1000003);
}

static void
key_equal(char key[KEY_BYTES_MAX], size_t i, size_t count)
{
    (void)i;
    (void)count;
    (void)snprintf(key, KEY_BYTES_MAX, "the-same-key");
}

/* Pairs of equal keys, the pairs in falling order. */
static void
key_paired(char key[KEY_BYTES_MAX], size_t i, size_t count)
{
    (void)snprintf(key, KEY_BYTES_MAX, "%08zu", (count - 1 - i) / 2);
}

static size_t
put_varint(char *at, size_t number)
{
    size_t size = 0;
    for (; number >= 0x80; number >>= 7)
        at[size++] = (char)(number | 0x80);
    at[size++] = (char)number;
    return size;
}

/* A request with one instance whose dimensions are KEY: i for each i. To be freed. */
static struct owned
make_request(key_maker make, size_t count)
{
    char *wire = malloc(count * (KEY_BYTES_MAX + 24) + 16);
    char *start = wire + 16;
    char *at = start;
    for (size_t i = 0; i < count; i++) {
        char key[KEY_BYTES_MAX];
        char value[16];
        make(key, i, count);
        size_t key_size = strlen(key);
        value[0] = '\x10';
        size_t value_size = 1 + put_varint(value + 1, i);
        at += (size_t)sprintf(at, "\x12%c\x0a%c%s\x12%c", (char)(key_size + value_size + 4),
                              (char)key_size, key, (char)value_size);
        memcpy(at, value, value_size);
        at += value_size;
    }
    size_t size = (size_t)(at - start);
    char head[16] = "\x0a";
    size_t head_size = 1 + put_varint(head + 1, size);
    memmove(wire + head_size, start, size);
    memcpy(wire, head, head_size);
    return (struct owned){wire, head_size + size};
}

struct pair {
    char key[KEY_BYTES_MAX];
    size_t number;
};

static int
compare_pairs(const void *a, const void *b)
{
    const struct pair *left = a;
    const struct pair *right = b;
    int order = strcmp(left->key, right->key);
    if (order != 0)
        return order;
    return (left->number > right->number) - (left->number < right->number);
}

/* Against qsort() by key and number: the highest number of a key is the last that was sent. */
static void
check_map(key_maker make, size_t count)
{
    struct owned wire = make_request(make, count);
    assert_true(decode_and_render(borrow(wire), GO_TEXT_FOR_FILE));
    free(wire.data);

    struct pair *pairs = calloc(count + 1, sizeof(*pairs));
    for (size_t i = 0; i < count; i++) {
        make(pairs[i].key, i, count);
        pairs[i].number = i;
    }
    qsort(pairs, count, sizeof(*pairs), compare_pairs);
    char *expected = malloc(count * (KEY_BYTES_MAX + 24) + sizeof(HEAD) + 100);
    char *at = expected;
    at += sprintf(at, "%s'':\n  {\n\t\tValue = <nil>\n\t\tDimensions = map[", HEAD);
    bool is_first = true;
    for (size_t i = 0; i < count; i++) {
        if (i + 1 < count && strcmp(pairs[i].key, pairs[i + 1].key) == 0)
            continue;
        at += sprintf(at, "%s%s:%zu", is_first ? "" : " ", pairs[i].key, pairs[i].number);
        is_first = false;
    }
    at += sprintf(at, "]\n  }\n");
    assert_true(bytes_equal(text_bytes(text), (struct bytes){expected, (size_t)(at - expected)}));
    free(expected);
    free(pairs);
}

static const key_maker makers[] = {key_ascending, key_descending, key_shuffled, key_equal,
                                   key_paired};

static void
maps_of_any_size(void **state)
{
    (void)state;
    static const size_t bigger[] = {127, 128, 129, 1000, 1024, 4097};
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
        for (size_t count = 0; count <= 100; count++)
            check_map(makers[i], count);
        for (size_t j = 0; j < sizeof(bigger) / sizeof(bigger[0]); j++)
            check_map(makers[i], bigger[j]);
    }
}

/* Sorting that is quadratic in any of these would take minutes. */
static void
hostile_maps(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
        check_map(makers[i], 200000);
}

static void
keys_are_compared_bytewise(void **state)
{
    (void)state;
    static const char dimensions[] = "\x12\x0a\x0a\x08"
                                     "aaaaaaaa"
                                     "\x12\x03\x0a\x01\xff"
                                     "\x12\x04\x0a\x02"
                                     "a\0"
                                     "\x12\x03\x0a\x01"
                                     "a"
                                     "\x12\x02\x0a\x00"
                                     "\x12\x03\x0a\x01\0"
                                     "\x12\x0b\x0a\x09"
                                     "aaaaaaaa\xff"
                                     "\x12\x0b\x0a\x09"
                                     "aaaaaaaa\x7f"
                                     "\x12\x04\x0a\x02"
                                     "a\x7f";
    static const char expected[] = HEAD "'':\n  {\n\t\tValue = <nil>\n\t\tDimensions = map[:<nil> "
                                        "\0:<nil> a:<nil> a\0:<nil> aaaaaaaa:<nil> aaaaaaaa\x7f"
                                        ":<nil> aaaaaaaa\xff:<nil> a\x7f:<nil> \xff:<nil>]\n  }\n";
    char wire[sizeof(dimensions) + 1] = "\x0a";
    wire[1] = sizeof(dimensions) - 1;
    memcpy(wire + 2, dimensions, sizeof(dimensions) - 1);
    assert_true(decode_and_render((struct bytes){wire, sizeof(dimensions) + 1}, GO_TEXT_FOR_FILE));
    assert_true(bytes_equal(text_bytes(text), (struct bytes){expected, sizeof(expected) - 1}));
}

static void
text_limit_is_told_apart(void **state)
{
    (void)state;
    struct owned wire = make_request(key_descending, 1000);
    assert_true(decode_and_render(borrow(wire), GO_TEXT_FOR_FILE));
    size_t text_needed = text_bytes(text).size;
    struct text *usual = text;
    assert_int_equal(text_open(&text, text_needed - 1, 4096), 0);
    assert_false(decode_and_render(borrow(wire), GO_TEXT_FOR_FILE));
    assert_int_equal(refusal.cause, REFUSAL_TOO_LARGE);
    text_close(&text);
    text = usual;
    free(wire.data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_requests),
        cmocka_unit_test(ending_for_stdout),
        cmocka_unit_test(maps_of_any_size),
        cmocka_unit_test(hostile_maps),
        cmocka_unit_test(keys_are_compared_bytewise),
        cmocka_unit_test(text_limit_is_told_apart),
    };
    return cmocka_run_group_tests(tests, open_both, close_both);
}
