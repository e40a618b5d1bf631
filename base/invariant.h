/* invariant.h -- broken promises of our own code.
 *
 * INVARIANT() states what our own code guarantees. It is always compiled in: a process that finds
 * one broken logs the place and aborts, and the master replaces it. It never judges what a disk, a
 * peer or a configuration did: those are operating errors and have return codes. Used by every
 * process.
 */
#ifndef MYGRPCADAPTER_BASE_INVARIANT_H
#define MYGRPCADAPTER_BASE_INVARIANT_H

#define INVARIANT(condition)                                                                       \
    do {                                                                                           \
        if (!(condition))                                                                          \
            invariant_failed(__FILE__, __LINE__, __func__, #condition);                            \
    } while (0)

/* Logs the broken promise and aborts, so that a core and an obituary are left behind. Does not
 * return. */
_Noreturn void invariant_failed(const char *file, int line, const char *function,
                                const char *condition);

#endif
