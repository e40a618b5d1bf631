/* fuzz.c -- what the fuzz targets share; fuzz.h. */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#define PAGE_BYTES 4096U
#define MAPS_MAX 16U

void
fuzz_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: this does not hold: %s\n", file, line, condition);
    abort();
}

/* ---- numbers in files */

uint64_t
fuzz_get(const unsigned char *at, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = bytes; i > 0; i--)
        number = number << 8 | at[i - 1];
    return number;
}

void
fuzz_put(unsigned char *at, size_t bytes, uint64_t number)
{
    for (size_t i = 0; i < bytes; i++)
        at[i] = (unsigned char)(number >> (8 * i));
}

/* ---- the input as a program */

uint64_t
fuzz_take(struct fuzz_input *input, size_t bytes)
{
    size_t size = 0;
    const uint8_t *at = fuzz_take_bytes(input, bytes, &size);
    return fuzz_get(at, size);
}

const uint8_t *
fuzz_take_bytes(struct fuzz_input *input, size_t size, size_t *size_r)
{
    const uint8_t *at = input->at;
    *size_r = size < input->left ? size : input->left;
    input->at += *size_r;
    input->left -= *size_r;
    return at;
}

/* ---- damage */

enum damage { DAMAGE_XOR, DAMAGE_FIELD, DAMAGE_ZEROS, DAMAGE_COPY, DAMAGE_OTHER, DAMAGE_KINDS };

/* Lengths that something on a disk has: a number, a record's header, a sector, a page. */
static size_t
take_length(struct fuzz_input *input)
{
    static const size_t lengths[] = {8, 16, 24, 32, 64, 512, PAGE_BYTES};
    size_t choice = (size_t)fuzz_take(input, 1);
    return choice < 128 ? choice + 1 : lengths[choice % (sizeof(lengths) / sizeof(lengths[0]))];
}

void
fuzz_damage(struct fuzz_image *image, const unsigned char *other, struct fuzz_input *input,
            size_t at)
{
    enum damage damage = (enum damage)(fuzz_take(input, 1) % DAMAGE_KINDS);
    if (image->size == 0)
        return;
    at %= image->size;
    size_t length = damage == DAMAGE_XOR ? 1 : take_length(input);
    if (damage == DAMAGE_FIELD)
        length = (size_t)1 << (length % 4);
    if (length > image->size - at)
        length = image->size - at;
    unsigned char *to = image->bytes + at;
    switch (damage) {
    case DAMAGE_XOR:
        *to ^= (unsigned char)fuzz_take(input, 1);
        break;
    case DAMAGE_FIELD:
        for (size_t i = 0; i < length; i++)
            to[i] = (unsigned char)fuzz_take(input, 1);
        break;
    case DAMAGE_ZEROS:
        memset(to, 0, length);
        break;
    case DAMAGE_COPY:
        memmove(to, image->bytes + fuzz_take(input, 2) % (image->size - length + 1), length);
        break;
    case DAMAGE_OTHER:
        memcpy(to, other + at, length);
        break;
    case DAMAGE_KINDS:
        break;
    }
}

/* ---- a directory */

static char directory_path[512];
static int directory_fd = -1;

void
fuzz_directory_clear(void)
{
    DIR *directory = opendir(directory_path);
    FUZZ_CHECK(directory != NULL);
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] != '.')
            FUZZ_CHECK(unlinkat(directory_fd, entry->d_name, 0) == 0);
    }
    (void)closedir(directory);
}

static void
remove_directory(void)
{
    fuzz_directory_clear();
    (void)rmdir(directory_path);
}

int
fuzz_directory(void)
{
    if (directory_fd >= 0)
        return directory_fd;
    const char *parent = getenv("TMPDIR");
    int length = snprintf(directory_path, sizeof(directory_path), "%s/mygrpcadapter-fuzz-XXXXXX",
                          parent != NULL ? parent : "/tmp");
    FUZZ_CHECK(length > 0 && (size_t)length < sizeof(directory_path));
    FUZZ_CHECK(mkdtemp(directory_path) != NULL);
    directory_fd = open(directory_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(directory_fd >= 0);
    FUZZ_CHECK(atexit(remove_directory) == 0);
    return directory_fd;
}

/* ---- what the code under test gets instead of the C library's (ld --wrap) */

void *__real_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

static struct {
    void *base;
    size_t reserved;
} maps[MAPS_MAX];

/* Maps a file in front of an inaccessible page, with what follows the file in its own last page out
 * of bounds too. Memory without a file is mapped as ever. */
void *
__wrap_mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fd < 0)
        return __real_mmap(address, length, protection, flags, fd, offset);
    size_t rounded = (length + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
    size_t slot = 0;
    while (slot < MAPS_MAX && maps[slot].base != NULL)
        slot++;
    FUZZ_CHECK(slot < MAPS_MAX);
    char *base = __real_mmap(NULL, rounded + PAGE_BYTES, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    FUZZ_CHECK(base != MAP_FAILED);
    FUZZ_CHECK(__real_mmap(base, length, protection, flags | MAP_FIXED, fd, offset) == base);
    ASAN_POISON_MEMORY_REGION(base + length, rounded - length);
    maps[slot].base = base;
    maps[slot].reserved = rounded + PAGE_BYTES;
    return base;
}

int
__wrap_munmap(void *address, size_t length)
{
    for (size_t i = 0; i < MAPS_MAX; i++) {
        if (maps[i].base != address)
            continue;
        length = maps[i].reserved;
        maps[i].base = NULL;
        ASAN_UNPOISON_MEMORY_REGION(address, length);
        break;
    }
    return __real_munmap(address, length);
}

/* Segment ids that an input makes again when it is run again. */
ssize_t
__wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    (void)flags;
    memset(buffer, 0x5a, size);
    return (ssize_t)size;
}

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    (void)clock;
    *now = (struct timespec){.tv_sec = 1500000000, .tv_nsec = 1};
    return 0;
}
