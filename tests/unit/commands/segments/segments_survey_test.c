/* segments_survey_test.c -- a segment is read to its end whoever writes it, damage is found where
 * it is and only there, and a file that others cut short kills nobody. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "commands/segments/segments_survey.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

#define OPEN_NAME "00003-0000000017-0000000002.open"
#define SEALED_NAME "00003-0000000017-0000000002.sealed"
#define RECORDS 5U

static const struct segment_identity identity = {3, 17, 2};
static const struct segment_record sample = {SEGMENT_FILE, {"a", 1}, {"0123456789", 10}, 0};

/* What a survey gave out. */
struct taken {
    uint64_t count;
    uint64_t first_sequence;
    int change_fd;      /* -1: none; a file that is changed with the first record, */
    const char *change; /* to begin with these bytes at change_at, or NULL: cut to nothing */
    uint64_t change_at;
    int answer;
};

static void
change_file(const struct taken *taken)
{
    if (taken->change == NULL)
        assert_int_equal(ftruncate(taken->change_fd, 0), 0);
    else
        assert_int_equal(pwrite(taken->change_fd, taken->change, 8, (off_t)taken->change_at), 8);
}

static int
take(void *context, const struct segment_facts *facts, const struct segment_record *record,
     struct segment_position at)
{
    struct taken *taken = context;
    assert_int_equal(facts->identity.number, identity.number);
    assert_true(bytes_equal(record->name, sample.name));
    assert_true(bytes_equal(record->payload, sample.payload));
    if (taken->count == 0)
        taken->first_sequence = at.sequence;
    assert_int_equal(at.sequence, taken->first_sequence + taken->count);
    taken->count++;
    if (taken->change_fd >= 0 && taken->count == 1)
        change_file(taken);
    return taken->answer;
}

static struct segment_writer *
create_writer(const struct scratch *scratch, uint64_t file_bytes)
{
    struct segment_writer *writer = NULL;
    assert_int_equal(segment_writer_create(&writer, scratch->fd, &identity, 5, file_bytes, false),
                     0);
    return writer;
}

/* Makes a segment of RECORDS records. */
static void
make_segment(const struct scratch *scratch, bool sealed)
{
    struct segment_writer *writer = create_writer(scratch, 8192);
    for (unsigned i = 0; i < RECORDS; i++)
        segment_writer_append(writer, &sample);
    if (sealed)
        segment_writer_seal(&writer);
    else
        segment_writer_abandon(&writer);
}

static int
survey(const struct scratch *scratch, const char *name, struct segments_survey *survey_r,
       struct taken *taken)
{
    int fd = openat(scratch->fd, name, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    int result = segments_survey_file(survey_r, fd, &identity, take, taken);
    (void)close(fd);
    return result;
}

/* Surveys a file that can be read. */
static struct segments_survey
surveyed(const struct scratch *scratch, const char *name)
{
    struct segments_survey found;
    struct taken taken = {.change_fd = -1};
    assert_int_equal(survey(scratch, name, &found, &taken), 0);
    assert_int_equal(found.records, taken.count);
    assert_int_equal(found.payload_bytes, taken.count * sample.payload.size);
    return found;
}

static void
poke(const struct scratch *scratch, const char *name, uint64_t offset, const void *data,
     size_t size)
{
    int fd = openat(scratch->fd, name, O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, data, size, (off_t)offset), (ssize_t)size);
    (void)close(fd);
}

static void
test_whole_segments(void **state)
{
    make_segment(*state, false);
    struct segments_survey found = surveyed(*state, OPEN_NAME);
    assert_int_equal(found.records, RECORDS);
    assert_null(found.damage);
    assert_int_equal(segment_store_take_over(((struct scratch *)*state)->fd, &identity), 0);
    assert_int_equal(surveyed(*state, SEALED_NAME).records, RECORDS);
    assert_int_equal(unlinkat(((struct scratch *)*state)->fd, SEALED_NAME, 0), 0);
    make_segment(*state, true);
    found = surveyed(*state, SEALED_NAME);
    assert_int_equal(found.records, RECORDS);
    assert_null(found.damage);
}

static void
test_torn_tail_is_no_damage(void **state)
{
    make_segment(*state, false);
    uint64_t end = SEGMENT_HEADER_BYTES + RECORDS * segment_record_bytes(11);
    /* A writer died in the middle: body, sequence, checksum and time are there, the length is
     * not. */
    poke(*state, OPEN_NAME, end + 8, "sequence, checksum, time and a body", 35);
    struct segments_survey found = surveyed(*state, OPEN_NAME);
    assert_int_equal(found.records, RECORDS);
    assert_null(found.damage);
}

static void
test_missing_record_is_damage(void **state)
{
    static const char zeros[48];
    make_segment(*state, false);
    uint64_t second = SEGMENT_HEADER_BYTES + segment_record_bytes(11);
    poke(*state, OPEN_NAME, second, zeros, (size_t)segment_record_bytes(11));
    struct segments_survey found = surveyed(*state, OPEN_NAME);
    assert_int_equal(found.records, 1);
    assert_non_null(found.damage);
    assert_int_equal(found.damage_offset, second);
}

/* Where the damage must be found if the byte at `at` is wrong; UINT64_MAX for a byte that is none
 * of the layout's. */
static uint64_t
expected_damage(uint64_t at)
{
    uint64_t bytes = segment_record_bytes(11);
    uint64_t end = SEGMENT_HEADER_BYTES + RECORDS * bytes;
    if (at < SEGMENT_HEADER_BYTES)
        return at < sizeof(struct segment_header) ? 0 : UINT64_MAX;
    if (at >= end)
        return end;
    uint64_t into = (at - SEGMENT_HEADER_BYTES) % bytes;
    return into < SEGMENT_RECORD_HEADER_BYTES + 11 ? at - into : UINT64_MAX;
}

static void
test_every_byte_flipped(void **state)
{
    size_t size = 0;
    make_segment(*state, true);
    char *whole = scratch_get(*state, SEALED_NAME, &size);
    assert_non_null(whole);
    uint64_t end = SEGMENT_HEADER_BYTES + RECORDS * segment_record_bytes(11) + SEGMENT_SEAL_BYTES;
    for (uint64_t at = 0; at < end; at++) {
        char flipped = (char)(whole[at] ^ 0xff);
        poke(*state, SEALED_NAME, at, &flipped, 1);
        struct segments_survey found = surveyed(*state, SEALED_NAME);
        uint64_t expected = expected_damage(at);
        assert_int_equal(found.damage != NULL, expected != UINT64_MAX);
        if (found.damage != NULL)
            assert_int_equal(found.damage_offset, expected);
        poke(*state, SEALED_NAME, at, &whole[at], 1);
    }
    assert_null(surveyed(*state, SEALED_NAME).damage);
    free(whole);
}

static void
test_cut_short_anywhere(void **state)
{
    size_t size = 0;
    make_segment(*state, true);
    char *whole = scratch_get(*state, SEALED_NAME, &size);
    assert_non_null(whole);
    const uint64_t record_bytes = segment_record_bytes(11);
    const uint64_t end = SEGMENT_HEADER_BYTES + RECORDS * record_bytes + SEGMENT_SEAL_BYTES;
    for (size_t kept = 0; kept < size; kept += 61) {
        scratch_put(*state, SEALED_NAME, whole, kept);
        struct segments_survey found = surveyed(*state, SEALED_NAME);
        uint64_t records =
            kept < SEGMENT_HEADER_BYTES ? 0 : (kept - SEGMENT_HEADER_BYTES) / record_bytes;
        assert_int_equal(found.records, records < RECORDS ? records : RECORDS);
        assert_true((found.damage == NULL) ==
                    (kept >= end)); /* behind the seal nothing is missing */
        if (found.damage != NULL && kept >= SEGMENT_HEADER_BYTES)
            assert_int_equal(found.damage_offset,
                             SEGMENT_HEADER_BYTES + found.records * record_bytes);
    }
    free(whole);
}

static void
test_cut_short_while_it_is_read(void **state)
{
    struct segments_survey found;
    make_segment(*state, true);
    struct scratch *scratch = *state;
    struct taken taken = {.change_fd = openat(scratch->fd, SEALED_NAME, O_RDWR | O_CLOEXEC)};
    assert_int_equal(survey(scratch, SEALED_NAME, &found, &taken), 0);
    assert_int_equal(found.records, RECORDS); /* as the file was when it was copied */
    assert_null(found.damage);
    (void)close(taken.change_fd);
}

/* A copy that shows a later record and not the one before it, because the file was written
 * meanwhile: here the record comes while the copy is read. */
static void
test_what_one_copy_lacks_is_no_damage(void **state)
{
    static const char zeros[8];
    struct scratch *scratch = *state;
    struct segments_survey found;
    make_segment(scratch, false);
    uint64_t third = SEGMENT_HEADER_BYTES + 2 * segment_record_bytes(11);
    char *whole = scratch_get(scratch, OPEN_NAME, NULL);
    assert_non_null(whole);
    struct taken taken = {.change_fd = openat(scratch->fd, OPEN_NAME, O_RDWR | O_CLOEXEC),
                          .change = whole + third,
                          .change_at = third};
    poke(scratch, OPEN_NAME, third, zeros, sizeof(zeros));
    assert_int_equal(survey(scratch, OPEN_NAME, &found, &taken), 0);
    assert_null(found.damage);
    assert_int_equal(found.records, RECORDS);
    assert_int_equal(taken.count, RECORDS);

    /* The same, and a record further on is missing for good. */
    uint64_t fourth = third + segment_record_bytes(11);
    taken.count = 0;
    poke(scratch, OPEN_NAME, third, zeros, sizeof(zeros));
    poke(scratch, OPEN_NAME, fourth, zeros, sizeof(zeros));
    assert_int_equal(survey(scratch, OPEN_NAME, &found, &taken), 0);
    assert_non_null(found.damage);
    assert_int_equal(found.damage_offset, fourth);
    assert_int_equal(found.records, 3);
    assert_int_equal(taken.count, 3);
    (void)close(taken.change_fd);
    free(whole);
}

static void
test_other_files(void **state)
{
    struct scratch *scratch = *state;
    assert_int_equal(mkdirat(scratch->fd, SEALED_NAME, 0700), 0);
    struct segments_survey found = surveyed(scratch, SEALED_NAME);
    assert_non_null(found.damage);
    /* A hole larger than any memory. */
    scratch_put(scratch, OPEN_NAME, "", 0);
    int fd = openat(scratch->fd, OPEN_NAME, O_RDWR | O_CLOEXEC);
    struct taken taken = {.change_fd = -1};
    if (ftruncate(fd, (off_t)1 << 43) == 0) {
        assert_int_equal(survey(scratch, OPEN_NAME, &found, &taken), 0);
        assert_non_null(found.damage);
    }
    (void)close(fd);
}

static void
test_taker_ends_it(void **state)
{
    struct segments_survey found;
    struct taken taken = {.change_fd = -1, .answer = 7};
    make_segment(*state, true);
    assert_int_equal(survey(*state, SEALED_NAME, &found, &taken), 7);
    assert_int_equal(taken.count, 1);
}

/* Appends until the segment is full, in a process of its own. */
static pid_t
start_writer(const struct scratch *scratch, uint64_t file_bytes)
{
    struct segment_writer *writer = create_writer(scratch, file_bytes);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        while (segment_writer_fits(writer, 11))
            segment_writer_append(writer, &sample);
        _exit(0);
    }
    segment_writer_abandon(&writer);
    return pid;
}

static void
test_live_segment_seems_never_damaged(void **state)
{
    const uint64_t file_bytes = 32 << 20;
    pid_t pid = start_writer(*state, file_bytes);
    uint64_t before = 0;
    int status;
    bool ended = false;
    while (!ended) {
        ended = waitpid(pid, &status, WNOHANG) == pid;
        struct segments_survey found = surveyed(*state, OPEN_NAME);
        assert_null(found.damage);
        assert_true(found.records >= before);
        before = found.records;
    }
    assert_int_equal(before, (file_bytes - SEGMENT_HEADER_BYTES - SEGMENT_SEAL_BYTES) /
                                 segment_record_bytes(11));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole_segments, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_torn_tail_is_no_damage, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_missing_record_is_damage, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_every_byte_flipped, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_cut_short_anywhere, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_cut_short_while_it_is_read, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_one_copy_lacks_is_no_damage, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_other_files, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_taker_ends_it, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_live_segment_seems_never_damaged, scratch_setup,
                                        scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
