/* cpus.h -- how many CPUs this process may keep busy: by affinity, and by the quotas of its control
 * groups.
 *
 * A container limited to two CPUs on a machine of 64 gets two workers, not 64 that throttle each
 * other. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_CPUS_H
#define MYGRPCADAPTER_MASTER_CPUS_H

#include <stdint.h>

#define CPUS_MAX 256

/* The CPUs this process may use, 1 to CPUS_MAX. */
uint32_t cpus_allowed(void);

/* The least quota, rounded up to whole CPUs, of the control groups that `membership` (as
 * /proc/self/cgroup) names, from the innermost up to the root, where the hierarchies are mounted
 * beneath `mount` (as /sys/fs/cgroup). cpu.max of version 2, cpu.cfs_quota_us of version 1. 0 = no
 * limit, or none that can be read. */
uint32_t cpus_quota(const char *membership, const char *mount);

#endif
