/* crash_point.h -- named places at which a test has a process die.
 *
 * Each step of commit, seal, rename, recovery and rotation has one: crash_point("segment.sealed")
 * says what has just been done. In the program that is installed they are nothing. In one built
 * with `make CRASH=1` a process that comes by is killed by SIGKILL, as from outside, if it finds
 * the place armed (crash_point.c).
 */
#ifndef MYGRPCADAPTER_BASE_CRASH_POINT_H
#define MYGRPCADAPTER_BASE_CRASH_POINT_H

#ifdef MYGRPCADAPTER_CRASH_POINTS
/* Dies here if `name` (a literal, one of its kind) is armed. Keeps errno. */
void crash_point(const char *name);
#else
static inline void
crash_point(const char *name)
{
    (void)name;
}
#endif

#endif
