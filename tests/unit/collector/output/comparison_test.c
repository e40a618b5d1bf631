/* comparison_test.c -- whatever a kill, a loss of power and strangers have left, what is found
 * standing and what is then written make each record stand once, whole and in order. */
#include "tests/unit/scratch.h"

#include <sys/uio.h>

#include "collector/output/comparison.h"

#define FILE_BYTES_MAX 512
#define RECORDS_MAX 4

struct file {
    char bytes[FILE_BYTES_MAX];
    size_t size;
};

static struct iovec
text(const char *string)
{
    return (struct iovec){bytes_unconst(string), strlen(string)};
}

static void
append(struct file *file, const void *data, size_t size)
{
    assert_true(file->size + size <= sizeof(file->bytes));
    if (size > 0)
        memcpy(file->bytes + file->size, data, size);
    file->size += size;
}

/* Does with the file what recovery does. */
static struct comparison
complete(struct file *file, const struct iovec *records, size_t count)
{
    struct comparison made =
        comparison_make(records, count, (struct bytes){file->bytes, file->size});
    if (made.hole != SIZE_MAX) {
        size_t end = file->size;
        file->size = 0;
        for (size_t i = 0; i < count; i++)
            append(file, records[i].iov_base, records[i].iov_len);
        file->size = file->size > end ? file->size : end;
        return made;
    }
    for (size_t i = made.records; i < count; i++) {
        size_t skip = i == made.records ? made.torn_bytes : 0;
        append(file, (const char *)records[i].iov_base + skip, records[i].iov_len - skip);
    }
    return made;
}

static void
check(const char *tail, const struct iovec *records, size_t count, const char *expected)
{
    struct file file = {.size = 0};
    append(&file, tail, strlen(tail));
    (void)complete(&file, records, count);
    assert_int_equal(file.size, strlen(expected));
    assert_memory_equal(file.bytes, expected, file.size);
}

static void
test_by_hand(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("one;"), text("two;"), text("two;"), text("end;")};
    check("", batch, 4, "one;two;two;end;");
    check("one;two;two;end;", batch, 4, "one;two;two;end;");
    check("one;tw", batch, 4, "one;two;two;end;");
    check("one;two;", batch, 4, "one;two;two;end;");
    check("XX", batch, 4, "XXone;two;two;end;");
    check("XXone;tw", batch, 4, "XXone;two;two;end;");
    check("XXone;YYtwo;ZZ", batch, 4, "XXone;YYtwo;ZZtwo;end;");
    check("one;twXX", batch, 4, "one;twXXtwo;two;end;");
    check("one;two;two;end;XX", batch, 4, "one;two;two;end;XX");
    check("onXX", batch, 4, "onXXone;two;two;end;");
}

/* Two records that begin alike, one of which is the beginning of the other. */
static void
test_records_that_look_alike(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("aa"), text("aab"), text("a")};
    check("a", batch, 3, "aaaaba");
    check("aa", batch, 3, "aaaaba");
    check("aaa", batch, 3, "aaaaba");
    check("aaaa", batch, 3, "aaaaba");
    check("aaaab", batch, 3, "aaaaba");
    check("aaaaba", batch, 3, "aaaaba");
}

static void
test_strangers_are_said(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("one;"), text("two;")};
    assert_false(comparison_make(batch, 2, (struct bytes){"", 0}).strangers);
    assert_false(comparison_make(batch, 2, (struct bytes){"one;t", 5}).strangers);
    assert_false(comparison_make(batch, 2, (struct bytes){"one;two;", 8}).strangers);
    assert_true(comparison_make(batch, 2, (struct bytes){"one;two;X", 9}).strangers);
    assert_true(comparison_make(batch, 2, (struct bytes){"Xone;two;", 9}).strangers);
    assert_true(comparison_make(batch, 2, (struct bytes){"one;Xt", 6}).strangers);
    assert_true(comparison_make(batch, 2, (struct bytes){"one;tX", 6}).strangers);
}

/* Zeros where the batch should stand are the batch's place; zeros anywhere else are a
 * stranger's. */
static void
test_zeros(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("one;"), text("two;")};
    struct comparison made = comparison_make(batch, 2, (struct bytes){"on\0\0two;", 8});
    assert_int_equal(made.hole, 2);
    made = comparison_make(batch, 2, (struct bytes){"\0\0\0\0\0\0\0\0X", 9});
    assert_int_equal(made.hole, 0);
    made = comparison_make(batch, 2, (struct bytes){"\0\0\0", 3});
    assert_int_equal(made.hole, 0);
    made = comparison_make(batch, 2, (struct bytes){"\0\0X\0two;", 8});
    assert_int_equal(made.hole, SIZE_MAX);
    assert_int_equal(made.records, 0);
    made = comparison_make(batch, 2, (struct bytes){"one;two;\0\0", 10});
    assert_int_equal(made.hole, SIZE_MAX);
    assert_int_equal(made.records, 2);
    assert_true(made.strangers);
}

/* ---- all that can happen to small batches */

static uint32_t random_state = 1;

static uint32_t
below(uint32_t limit)
{
    random_state = random_state * 1664525U + 1013904223U;
    return (random_state >> 8) % limit;
}

static void
make_batch(char texts[RECORDS_MAX][8], struct iovec *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t size = 1 + below(4);
        for (size_t j = 0; j < size; j++)
            texts[i][j] = (char)('a' + (char)below(2)); /* many look alike */
        texts[i][size] = '\0';
        records[i] = text(texts[i]);
    }
}

static void
append_strangers(struct file *file)
{
    for (uint32_t i = below(3); i > 0; i--)
        append(file, &"XYZ"[below(3)], 1);
}

/* Each record, in order, whole, and nothing of the batch left over but what was torn by
 * strangers. */
static void
check_exactly_once(const struct file *file, const struct iovec *records, size_t count, size_t torn)
{
    size_t at = 0;
    size_t ours = 0;
    size_t bytes = 0;
    for (size_t i = 0; i < file->size; i++)
        ours += file->bytes[i] >= 'a' ? 1 : 0;
    for (size_t i = 0; i < count; i++) {
        const char *found =
            memmem(file->bytes + at, file->size - at, records[i].iov_base, records[i].iov_len);
        assert_non_null(found);
        at = (size_t)(found - file->bytes) + records[i].iov_len;
        bytes += records[i].iov_len;
    }
    assert_true(ours >= bytes && ours <= bytes + torn);
}

/* A batch is appended in pieces of whole records, strangers write between, a kill cuts the last
 * piece at any byte, and strangers may write behind. Their bytes are none of the batch's. */
static void
test_any_cut_among_strangers(void **state)
{
    (void)state;
    for (int round = 0; round < 200000; round++) {
        char texts[RECORDS_MAX][8];
        struct iovec records[RECORDS_MAX];
        struct file file = {.size = 0};
        size_t count = 1 + below(RECORDS_MAX);
        make_batch(texts, records, count);
        append_strangers(&file);
        size_t whole = below((uint32_t)count + 1);
        for (size_t i = 0; i < whole; i++) {
            append(&file, records[i].iov_base, records[i].iov_len);
            if (below(3) == 0)
                append_strangers(&file);
        }
        size_t torn = whole < count ? below((uint32_t)records[whole].iov_len) : 0;
        if (torn > 0)
            append(&file, records[whole].iov_base, torn);
        size_t before = file.size;
        append_strangers(&file);
        bool behind = file.size > before;
        (void)complete(&file, records, count);
        check_exactly_once(&file, records, count, behind ? torn : 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_records_that_look_alike),
        cmocka_unit_test(test_strangers_are_said),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_any_cut_among_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
