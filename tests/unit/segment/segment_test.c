/* segment_test.c -- segments: what is appended is read back, by whom and when, and nothing else
 * ever is. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <xxhash.h>

#include "base/clock.h"
#include "segment/segment_reader.h"
#include "segment/segment_store.h"
#include "segment/segment_writer.h"

static const struct segment_identity identity = {3, 17, 2};
static const struct segment_entry open_entry = {{3, 17, 2}, SEGMENT_STATE_OPEN};
static const struct segment_entry sealed_entry = {{3, 17, 2}, SEGMENT_STATE_SEALED};
#define NEW_NAME "00003-0000000017-0000000002.new"
#define OPEN_NAME "00003-0000000017-0000000002.open"
#define SEALED_NAME "00003-0000000017-0000000002.sealed"

/* Record `i` of a test: its size and its bytes follow from its number. */
static size_t
body_of(uint64_t i, char *body)
{
    size_t size = 1 + (size_t)(i * 37 % 200);
    for (size_t at = 0; at < size; at++)
        body[at] = (char)(i + at);
    return size;
}

static void
append_numbered(struct segment_writer *writer, uint64_t i)
{
    char body[256];
    size_t size = body_of(i, body);
    char name[16];
    int name_bytes = snprintf(name, sizeof(name), "out-%llu", (unsigned long long)(i % 3));
    struct segment_record record = {SEGMENT_FILE, {name, (size_t)name_bytes}, {body, size}, 0};
    segment_writer_append(writer, &record);
}

static bool
is_numbered(const struct segment_record *record, uint64_t i)
{
    char body[256];
    size_t size = body_of(i, body);
    char name[16];
    int name_bytes = snprintf(name, sizeof(name), "out-%llu", (unsigned long long)(i % 3));
    return record->kind == SEGMENT_FILE &&
           bytes_equal(record->name, (struct bytes){name, (size_t)name_bytes}) &&
           bytes_equal(record->payload, (struct bytes){body, size});
}

static struct segment_writer *
create_writer(const struct scratch *scratch, uint64_t file_bytes)
{
    struct segment_writer *writer = NULL;
    assert_int_equal(segment_writer_create(&writer, scratch->fd, &identity, 5, file_bytes, false),
                     0);
    return writer;
}

static struct segment_reader *
open_reader(const struct scratch *scratch, const struct segment_entry *entry)
{
    struct segment_facts facts;
    static struct segment_window window;
    struct segment_reader *reader = NULL;
    const char *reason = NULL;
    int fd = segment_store_open(scratch->fd, entry);
    assert_true(fd >= 0);
    assert_int_equal(segment_facts_read(&facts, fd, &entry->identity, &reason), 0);
    assert_int_equal(segment_reader_open(&reader, fd, &facts, &window), 0);
    return reader;
}

static void
test_reads_what_was_appended_while_it_is_written(void **state)
{
    struct segment_writer *writer = create_writer(*state, 1 << 20);
    struct segment_reader *reader = open_reader(*state, &open_entry);
    struct segment_record record;
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_NONE);
    for (uint64_t i = 0; i < 1000; i++) {
        append_numbered(writer, i);
        assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_RECORD);
        assert_true(is_numbered(&record, i));
        assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_NONE);
    }
    assert_int_equal(segment_writer_next_sequence(writer), 1005);
    segment_writer_seal(&writer);
    assert_null(writer);
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_SEALED);
    segment_reader_close(&reader);
    assert_true(scratch_has(*state, SEALED_NAME));
    assert_false(scratch_has(*state, OPEN_NAME));
}

static void
test_seek_gives_the_same_records_again(void **state)
{
    struct segment_writer *writer = create_writer(*state, 1 << 16);
    for (uint64_t i = 0; i < 10; i++)
        append_numbered(writer, i);
    struct segment_reader *reader = open_reader(*state, &open_entry);
    struct segment_record record;
    for (uint64_t i = 0; i < 4; i++)
        (void)segment_reader_next(reader, &record);
    struct segment_position fourth = segment_reader_position(reader);
    for (int again = 0; again < 2; again++) {
        segment_reader_seek(reader, fourth);
        for (uint64_t i = 4; i < 10; i++) {
            assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_RECORD);
            assert_true(is_numbered(&record, i));
        }
    }
    segment_reader_close(&reader);
    segment_writer_seal(&writer);
}

static void
test_a_full_segment_still_takes_its_seal(void **state)
{
    char body[100] = {0};
    struct segment_record record = {SEGMENT_STANDARD_OUTPUT, {NULL, 0}, {body, sizeof(body)}, 0};
    uint64_t file_bytes = segment_writer_file_bytes(sizeof(body));
    struct segment_writer *writer = create_writer(*state, file_bytes);
    uint64_t appended = 0;
    while (segment_writer_fits(writer, sizeof(body))) {
        segment_writer_append(writer, &record);
        appended++;
    }
    assert_int_equal(appended, (file_bytes - SEGMENT_HEADER_BYTES - SEGMENT_SEAL_BYTES) /
                                   segment_record_bytes(sizeof(body)));
    segment_writer_seal(&writer);
    struct segment_reader *reader = open_reader(*state, &sealed_entry);
    while (segment_reader_next(reader, &record) == SEGMENT_NEXT_RECORD)
        appended--;
    assert_int_equal(appended, 0);
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_SEALED);
    segment_reader_close(&reader);
}

static void
test_file_bytes_is_enough_for_one_record(void **state)
{
    for (uint64_t size = 1; size < 20000; size += 997) {
        struct segment_writer *writer = create_writer(*state, segment_writer_file_bytes(size));
        assert_true(segment_writer_fits(writer, size));
        segment_writer_seal(&writer);
        assert_int_equal(segment_store_remove(((struct scratch *)*state)->fd, &identity), 0);
    }
}

/* A child appends until it is killed and says in shared memory how far it was; called with the file
 * system's state as the kill left it. */
static void
test_what_a_killed_writer_appended_is_all_there(void **state)
{
    const struct scratch *scratch = *state;
    _Atomic uint64_t *appended =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(appended != MAP_FAILED);
    for (int round = 0; round < 20; round++) {
        atomic_store(appended, 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct segment_writer *writer = NULL;
            if (segment_writer_create(&writer, scratch->fd, &identity, 5, 32 << 20, false) != 0)
                _exit(1);
            for (uint64_t i = 0; segment_writer_fits(writer, 256); i++) {
                append_numbered(writer, i);
                atomic_store(appended, i + 1);
            }
            (void)pause();
        }
        while (atomic_load(appended) < (uint64_t)round * 300 + 1)
            (void)usleep(100);
        assert_int_equal(segment_store_take_over(scratch->fd, &identity), -EAGAIN);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(segment_store_take_over(scratch->fd, &identity), 0);

        struct segment_reader *reader = open_reader(scratch, &sealed_entry);
        struct segment_record record;
        uint64_t read = 0;
        while (segment_reader_next(reader, &record) == SEGMENT_NEXT_RECORD)
            assert_true(is_numbered(&record, read++));
        assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_NONE);
        assert_true(read == atomic_load(appended) || read == atomic_load(appended) + 1);
        segment_reader_close(&reader);
        assert_int_equal(segment_store_remove(scratch->fd, &identity), 0);
    }
    (void)munmap((void *)(uintptr_t)appended, 4096);
}

/* Reads a changed copy of a segment: whatever it gives out must be record 0, 1, 2 … as it was. */
static uint64_t
read_prefix(const struct scratch *scratch, const char *data, size_t size)
{
    struct segment_facts facts;
    struct segment_reader *reader = NULL;
    const char *reason = NULL;
    struct segment_record record;
    uint64_t read = 0;
    static struct segment_window window;
    scratch_put(scratch, SEALED_NAME, data, size);
    int fd = segment_store_open(scratch->fd, &sealed_entry);
    assert_true(fd >= 0);
    int result = segment_facts_read(&facts, fd, &identity, &reason);
    if (result == 0) {
        assert_int_equal(segment_reader_open(&reader, fd, &facts, &window), 0);
        while (segment_reader_next(reader, &record) == SEGMENT_NEXT_RECORD)
            assert_true(is_numbered(&record, read++));
    } else {
        assert_int_equal(result, -EBADMSG);
        assert_non_null(reason);
    }
    if (reader == NULL)
        (void)close(fd);
    segment_reader_close(&reader);
    return read;
}

/* Sizes below and above what is made ready for stores at once; each behind another, so that they
 * begin and end anywhere in a page. */
static void
test_large_records_are_read_back(void **state)
{
    static const size_t sizes[] = {19999, 1040000, 20001, 65536, 1, 100003, 4096, 3 << 20};
    static char body[(3 << 20) + 8];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (char)(i * 31 + i / 251);
    struct segment_writer *writer = create_writer(*state, 5 << 20);
    struct segment_reader *reader = open_reader(*state, &open_entry);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct segment_record record = {SEGMENT_FILE, {"a.txt", 5}, {body + i, sizes[i]}, 0};
        struct segment_record read;
        segment_writer_append(writer, &record);
        assert_int_equal(segment_reader_next(reader, &read), SEGMENT_NEXT_RECORD);
        assert_true(bytes_equal(read.name, record.name));
        assert_true(bytes_equal(read.payload, record.payload));
    }
    segment_reader_close(&reader);
    segment_writer_seal(&writer);
}

/* Who makes pages ready behind a cut must not make the file as long again as it was: it would pass
 * for whole. */
static void
test_a_cut_stays_a_cut(void **state)
{
    const struct scratch *scratch = *state;
    static char body[2200000];
    struct segment_writer *writer = create_writer(scratch, 3200000 / 4096 * 4096);
    append_numbered(writer, 0);
    assert_true(segment_writer_is_intact(writer));
    int fd = openat(scratch->fd, OPEN_NAME, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 3000000), 0);
    struct segment_record record = {SEGMENT_FILE, {"a.txt", 5}, {body, sizeof(body)}, 0};
    segment_writer_append(writer, &record);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, 3000000);
    assert_false(segment_writer_is_intact(writer));
    (void)close(fd);
    segment_writer_abandon(&writer);
}

static void
test_flipped_bytes_never_invent_a_record(void **state)
{
    const struct scratch *scratch = *state;
    const uint64_t records = 6;
    struct segment_writer *writer = create_writer(scratch, 8192);
    for (uint64_t i = 0; i < records; i++)
        append_numbered(writer, i);
    segment_writer_seal(&writer);
    size_t size = 0;
    char *data = scratch_get(scratch, SEALED_NAME, &size);
    assert_int_equal(read_prefix(scratch, data, size), records);
    size_t shorter = 0;
    for (size_t at = 0; at < size; at++) {
        if (at == sizeof(struct segment_header))
            at = SEGMENT_HEADER_BYTES; /* what follows the header in its page means nothing */
        if (at == 5600)
            break; /* nothing is written there any more */
        data[at] = (char)(data[at] ^ 0x41);
        shorter += read_prefix(scratch, data, size) < records ? 1 : 0;
        data[at] = (char)(data[at] ^ 0x41);
    }
    assert_true(shorter > 700);
    free(data);
}

static void
test_a_truncated_segment_has_what_is_left_of_it(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    for (uint64_t i = 0; i < 4; i++)
        append_numbered(writer, i);
    segment_writer_seal(&writer);
    size_t size = 0;
    char *data = scratch_get(scratch, SEALED_NAME, &size);
    size_t end = SEGMENT_HEADER_BYTES;
    uint64_t whole = 0;
    for (size_t left = 0; left < size; left++) {
        char body[256];
        size_t next = end + (size_t)segment_record_bytes(5 + body_of(whole, body));
        if (whole < 4 && left == next) {
            end = next;
            whole++;
        }
        assert_int_equal(read_prefix(scratch, data, left), whole);
    }
    assert_int_equal(whole, 4);
    free(data);
}

static void
test_a_header_of_a_later_version_is_refused(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    append_numbered(writer, 0);
    segment_writer_seal(&writer);
    size_t size = 0;
    char *data = scratch_get(scratch, SEALED_NAME, &size);
    for (uint32_t version = 0; version < 5; version++) {
        struct segment_header *header = (void *)data;
        le32_put(header->version, version);
        segment_header_finish(header);
        scratch_put(scratch, SEALED_NAME, data, size);
        struct segment_facts facts;
        const char *reason = NULL;
        int fd = segment_store_open(scratch->fd, &sealed_entry);
        int result = segment_facts_read(&facts, fd, &identity, &reason);
        (void)close(fd);
        bool known = version >= SEGMENT_VERSION_OLDEST && version <= SEGMENT_VERSION;
        assert_int_equal(result, known ? 0 : -EBADMSG);
        if (!known)
            assert_string_equal(reason, "the header is of an unknown version");
    }
    free(data);
}

/* Reads the header that stands in `data`. Returns what segment_facts_read() does. */
static int
read_facts(const struct scratch *scratch, const void *data, size_t size,
           struct segment_facts *facts_r)
{
    const char *reason = NULL;
    scratch_put(scratch, SEALED_NAME, data, size);
    int fd = segment_store_open(scratch->fd, &sealed_entry);
    int result = segment_facts_read(facts_r, fd, &identity, &reason);
    (void)close(fd);
    return result;
}

static void
test_a_header_says_with_which_durability_its_records_are_acknowledged(void **state)
{
    const struct scratch *scratch = *state;
    for (unsigned durable = 0; durable < 2; durable++) {
        struct segment_writer *writer = NULL;
        struct segment_facts facts;
        assert_int_equal(
            segment_writer_create(&writer, scratch->fd, &identity, 5, 8192, durable != 0), 0);
        segment_writer_seal(&writer);
        size_t size = 0;
        unsigned char *data = (void *)scratch_get(scratch, SEALED_NAME, &size);
        assert_true(data != NULL && size == 8192);
        if (data == NULL)
            return;
        assert_int_equal(le32_get(data + 8), 3);
        assert_int_equal(le32_get(data + 72), durable);
        assert_int_equal(le32_get(data + 76), 0);
        assert_int_equal(le64_get(data + 80), XXH3_64bits(data, 80));
        assert_int_equal(read_facts(scratch, data, size, &facts), 0);
        assert_int_equal(facts.durable, durable);
        assert_int_equal(facts.version, 3);
        for (size_t at = 0; at < 88; at++) {
            data[at] = (unsigned char)(data[at] ^ 0x41);
            assert_int_equal(read_facts(scratch, data, size, &facts), -EBADMSG);
            data[at] = (unsigned char)(data[at] ^ 0x41);
        }
        free(data);
        assert_int_equal(unlinkat(scratch->fd, SEALED_NAME, 0), 0);
    }
}

/* In versions 1 and 2 the checksum stands where the durability stands now. */
static void
test_a_header_of_an_earlier_version_is_read_as_it_stood(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    segment_writer_seal(&writer);
    size_t size = 0;
    unsigned char *data = (void *)scratch_get(scratch, SEALED_NAME, &size);
    assert_true(data != NULL && size == 8192);
    if (data == NULL)
        return;
    for (unsigned version = 1; version < 3; version++) {
        struct segment_facts facts;
        le32_put(data + 8, version);
        memset(data + 72, 0, 16);
        le64_put(data + 72, XXH3_64bits(data, 72));
        assert_int_equal(read_facts(scratch, data, size, &facts), 0);
        assert_int_equal(facts.version, version);
        assert_false(facts.durable);
        assert_int_equal(facts.start.sequence, 5);
        assert_int_equal(facts.file_bytes, 8192);
        for (size_t at = 0; at < 80; at++) {
            data[at] = (unsigned char)(data[at] ^ 0x41);
            assert_int_equal(read_facts(scratch, data, size, &facts), -EBADMSG);
            data[at] = (unsigned char)(data[at] ^ 0x41);
        }
    }
    free(data);
}

static void
test_a_record_carries_the_time_it_was_appended(void **state)
{
    uint64_t before_ns = clock_realtime_ns();
    struct segment_writer *writer = create_writer(*state, 8192);
    append_numbered(writer, 0);
    struct segment_reader *reader = open_reader(*state, &open_entry);
    struct segment_record record;
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_RECORD);
    assert_in_range(record.appended_ns, before_ns, clock_realtime_ns());
    segment_reader_close(&reader);
    segment_writer_seal(&writer);
}

static void
test_a_record_of_another_place_is_damage(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    append_numbered(writer, 0);
    append_numbered(writer, 0);
    segment_writer_seal(&writer);
    size_t size = 0;
    char *data = scratch_get(scratch, SEALED_NAME, &size);
    size_t record_bytes = (size_t)segment_record_bytes(5 + 1);
    /* The second record is a copy of the first, byte for byte: right in itself, wrong where it
     * stands. */
    memcpy(data + SEGMENT_HEADER_BYTES + record_bytes, data + SEGMENT_HEADER_BYTES, record_bytes);
    assert_int_equal(read_prefix(scratch, data, size), 1);
    free(data);
}

/* A page of a segment that never reached the disk reads as zeros: not the end of it. */
static void
test_a_hole_in_front_of_a_record_is_no_end(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    for (uint64_t i = 0; i < 4; i++)
        append_numbered(writer, i);
    segment_writer_abandon(&writer);
    assert_int_equal(segment_store_take_over(scratch->fd, &identity), 0);
    struct segment_record record;
    struct segment_reader *reader = open_reader(scratch, &sealed_entry);
    while (segment_reader_next(reader, &record) == SEGMENT_NEXT_RECORD)
        ;
    assert_int_equal(segment_reader_judge_end(reader), SEGMENT_NEXT_NONE);
    segment_reader_close(&reader);

    size_t size = 0;
    char *data = scratch_get(scratch, SEALED_NAME, &size);
    memset(data + SEGMENT_HEADER_BYTES, 0, SEGMENT_RECORD_HEADER_BYTES + 8);
    scratch_put(scratch, SEALED_NAME, data, size);
    free(data);
    reader = open_reader(scratch, &sealed_entry);
    assert_int_equal(segment_reader_next(reader, &record), SEGMENT_NEXT_NONE);
    assert_int_equal(segment_reader_judge_end(reader), SEGMENT_NEXT_DAMAGED);
    segment_reader_close(&reader);
}

static void
test_a_removed_or_truncated_segment_is_noticed(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    assert_true(segment_writer_is_intact(writer));
    assert_int_equal(unlinkat(scratch->fd, OPEN_NAME, 0), 0);
    assert_false(segment_writer_is_intact(writer));
    segment_writer_abandon(&writer);
    writer = create_writer(scratch, 8192);
    scratch_put(scratch, OPEN_NAME, "", 0);
    assert_false(segment_writer_is_intact(writer));
    segment_writer_abandon(&writer);
}

static void
test_a_taken_identity_is_an_error_and_leaves_nothing(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = create_writer(scratch, 8192);
    struct segment_writer *second = NULL;
    assert_int_equal(segment_writer_create(&second, scratch->fd, &identity, 0, 8192, false),
                     -EEXIST);
    assert_null(second);
    assert_false(scratch_has(scratch, NEW_NAME));
    segment_writer_seal(&writer);
}

/* Until it has its name nobody knows it. */
static void
test_a_segment_is_prepared_and_then_published_or_discarded(void **state)
{
    const struct scratch *scratch = *state;
    struct segment_writer *writer = NULL;
    assert_int_equal(segment_writer_prepare(&writer, scratch->fd, &identity, 0, 8192, false), 0);
    assert_true(scratch_has(scratch, NEW_NAME));
    assert_false(scratch_has(scratch, OPEN_NAME));
    segment_writer_discard(&writer);
    assert_null(writer);
    assert_false(scratch_has(scratch, NEW_NAME));
    segment_writer_discard(&writer); /* nothing is no trouble */

    assert_int_equal(segment_writer_prepare(&writer, scratch->fd, &identity, 0, 8192, true), 0);
    assert_int_equal(segment_writer_publish(&writer), 0);
    assert_true(scratch_has(scratch, OPEN_NAME));
    struct segment_writer *second = NULL;
    assert_int_equal(segment_writer_prepare(&second, scratch->fd, &identity, 0, 8192, false), 0);
    assert_int_equal(segment_writer_publish(&second), -EEXIST);
    assert_null(second);
    assert_false(scratch_has(scratch, NEW_NAME));
    segment_writer_seal(&writer);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_what_was_appended_while_it_is_written,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_seek_gives_the_same_records_again, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_full_segment_still_takes_its_seal, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_file_bytes_is_enough_for_one_record, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_what_a_killed_writer_appended_is_all_there,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_cut_stays_a_cut, scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_large_records_are_read_back, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_flipped_bytes_never_invent_a_record, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_truncated_segment_has_what_is_left_of_it,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_header_of_a_later_version_is_refused, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(
            test_a_header_says_with_which_durability_its_records_are_acknowledged, scratch_setup,
            scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_header_of_an_earlier_version_is_read_as_it_stood,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_record_carries_the_time_it_was_appended,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_record_of_another_place_is_damage, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_hole_in_front_of_a_record_is_no_end, scratch_setup,
                                        scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_or_truncated_segment_is_noticed,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_taken_identity_is_an_error_and_leaves_nothing,
                                        scratch_setup, scratch_teardown),
        cmocka_unit_test_setup_teardown(test_a_segment_is_prepared_and_then_published_or_discarded,
                                        scratch_setup, scratch_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
