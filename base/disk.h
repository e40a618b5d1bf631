/* disk.h -- waits until the disk has something, or ends the process.
 *
 * A sync that fails is not tried again: the kernel may have dropped what it could not write and
 * call the next sync a success. So there is nothing to return. The process that comes next takes
 * everything up from what is on the volume. Used by workers and the collector.
 */
#ifndef MYGRPCADAPTER_BASE_DISK_H
#define MYGRPCADAPTER_BASE_DISK_H

/* Waits until the content and the size of an open file are on the disk (fdatasync). `what`
 * names it in the log if that fails; then the process ends with EXIT_FAILURE. */
void disk_sync_data(int fd, const char *what);

/* The same for all of a file, or for the names in a directory (fsync). */
void disk_sync(int fd, const char *what);

#endif
