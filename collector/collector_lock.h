/* collector_lock.h -- what makes a collector the only one of its segment directory.
 *
 * It locks collector.lock, as collectors of every release do, and the directory itself, so that to
 * remove or to rename that file lets no second collector in. Where the file system has no locks for
 * directories the file alone does. Runs in the collector.
 *
 * Crash contract: the locks are the kernel's (flock) and end with the process, however that dies.
 */
#ifndef MYGRPCADAPTER_COLLECTOR_COLLECTOR_LOCK_H
#define MYGRPCADAPTER_COLLECTOR_COLLECTOR_LOCK_H

/* Begin with COLLECTOR_LOCK_NONE. */
struct collector_lock {
    /* -1 = not open. What is open and was locked stays locked. */
    int file_fd;
    int directory_fd;
};

#define COLLECTOR_LOCK_NONE ((struct collector_lock){.file_fd = -1, .directory_fd = -1})

/* Tries to get both locks; what it has got is kept for the next try. Returns 0 with both,
 * -EWOULDBLOCK while another collector has one of them, or another negative errno if they cannot be
 * opened or locked. */
int collector_lock_try(struct collector_lock *lock, int segments_fd);

/* Gives both up. A collector has no need to: it keeps them for life. */
void collector_lock_close(struct collector_lock *lock);

#endif
