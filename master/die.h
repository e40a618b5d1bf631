/* die.h -- how a start-up that cannot succeed ends: one line on standard error and an exit code of
 * <sysexits.h>.
 *
 * What can be tested without ending the process does not call die() itself: it fills a complaint
 * and returns its exit code, and the caller, in the end main(), dies of it. Used by the master
 * before it forks.
 */
#ifndef MYGRPCADAPTER_MASTER_DIE_H
#define MYGRPCADAPTER_MASTER_DIE_H

#define COMPLAINT_BYTES 1024

/* Why a step of the start-up failed: one line for the user, without program name or newline. */
struct complaint {
    int exit_code;
    char text[COMPLAINT_BYTES];
};

/* Fills *complaint; returns `exit_code`, so that a caller can `return complain(...)`. A text too
 * long is cut. Control characters, as a strange path may hold, become `?`: a complaint is one line.
 */
int complain(struct complaint *complaint, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes `mygrpcadapter: `, the text and a newline to standard error and exits. */
_Noreturn void die(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
