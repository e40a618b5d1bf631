/* lock_owner.c -- who holds the lock of an open file. Runs in the master. */
#include "master/lock_owner.h"

#include <sys/stat.h>

#include "base/lock_holder.h"

pid_t
lock_owner_find(int fd)
{
    struct stat status;
    long pid = fstat(fd, &status) == 0 ? lock_holder_find(&status) : 0;
    return pid > 0 ? (pid_t)pid : 0;
}
