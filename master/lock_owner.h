/* lock_owner.h -- who holds a lock, for the message to whoever wanted it. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_LOCK_OWNER_H
#define MYGRPCADAPTER_MASTER_LOCK_OWNER_H

#include <sys/types.h>

/* The pid of the process that took the flock(2) on the file or directory open as `fd`; 0 if that
 * cannot be told (base/lock_holder.h): nobody holds it, or somebody in another pid namespace. */
pid_t lock_owner_find(int fd);

#endif
