/* volume_probe.h -- tries, before anything is promised, whether the file system of the segment
 * directory can do what segments need. Used by the master, before it forks. */
#ifndef MYGRPCADAPTER_MASTER_VOLUME_PROBE_H
#define MYGRPCADAPTER_MASTER_VOLUME_PROBE_H

#include <stdbool.h>

struct complaint;

/* Makes a small file in the directory, which is locked, and does with it what a worker does with a
 * segment; with `durable`, syncs it, too. The file is removed again. Returns 0, also where the
 * volume is full, which is seen to later; or fills *complaint, naming the file system, the call
 * and what to do, and returns EX_CANTCREAT. */
int volume_probe(int segments_fd, const char *path, bool durable, struct complaint *complaint);

#endif
