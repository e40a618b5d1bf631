/* ledger_reader.c -- reads a ledger's two blocks; ledger_format.h judges them. Runs in the
 * collector and in `mygrpcadapter segments`. */
#include "segment/ledger_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/array.h"
#include "base/invariant.h"

int
ledger_record_reserve(struct ledger_record *record, size_t bytes)
{
    record->size = 0;
    return ARRAY_RESERVE(record->bytes, record->capacity, bytes);
}

void
ledger_record_clear(struct ledger_record *record)
{
    free(record->bytes);
    free(record->positions);
    *record = (struct ledger_record){0};
}

/* Returns 0, -EBADMSG if the file ends before, or another negative errno. */
static int
read_bytes(int fd, void *to, size_t size, off_t at)
{
    ssize_t got = pread(fd, to, size, at);
    if (got < 0)
        return -errno;
    return got == (ssize_t)size ? 0 : -EBADMSG;
}

static int
read_copy(struct ledger_record *record, int fd, off_t at)
{
    struct ledger_header header;
    record->size = 0;
    int result = read_bytes(fd, &header, sizeof(header), at);
    if (result != 0)
        return result;
    size_t size = ledger_header_judge(&header);
    if (size == 0)
        return -EBADMSG;
    result = ledger_record_reserve(record, size);
    if (result == 0)
        result = read_bytes(fd, record->bytes, size, at);
    if (result != 0)
        return result;
    /* The header may have changed since it was judged. */
    if (!ledger_record_is_whole(record->bytes, size))
        return -EBADMSG;
    record->size = size;
    return 0;
}

int
ledger_record_read_copy(struct ledger_record *record, int fd, unsigned block, unsigned copy)
{
    return read_copy(record, fd, ledger_copy_offset(block, copy));
}

/* The first copy is written first, so where it is whole the second one is no newer; where it
 * cannot be read now, the second one may be older. */
int
ledger_record_read(struct ledger_record *record, int fd, unsigned block)
{
    int result = read_copy(record, fd, ledger_copy_offset(block, 0));
    return result == -EBADMSG ? read_copy(record, fd, ledger_copy_offset(block, 1)) : result;
}

unsigned
ledger_record_read_newest(struct ledger_record *record, int fd, int faults_r[static LEDGER_BLOCKS])
{
    struct ledger_record candidate = {0};
    unsigned newest = LEDGER_BLOCKS;
    for (unsigned block = 0; block < LEDGER_BLOCKS; block++) {
        faults_r[block] = ledger_record_read(&candidate, fd, block);
        if (faults_r[block] != 0 ||
            (newest != LEDGER_BLOCKS &&
             ledger_record_generation(candidate.bytes) <= ledger_record_generation(record->bytes)))
            continue;
        struct ledger_record older = *record;
        *record = candidate;
        candidate = older;
        newest = block;
    }
    ledger_record_clear(&candidate);
    return newest;
}

int
ledger_record_state(struct ledger_record *record, struct ledger_state *state_r)
{
    INVARIANT(record->size > 0);
    int result = ARRAY_RESERVE(record->positions, record->position_capacity,
                               ledger_record_position_count(record->bytes));
    if (result == 0)
        ledger_record_decode(state_r, record->bytes, record->positions);
    return result;
}
