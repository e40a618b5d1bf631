/* die.h -- how a start-up that cannot succeed ends: one line on standard error and an exit code of
 * <sysexits.h>. Used by the master before it forks. A function that can return fills a complaint
 * instead (base/complaint.h), and so do the commands.
 */
#ifndef MYGRPCADAPTER_MASTER_DIE_H
#define MYGRPCADAPTER_MASTER_DIE_H

/* Writes `mygrpcadapter: `, the text and a newline to standard error and exits. */
_Noreturn void die(int exit_code, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
