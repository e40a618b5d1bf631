/* make_segments.c -- leaves a backlog in a directory: sealed segments, by the program's own writer,
 * as workers leave them whose collector never came.
 *
 *     make-segments DIRECTORY TEXT-FILE NAME MIB SLOTS
 *
 * Every record is the content of TEXT-FILE for the output NAME; there are SLOTS chains of segments
 * of 16 MiB, MIB of segments in all. Prints the number of records.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "segment/segment_writer.h"

#define FILE_BYTES (16U << 20)
#define TEXT_BYTES_MAX (1U << 20)

_Noreturn static void
die(const char *what, int error)
{
    (void)fprintf(stderr, "make-segments: %s: %s\n", what, strerror(error));
    exit(EXIT_FAILURE);
}

static struct bytes
read_text(const char *path)
{
    static char text[TEXT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        die(path, errno);
    size_t size = fread(text, 1, sizeof(text), file);
    (void)fclose(file);
    if (size == 0 || size == sizeof(text))
        die(path, EFBIG);
    return (struct bytes){text, size};
}

/* Fills one segment and seals it. Returns the sequence of the next record. */
static uint64_t
fill_segment(int directory_fd, const struct segment_identity *identity, uint64_t sequence,
             const struct segment_record *record)
{
    struct segment_writer *writer = NULL;
    uint64_t body_bytes = record->name.size + record->payload.size;
    int result =
        segment_writer_create(&writer, directory_fd, identity, sequence, FILE_BYTES, false);
    if (result != 0)
        die("cannot create a segment", -result);
    while (segment_writer_fits(writer, body_bytes))
        segment_writer_append(writer, record);
    uint64_t next = segment_writer_next_sequence(writer);
    segment_writer_seal(&writer);
    return next;
}

int
main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fprintf(stderr, "usage: make-segments DIRECTORY TEXT-FILE NAME MIB SLOTS\n");
        return EXIT_FAILURE;
    }
    int directory_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory_fd < 0)
        die(argv[1], errno);
    struct segment_record record = {
        SEGMENT_FILE, {argv[3], strlen(argv[3])}, read_text(argv[2]), 0};
    uint32_t slots = (uint32_t)strtoul(argv[5], NULL, 10);
    uint64_t files = strtoull(argv[4], NULL, 10) * (1U << 20) / FILE_BYTES;
    uint64_t records = 0;
    for (uint32_t slot = 0; slot < slots; slot++) {
        uint64_t sequence = 0;
        for (uint64_t number = 0; number < files / slots; number++) {
            struct segment_identity identity = {slot, 1, number};
            sequence = fill_segment(directory_fd, &identity, sequence, &record);
        }
        records += sequence;
    }
    (void)printf("%llu\n", (unsigned long long)records);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
