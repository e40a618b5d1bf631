/* descriptors.h -- how near a process is to the number of descriptors it may have, and closing one.
 * Workers and the collector keep some for what must not fail. Used by every process.
 */
#ifndef MYGRPCADAPTER_BASE_DESCRIPTORS_H
#define MYGRPCADAPTER_BASE_DESCRIPTORS_H

#include <stdbool.h>

/* Whether above `fd`, the lowest descriptor that was free, there are `count` more, as the limit
 * (RLIMIT_NOFILE) is now. */
bool descriptors_above(int fd, unsigned count);

/* Whether `count` descriptors can be had now, as far as this process's own limit goes. */
bool descriptors_left(unsigned count);

/* Closes *fd if it is one, and sets it to -1. */
void descriptor_close(int *fd);

#endif
