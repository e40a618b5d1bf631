/* fuzz.h -- what the fuzz targets share: checks, reading an input as a program, damage, a
 * directory.
 *
 * Each *_fuzz.c is one libFuzzer target (clang 14, ASan, UBSan). It states properties and not only
 * that nothing crashes: FUZZ_CHECK() ends the process as a crash does, so libFuzzer keeps the
 * input. One input makes one behaviour: fuzz.c takes the clock and the random numbers away from the
 * code under test, and puts an inaccessible page behind every file that it maps.
 *
 * `make fuzz` and `make check-fuzz` run them through tests/fuzz/run. To look at one input:
 *     build-fuzz/fuzz/segment FILE
 */
#ifndef MYGRPCADAPTER_TESTS_FUZZ_FUZZ_H
#define MYGRPCADAPTER_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #condition))

/* Names the property that does not hold, and aborts. */
_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

/* What libFuzzer calls. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of an input that is read as a program. */
struct fuzz_input {
    const uint8_t *at;
    size_t left;
};

/* The next `bytes` (at most 8) as a little-endian number; what the input lacks is zero. */
uint64_t fuzz_take(struct fuzz_input *input, size_t bytes);

/* The next `size` bytes, or as many as are left: *size_r. */
const uint8_t *fuzz_take_bytes(struct fuzz_input *input, size_t size, size_t *size_r);

/* Little-endian numbers of at most 8 bytes, byte by byte: this is the format as the targets read
 * it, without the code under test. */
uint64_t fuzz_get(const unsigned char *at, size_t bytes);
void fuzz_put(unsigned char *at, size_t bytes, uint64_t number);

/* A file in memory, being made or damaged. */
struct fuzz_image {
    unsigned char *bytes; /* borrowed, with room for `capacity` */
    size_t size;
    size_t capacity;
};

/* Damages an image as the next bytes of the input say, at `at` (taken modulo the size): a bit, a
 * field, zeros, a copy of another place, or what stands there in `other`, as a block would that
 * belonged to another file before. `other` is at least as large as the image. */
void fuzz_damage(struct fuzz_image *image, const unsigned char *other, struct fuzz_input *input,
                 size_t at);

/* A directory of the target's own in $TMPDIR, empty; removed when the process exits in order. */
int fuzz_directory(void);

/* Removes what is in it. */
void fuzz_directory_clear(void);

#endif
