/* comparison_test.c -- whatever a kill, a loss of power and strangers have left, what is found
 * standing and what is then written make each record stand once, whole and in order. */
#include "tests/unit/scratch.h"

#include <sys/uio.h>

#include "collector/destination/comparison.h"

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
    size_t places[RECORDS_MAX];
    struct comparison first = {0};
    for (int attempt = 0; attempt < 10; attempt++) {
        struct comparison made =
            comparison_make(records, count, (struct bytes){file->bytes, file->size}, places);
        if (attempt == 0)
            first = made;
        if (made.has_holes) {
            size_t end = file->size;
            file->size = 0;
            for (size_t i = 0; i < count && file->size < end; i++) {
                size_t left = end - file->size;
                append(file, records[i].iov_base,
                       records[i].iov_len < left ? records[i].iov_len : left);
            }
            file->size = end;
            continue;
        }
        if (made.missing == 0)
            return first;
        for (size_t i = 0; i < count; i++) {
            size_t skip = i == made.first_missing ? made.torn_bytes : 0;
            if (places[i] == COMPARISON_MISSING)
                append(file, (const char *)records[i].iov_base + skip, records[i].iov_len - skip);
        }
        return first;
    }
    fail();
    return first;
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
    check("XXend;YY", batch, 4, "XXend;YYone;two;two;");
    check("Xtwo;", batch, 4, "Xtwo;one;two;end;");
}

/* A record that is a part of another: what is torn of one is not taken for the other. */
static void
test_a_record_inside_another(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("xyz"), text("y")};
    check("xy", batch, 2, "xyzy");
    check("xyF", batch, 2, "xyFxyzy");
    check("xyz", batch, 2, "xyzy");
    check("Fxyz", batch, 2, "Fxyzy");
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

static struct comparison
compare(const struct iovec *records, size_t count, const char *tail, size_t size)
{
    size_t places[RECORDS_MAX];
    return comparison_make(records, count, (struct bytes){tail, size}, places);
}

static void
test_strangers_are_said(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("one;"), text("two;")};
    assert_false(compare(batch, 2, "", 0).strangers);
    assert_false(compare(batch, 2, "one;t", 5).strangers);
    assert_false(compare(batch, 2, "one;two;", 8).strangers);
    assert_true(compare(batch, 2, "one;two;X", 9).strangers);
    assert_true(compare(batch, 2, "Xone;two;", 9).strangers);
    assert_true(compare(batch, 2, "one;Xt", 6).strangers);
    assert_true(compare(batch, 2, "one;tX", 6).strangers);
    assert_int_equal(compare(batch, 2, "one;t", 5).torn_bytes, 1);
    assert_int_equal(compare(batch, 2, "one;Xt", 6).torn_bytes, 0);
}

/* Zeros where the batch should stand are the batch's place; zeros anywhere else are a
 * stranger's. */
static void
test_zeros(void **state)
{
    (void)state;
    const struct iovec batch[] = {text("one;"), text("two;")};
    assert_true(compare(batch, 2, "on\0\0two;", 8).has_holes);
    assert_true(compare(batch, 2, "\0\0\0\0two;", 8).has_holes);
    assert_true(compare(batch, 2, "\0\0\0\0\0\0\0\0X", 9).has_holes);
    assert_true(compare(batch, 2, "\0\0\0", 3).has_holes);
    assert_false(compare(batch, 2, "\0\0X\0two;", 8).has_holes);
    assert_int_equal(compare(batch, 2, "\0\0X\0two;", 8).missing, 1);
    assert_false(compare(batch, 2, "one;two;\0\0", 10).has_holes);
    assert_int_equal(compare(batch, 2, "one;two;\0\0", 10).missing, 0);
    assert_true(compare(batch, 2, "one;two;\0\0", 10).strangers);
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
        append_strangers(&file);
        bool alone = memchr(file.bytes, 'X', file.size) == NULL &&
                     memchr(file.bytes, 'Y', file.size) == NULL &&
                     memchr(file.bytes, 'Z', file.size) == NULL;
        (void)complete(&file, records, count);
        /* What is torn among strangers may stay, since it may be theirs. */
        check_exactly_once(&file, records, count, alone ? 0 : torn);
    }
}

/* A loss of power leaves zeros in the place of any of the batch's bytes, and a length. */
static void
test_any_loss_of_power(void **state)
{
    (void)state;
    for (int round = 0; round < 100000; round++) {
        char texts[RECORDS_MAX][8];
        struct iovec records[RECORDS_MAX];
        struct file file = {.size = 0};
        struct file expected = {.size = 0};
        size_t count = 1 + below(RECORDS_MAX);
        make_batch(texts, records, count);
        for (size_t i = 0; i < count; i++)
            append(&expected, records[i].iov_base, records[i].iov_len);
        append(&file, expected.bytes, below((uint32_t)expected.size + 1));
        for (size_t i = 0; i < file.size; i++)
            file.bytes[i] = below(3) == 0 ? '\0' : file.bytes[i];
        (void)complete(&file, records, count);
        assert_int_equal(file.size, expected.size);
        assert_memory_equal(file.bytes, expected.bytes, file.size);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_a_record_inside_another),
        cmocka_unit_test(test_records_that_look_alike),
        cmocka_unit_test(test_strangers_are_said),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_any_cut_among_strangers),
        cmocka_unit_test(test_any_loss_of_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
