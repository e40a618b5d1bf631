/* calls.h -- the system calls of the code under test, on their way to the kernel.
 *
 * The suite is linked with --wrap for each call by which segments, ledgers and outputs are read and
 * written (calls.list); calls.c stands between. It counts them, and at the chosen one does what the
 * plan says. With a disk (disk.h) it also tells the disk what was changed and what was synced.
 * Runs in the children of the suite.
 */
#ifndef MYGRPCADAPTER_TESTS_CRASH_CALLS_H
#define MYGRPCADAPTER_TESTS_CRASH_CALLS_H

#include <stdint.h>

struct disk;

/* How a child of the suite ends if it does not come to its own end. */
#define CALLS_EXIT_DIED 40
#define CALLS_EXIT_POWER 41

enum calls_plan_kind {
    /* All calls go through. */
    CALLS_PASS,
    /* Call `at` fails with `error`. */
    CALLS_FAIL_ONCE,
    /* Call `at` and all behind it fail with `error`. */
    CALLS_FAIL_FROM,
    /* Call `at`, or the first write behind it, writes only half of what it should. */
    CALLS_SHORT_ONCE,
    /* The process is gone before call `at`. */
    CALLS_DIE,
    /* Call `at`, or the first write behind it, writes half; then the process is gone. */
    CALLS_DIE_WITHIN,
    /* Before call `at` the disk loses what was not synced. */
    CALLS_LOSE_POWER,
};

struct calls_plan {
    enum calls_plan_kind kind;
    uint64_t at; /* from 1 */
    int error;   /* an errno value */
    /* That call, too, fails with `error`; 0 = none. */
    uint64_t error_at;
    /* Before that call somebody else writes to the outputs; 0 = never. */
    uint64_t stranger_at;
};

/* What a plan is called in messages. */
const char *calls_plan_name(enum calls_plan_kind kind);

/* From now on the plan is in force. `disk` is borrowed; NULL = none is told. `stranger` is
 * called, with `context`, when the plan says so. */
void calls_begin(const struct calls_plan *plan, struct disk *disk, void (*stranger)(void *context),
                 void *context);

/* From now on the system is bare: it has no openat2(2) (ENOSYS), no RENAME_NOREPLACE (EINVAL) and
 * no fallocate(2) (EOPNOTSUPP). */
void calls_lack_what_is_new(void);

/* From now on the outputs take so many bytes more, and then nothing (ENOSPC). UINT64_MAX: they take
 * all. */
void calls_limit_outputs(uint64_t bytes);

/* Of the segments that are listed from now on the listing leaves out the `names`th. */
void calls_miss_name(uint64_t names);

/* For so many calls from now on each second of the segments and ledgers that are there cannot be
 * opened, renamed or removed: EACCES or EPERM. `bars` says which, and decides between the two. */
void calls_bar_names(uint64_t calls, uint64_t bars);

/* From now on the clock of the machine is so many seconds ahead, and a file server, whose clock is
 * so many seconds ahead of that, gives the outputs their times. */
void calls_set_clocks(int64_t machine_s, int64_t server_s);

/* How many calls there have been since calls_begin(). */
uint64_t calls_count(void);

/* The name of the call that the plan hit; NULL = none yet. */
const char *calls_hit(void);

#endif
