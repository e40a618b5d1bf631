/* segments_listing_test.c -- which files of a segment directory are listed, in what order, and
 * found again under the names they have by then. */
#include "tests/unit/scratch.h"

#include "commands/segments/segments_listing.h"

#define LEDGER "ledger-0123456789abcdef0123456789abcdef"
#define NAME_0 "00000-0000000007-0000000000"
#define NAME_1 "00000-0000000007-0000000001"

static void
make_directory(const struct scratch *scratch, const char *name)
{
    assert_int_equal(mkdirat(scratch->fd, name, 0700), 0);
}

static void
expect_listed(int directory_fd, const char *const *names)
{
    struct segments_listing listing;
    assert_int_equal(segments_listing_read(&listing, directory_fd), 0);
    size_t count = 0;
    for (; names[count] != NULL; count++) {
        assert_true(count < listing.count);
        assert_string_equal(listing.files[count].name, names[count]);
    }
    assert_int_equal(listing.count, count);
    segments_listing_close(&listing);
    segments_listing_close(&listing);
}

static void
test_lists_what_belongs_there(void **state)
{
    static const char *const files[] = {"lock",
                                        "README",
                                        LEDGER,
                                        LEDGER ".new",
                                        NAME_1 ".open",
                                        NAME_0 ".sealed",
                                        "00001-0000000006-0000000000.new",
                                        "quarantine/" NAME_0 ".sealed.1",
                                        "quarantine/" NAME_0 ".sealed",
                                        "quarantine/" LEDGER ".2",
                                        "quarantine/undeliverable-x",
                                        "1-7-0.open"};
    make_directory(*state, "quarantine");
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        scratch_put(*state, files[i], "", 0);
    expect_listed(((struct scratch *)*state)->fd,
                  (const char *const[]){
                      NAME_0 ".sealed", NAME_1 ".open", "00001-0000000006-0000000000.new",
                      "quarantine/" NAME_0 ".sealed", "quarantine/" NAME_0 ".sealed.1", LEDGER,
                      "quarantine/" LEDGER ".2", "quarantine/undeliverable-x", NULL});
}

static void
test_empty_directory(void **state)
{
    expect_listed(((struct scratch *)*state)->fd, (const char *const[]){NULL});
}

static bool
opens_as_itself(const char *path)
{
    bool beneath;
    int fd = segments_directory_open(path, &beneath);
    assert_true(fd >= 0);
    (void)close(fd);
    return !beneath;
}

static void
test_directory_beneath(void **state)
{
    struct scratch *scratch = *state;
    bool beneath;
    assert_true(opens_as_itself(scratch->path));
    make_directory(scratch, ".mygrpcadapter");
    assert_false(opens_as_itself(scratch->path));
    scratch_put(scratch, LEDGER, "", 0);
    assert_true(opens_as_itself(scratch->path));
    assert_int_equal(segments_directory_open("/nonexistent", &beneath), -ENOENT);
    assert_int_equal(segments_directory_open("/dev/null", &beneath), -ENOTDIR);
}

static void
test_file_is_found_under_its_next_name(void **state)
{
    struct scratch *scratch = *state;
    struct segments_listing listing;
    scratch_put(scratch, NAME_0 ".new", "", 0);
    assert_int_equal(segments_listing_read(&listing, scratch->fd), 0);
    assert_int_equal(renameat(scratch->fd, NAME_0 ".new", scratch->fd, NAME_0 ".sealed"), 0);
    int fd = segments_file_open(scratch->fd, &listing.files[0]);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_string_equal(listing.files[0].name, NAME_0 ".sealed");
    assert_int_equal(listing.files[0].state, SEGMENT_STATE_SEALED);
    assert_int_equal(unlinkat(scratch->fd, NAME_0 ".sealed", 0), 0);
    assert_int_equal(segments_file_open(scratch->fd, &listing.files[0]), -ENOENT);
    assert_int_equal(symlinkat("/dev/null", scratch->fd, NAME_0 ".sealed"), 0);
    assert_int_equal(segments_file_open(scratch->fd, &listing.files[0]), -ELOOP);
    segments_listing_close(&listing);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists_what_belongs_there, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_empty_directory, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_directory_beneath, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_file_is_found_under_its_next_name, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
