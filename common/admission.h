/* admission.h -- the names of outputs that have been accepted since the adapter started.
 *
 * Memory that all processes share, mapped by the master before it forks: workers ask it before they
 * accept a call for an output of a new name. It bounds how many different outputs clients can make,
 * and it sees to it that no name is accepted as a file and as a directory of another one: the
 * collector could make only one of them. Names are kept as hashes; none is ever forgotten.
 */
#ifndef MYGRPCADAPTER_COMMON_ADMISSION_H
#define MYGRPCADAPTER_COMMON_ADMISSION_H

#include <stdint.h>

struct admission;

/* Maps an empty table for `names_max` names, shared with every child forked later. Returns 0 or a
 * negative errno. The caller owns it; it lives until admission_close(). */
int admission_open(struct admission **out, uint32_t names_max);

/* Unmaps; NULL-safe; sets *ap to NULL. */
void admission_close(struct admission **ap);

/* Accepts `name`, a path without empty, "." or ".." components; safe from several processes, and
 * when one of them is killed in here. Returns 1 if it is accepted, 0 if it was before; -EEXIST if
 * one of its directories was accepted as a file, or it was as a directory; -EUSERS if there are
 * `names_max` names; -EMLINK if there is no room for its directories, of which a table has several
 * for each name, for all names together. */
int admission_admit(struct admission *admission, const char *name);

/* How many names have been admitted; NULL-safe: none. */
uint32_t admission_count(const struct admission *admission);

#endif
