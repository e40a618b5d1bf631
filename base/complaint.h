/* complaint.h -- what is wrong, said to a person, and the exit code that says it to a program.
 * Used by every process, before it serves.
 *
 * What can be tested without ending the process fills a complaint and returns its exit code; the
 * caller, in the end main(), prints it and ends.
 */
#ifndef MYGRPCADAPTER_BASE_COMPLAINT_H
#define MYGRPCADAPTER_BASE_COMPLAINT_H

#include <stdarg.h>

#define COMPLAINT_BYTES 1024

/* Why a step failed: one line for the user, without program name or newline. */
struct complaint {
    /* Of <sysexits.h>, never 0. */
    int exit_code;
    char text[COMPLAINT_BYTES];
};

/* Fills *complaint; returns `exit_code`, so that a caller can `return complain(...)`. A text
 * too long is cut. Control characters, as a strange path may hold, become `?`: a complaint is
 * one line. */
int complain(struct complaint *complaint, int exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int complain_with(struct complaint *complaint, int exit_code, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

#endif
