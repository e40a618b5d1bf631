/* segment_fuzz.c -- fuzzes the segment reader: whatever is in a file, what comes out is right.
 *
 * The first byte of an input chooses (modulo 4):
 *   0  the rest is a file, byte for byte;
 *   1  the rest is a file without the part of the header page that means nothing: 88 bytes, then
 *      records;
 *   2  the same after a byte of choices, forged: header and records get the checksums that make
 *      them valid, and what else was chosen, so that hostile fields come as far as the code that
 *      judges them;
 *   3  the rest is a program: the writer writes a segment, which is then damaged, and mended or
 *      not.
 *
 * Holds for all of them:
 *   - header, records, seal, end, damage and segment_reader_judge_end() are exactly what
 *     segment_layout.c makes of the bytes;
 *   - offsets rise strictly and stay within the file; asking again gives the same answer;
 *   - a second reader, and seeking back to each position, give the same records.
 * Holds for 3, if the records' checksums were not mended:
 *   - what comes out is a prefix of what was appended, equal to it byte for byte: nothing is
 *     invented;
 *   - nothing that is whole is missing from the prefix: it ends only where the first damage is;
 *   - a seal is seen only behind everything that was appended.
 *
 * XXH3 comes from a library that is not instrumented; an inaccessible page stands behind the file.
 */
#include "tests/fuzz/segment_layout.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "segment/segment_store.h"
#include "segment/segment_writer.h"

#define IMAGE_BYTES_MAX (64U << 10)
#define HEADER_FIELDS_BYTES 88U
#define POSITIONS_MAX (IMAGE_BYTES_MAX / SEGMENT_RECORD_HEADER_BYTES_V1)
#define APPENDED_MAX 24U
#define BODY_BYTES_MAX 8192U
#define DAMAGES_MAX 8U

enum mode { MODE_BYTES, MODE_SHORT, MODE_FORGED, MODE_WRITTEN, MODES };

static const struct segment_identity identity = {3, 17, 2};

/* A record that the writer was given. */
struct appended {
    enum segment_kind kind;
    size_t name_bytes;
    size_t body_bytes;
    uint64_t offset; /* in the file */
    char body[BODY_BYTES_MAX];
};

static struct {
    struct appended records[APPENDED_MAX];
    size_t count;
    uint64_t first_sequence;
    uint64_t end; /* offset behind the last record */
    bool sealed;
    unsigned char pristine[IMAGE_BYTES_MAX]; /* the file as the writer left it */
    size_t pristine_bytes;
} written;

static unsigned char image_bytes[IMAGE_BYTES_MAX];
static unsigned char other_bytes[IMAGE_BYTES_MAX];
static int file_fd = -1;

/* ---- what holds for any file */

static bool
same_record(const struct segment_record *a, const struct segment_record *b)
{
    return a->kind == b->kind && a->appended_ns == b->appended_ns &&
           bytes_equal(a->name, b->name) && bytes_equal(a->payload, b->payload);
}

static bool
same_position(struct segment_position a, struct segment_position b)
{
    return a.offset == b.offset && a.sequence == b.sequence;
}

/* Walks to the end with a reader that stands at its start, beside the layout. Fills the positions
 * of all records and, last, of the end; returns how many records there are. */
static size_t
check_forwards(struct segment_reader *reader, const struct layout *layout,
               const struct fuzz_image *image, struct segment_position positions[POSITIONS_MAX])
{
    struct segment_position position = {SEGMENT_HEADER_BYTES, layout->first_sequence};
    struct segment_record got;
    struct segment_record expected;
    for (size_t count = 0;; count++) {
        FUZZ_CHECK(count < POSITIONS_MAX);
        FUZZ_CHECK(same_position(segment_reader_position(reader), position));
        positions[count] = position;
        struct segment_position next = position;
        enum segment_next said = segment_reader_next(reader, &got);
        FUZZ_CHECK(said == layout_next(layout, image, position, &expected, &next));
        if (said != SEGMENT_NEXT_RECORD) {
            FUZZ_CHECK(same_position(segment_reader_position(reader), position));
            FUZZ_CHECK(segment_reader_next(reader, &got) == said);
            FUZZ_CHECK(said != SEGMENT_NEXT_NONE ||
                       segment_reader_judge_end(reader) == (layout_has_more(layout, image, position)
                                                                ? SEGMENT_NEXT_DAMAGED
                                                                : SEGMENT_NEXT_NONE));
            return count;
        }
        FUZZ_CHECK(same_record(&got, &expected));
        FUZZ_CHECK(next.offset > position.offset && next.offset <= image->size);
        position = next;
    }
}

static void
check_backwards(struct segment_reader *reader, const struct layout *layout,
                const struct fuzz_image *image,
                const struct segment_position positions[POSITIONS_MAX], size_t count)
{
    for (size_t i = count; i-- > 0;) {
        struct segment_record got;
        struct segment_record expected;
        struct segment_position next;
        segment_reader_seek(reader, positions[i]);
        FUZZ_CHECK(segment_reader_next(reader, &got) == SEGMENT_NEXT_RECORD);
        FUZZ_CHECK(layout_next(layout, image, positions[i], &expected, &next) ==
                   SEGMENT_NEXT_RECORD);
        FUZZ_CHECK(same_record(&got, &expected));
        FUZZ_CHECK(same_position(segment_reader_position(reader), positions[i + 1]));
    }
}

static struct segment_reader *
open_reader(const struct segment_facts *facts)
{
    struct segment_reader *reader = NULL;
    static struct segment_window window; /* shared by all of them */
    int fd = dup(file_fd);
    FUZZ_CHECK(fd >= 0 && segment_reader_open(&reader, fd, facts, &window) == 0);
    return reader;
}

static void
put_file(const struct fuzz_image *image)
{
    if (file_fd < 0)
        file_fd = memfd_create("segment", MFD_CLOEXEC);
    FUZZ_CHECK(file_fd >= 0 && ftruncate(file_fd, 0) == 0);
    FUZZ_CHECK(pwrite(file_fd, image->bytes, image->size, 0) == (ssize_t)image->size);
}

/* Reads the image as a file. False if its header is refused. */
static bool
check_file(const struct fuzz_image *image, struct segment_facts *facts)
{
    static struct segment_position positions[POSITIONS_MAX];
    static struct segment_position again[POSITIONS_MAX];
    struct layout layout;
    const char *reason = NULL;
    put_file(image);
    int result = segment_facts_read(facts, file_fd, &identity, &reason);
    bool valid = layout_read(&layout, image, &identity);
    FUZZ_CHECK(result == (valid ? 0 : -EBADMSG));
    FUZZ_CHECK((reason == NULL) == valid);
    if (!valid)
        return false;
    FUZZ_CHECK(segment_identity_compare(&facts->identity, &identity) == 0);
    FUZZ_CHECK(memcmp(&facts->id, layout.id, sizeof(facts->id)) == 0);
    FUZZ_CHECK(facts->file_bytes == layout.file_bytes);
    FUZZ_CHECK(facts->version == layout.version && facts->durable == layout.durable);

    struct segment_reader *first = open_reader(facts);
    struct segment_reader *second = open_reader(facts);
    size_t count = check_forwards(first, &layout, image, positions);
    check_backwards(first, &layout, image, positions, count);
    FUZZ_CHECK(check_forwards(second, &layout, image, again) == count);
    FUZZ_CHECK(same_position(positions[count], again[count]));
    segment_reader_close(&first);
    segment_reader_close(&second);
    FUZZ_CHECK(first == NULL && second == NULL);
    return true;
}

/* ---- what holds for a file that the writer wrote */

static bool
is_unchanged(const struct fuzz_image *image, uint64_t from, uint64_t bytes)
{
    return from + bytes <= image->size &&
           memcmp(image->bytes + from, written.pristine + from, bytes) == 0;
}

/* How many records from the first on are whole in the image, whose header is valid. */
static size_t
count_whole(const struct fuzz_image *image, const struct segment_facts *facts)
{
    if (memcmp(&facts->id, written.pristine + 32, sizeof(facts->id)) != 0 ||
        facts->start.sequence != written.first_sequence)
        return 0;
    size_t count = 0;
    for (; count < written.count; count++) {
        const struct appended *record = &written.records[count];
        uint64_t bytes = SEGMENT_RECORD_HEADER_BYTES + record->body_bytes;
        if (!is_unchanged(image, record->offset, bytes) ||
            record->offset + segment_record_bytes(record->body_bytes) > image->size ||
            record->offset + segment_record_bytes(record->body_bytes) > facts->file_bytes)
            break;
    }
    return count;
}

static void
check_against_appended(const struct fuzz_image *image, const struct segment_facts *facts)
{
    size_t whole = count_whole(image, facts);
    struct segment_reader *reader = open_reader(facts);
    struct segment_record got;
    for (size_t i = 0; i < whole; i++) {
        const struct appended *record = &written.records[i];
        FUZZ_CHECK(segment_reader_next(reader, &got) == SEGMENT_NEXT_RECORD);
        FUZZ_CHECK(got.kind == record->kind);
        FUZZ_CHECK(bytes_equal(got.name, (struct bytes){record->body, record->name_bytes}));
        FUZZ_CHECK(
            bytes_equal(got.payload, (struct bytes){record->body + record->name_bytes,
                                                    record->body_bytes - record->name_bytes}));
    }
    enum segment_next end = segment_reader_next(reader, &got);
    FUZZ_CHECK(end != SEGMENT_NEXT_RECORD);
    bool seal_is_whole = whole == written.count && written.sealed &&
                         facts->start.sequence == written.first_sequence &&
                         memcmp(&facts->id, written.pristine + 32, sizeof(facts->id)) == 0 &&
                         written.end + SEGMENT_SEAL_BYTES <= facts->file_bytes &&
                         is_unchanged(image, written.end, SEGMENT_SEAL_BYTES);
    FUZZ_CHECK((end == SEGMENT_NEXT_SEALED) == seal_is_whole);
    segment_reader_close(&reader);
}

/* ---- the program */

/* A payload as a client may send it: a pattern, bytes of the input, or a copy of what stands in the
 * segment already, records among it. */
static size_t
make_payload(struct fuzz_input *input, int fd, char *payload, size_t room)
{
    uint64_t choice = fuzz_take(input, 1);
    uint64_t detail = fuzz_take(input, 1);
    size_t size = 0;
    if (choice < 64) {
        const uint8_t *bytes = fuzz_take_bytes(input, detail % 64, &size);
        if (size > 0)
            memcpy(payload, bytes, size);
    } else if (choice < 96) {
        ssize_t got = pread(fd, payload, 8 * detail, SEGMENT_HEADER_BYTES);
        FUZZ_CHECK(got >= 0);
        size = (size_t)got;
    } else {
        size = (choice - 96) * 12 + detail;
        for (size_t i = 0; i < size; i++)
            payload[i] = (char)(detail + i * choice);
    }
    FUZZ_CHECK(size <= room);
    return size;
}

static size_t
make_name(struct fuzz_input *input, char *name)
{
    size_t size = 1 + (size_t)fuzz_take(input, 1);
    if (size > 240)
        size = size > 250 ? SEGMENT_DESTINATION_BYTES_MAX - 1 : size * 4;
    for (size_t i = 0; i < size; i++)
        name[i] = (char)('a' + (i + size) % 26);
    return size;
}

static bool
append(struct segment_writer *writer, int fd, struct fuzz_input *input)
{
    struct appended *record = &written.records[written.count];
    record->kind = fuzz_take(input, 1) % 2 == 0 ? SEGMENT_FILE : SEGMENT_STANDARD_OUTPUT;
    record->name_bytes = record->kind == SEGMENT_FILE ? make_name(input, record->body) : 0;
    char *payload = record->body + record->name_bytes;
    size_t payload_bytes = make_payload(input, fd, payload, BODY_BYTES_MAX - record->name_bytes);
    if (record->name_bytes + payload_bytes == 0)
        payload[payload_bytes++] = 'x';
    record->body_bytes = record->name_bytes + payload_bytes;
    if (!segment_writer_fits(writer, record->body_bytes))
        return false;
    record->offset = written.end;
    struct segment_record given = {
        record->kind, {record->body, record->name_bytes}, {payload, payload_bytes}, 0};
    segment_writer_append(writer, &given);
    written.end += segment_record_bytes(record->body_bytes);
    written.count++;
    return true;
}

/* Has the writer write a segment; leaves it in `written`. */
static void
write_segment(struct fuzz_input *input)
{
    static const uint64_t sequences[] = {0, 1, 5, UINT32_MAX, (uint64_t)1 << 62};
    static const uint64_t sizes[] = {8192, 8192, 12288, 32768, 8192 + 40, 8192 + 4};
    struct segment_writer *writer = NULL;
    written.count = 0;
    written.end = SEGMENT_HEADER_BYTES;
    written.first_sequence = sequences[fuzz_take(input, 1) % 5];
    written.pristine_bytes = sizes[fuzz_take(input, 1) % 6];
    written.sealed = fuzz_take(input, 1) % 4 != 0;
    int directory = fuzz_directory();
    FUZZ_CHECK(segment_writer_create(&writer, directory, &identity, written.first_sequence,
                                     written.pristine_bytes, false) == 0);
    struct segment_entry entry = {identity, SEGMENT_STATE_OPEN};
    int fd = segment_store_open(directory, &entry);
    FUZZ_CHECK(fd >= 0);
    size_t count = fuzz_take(input, 1) % APPENDED_MAX;
    while (written.count < count && append(writer, fd, input))
        ;
    FUZZ_CHECK(segment_writer_next_sequence(writer) == written.first_sequence + written.count);
    if (written.sealed) {
        segment_writer_seal(&writer);
        entry.state = SEGMENT_STATE_SEALED;
    } else {
        segment_writer_abandon(&writer);
    }
    char name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(name, &identity, entry.state);
    FUZZ_CHECK(pread(fd, written.pristine, sizeof(written.pristine), 0) ==
               (ssize_t)written.pristine_bytes);
    FUZZ_CHECK(unlinkat(directory, name, 0) == 0);
    (void)close(fd);
}

/* Somewhere that means something: the header, a record, the seal or what follows it. */
static size_t
take_place(struct fuzz_input *input)
{
    size_t choice = (size_t)fuzz_take(input, 1) % (written.count + 2);
    size_t within = (size_t)fuzz_take(input, 1);
    if (choice < written.count)
        return written.records[choice].offset + within % 80;
    if (choice == written.count)
        return written.end + within;
    return within % HEADER_FIELDS_BYTES;
}

/* The same records in the segment before, as a file would have held them that had these blocks
 * once. */
static void
make_other(void)
{
    static const struct segment_identity before = {3, 17, 1};
    struct fuzz_image other = {other_bytes, written.pristine_bytes, IMAGE_BYTES_MAX};
    memcpy(other.bytes, written.pristine, other.size);
    memset(other.bytes + 32, 0x77, SEGMENT_ID_BYTES);
    layout_name_header(&other, &before, SEGMENT_VERSION);
    layout_mend_header(&other);
    layout_mend_records(&other, 0);
}

static void
run_program(struct fuzz_input *input)
{
    struct fuzz_image image = {image_bytes, 0, IMAGE_BYTES_MAX};
    struct segment_facts facts;
    write_segment(input);
    image.size = written.pristine_bytes;
    memcpy(image.bytes, written.pristine, image.size);
    make_other();
    uint64_t mending = fuzz_take(input, 1);
    size_t damages = fuzz_take(input, 1) % (DAMAGES_MAX + 1);
    for (size_t i = 0; i < damages; i++)
        fuzz_damage(&image, other_bytes, input, take_place(input));
    size_t cut = (mending & 1) != 0 ? take_place(input) : image.size;
    if (cut < image.size)
        image.size = cut;
    if ((mending & 2) != 0 && image.size >= HEADER_FIELDS_BYTES)
        layout_name_header(&image, &identity, SEGMENT_VERSION);
    if ((mending & 4) != 0)
        layout_mend_header(&image);
    bool forged = (mending & 8) != 0;
    if (forged)
        layout_mend_records(&image, (unsigned)(mending >> 4));
    bool valid = check_file(&image, &facts);
    /* Stale blocks and a mended header may make all of it the other segment, or one of an earlier
     * version, whose records may be laid out otherwise. */
    if (valid && !forged && facts.version == SEGMENT_VERSION &&
        memcmp(&facts.id, other_bytes + 32, sizeof(facts.id)) != 0)
        check_against_appended(&image, &facts);
}

/* ---- the other modes */

/* Spreads `data` over an image: with `gap`, the rest of the header page is left out of it. */
static struct fuzz_image
spread(const uint8_t *data, size_t size, bool gap)
{
    struct fuzz_image image = {image_bytes, size, IMAGE_BYTES_MAX};
    size_t head = gap && size > HEADER_FIELDS_BYTES ? HEADER_FIELDS_BYTES : size;
    size_t skipped = gap ? SEGMENT_HEADER_BYTES - head : 0;
    image.size = head + skipped + (size - head);
    memset(image.bytes, 0, image.size);
    if (head > 0)
        memcpy(image.bytes, data, head);
    if (size > head)
        memcpy(image.bytes + SEGMENT_HEADER_BYTES, data + head, size - head);
    return image;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    struct segment_facts facts;
    enum mode mode = (enum mode)(fuzz_take(&input, 1) % MODES);
    if (size > IMAGE_BYTES_MAX - SEGMENT_HEADER_BYTES)
        return 0;
    if (mode == MODE_WRITTEN) {
        run_program(&input);
        return 0;
    }
    uint64_t choices = mode == MODE_FORGED ? fuzz_take(&input, 1) : 0;
    struct fuzz_image image = spread(input.at, input.left, mode != MODE_BYTES);
    if (mode == MODE_FORGED) {
        if ((choices & 1) == 0)
            layout_name_header(&image, &identity, 1 + (choices >> 4) % 3);
        layout_mend_header(&image);
        layout_mend_records(&image, (unsigned)(choices >> 1));
    }
    (void)check_file(&image, &facts);
    return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    (void)fuzz_directory();
    fuzz_directory_clear();
    return 0;
}
