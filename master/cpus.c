/* cpus.c -- counts CPUs as the kernel's scheduler will grant them. Runs in the master before it
 * forks.
 *
 * What cannot be read sets no limit: a wrong count costs speed, never data.
 */
#include "master/cpus.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBERSHIP_FILE "/proc/self/cgroup"
#define CGROUP_MOUNT "/sys/fs/cgroup"

/* More than any kernel is built for. */
#define AFFINITY_CPUS 8192

/* Reads the first line of DIRECTORY/NAME, without its newline. */
static bool
read_first_line(const char *directory, const char *name, char *line, int size)
{
    char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    bool found = fgets(line, size, file) != NULL;
    (void)fclose(file);
    if (found)
        line[strcspn(line, "\n")] = '\0';
    return found;
}

/* Rounded up; 0 if this is no limit. */
static uint32_t
whole_cpus(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long cpus = (quota - 1) / period + 1;
    return cpus > CPUS_MAX ? CPUS_MAX : (uint32_t)cpus;
}

/* "max 100000" or "150000 100000". */
static uint32_t
quota_of_v2(const char *directory)
{
    char line[64];
    if (!read_first_line(directory, "cpu.max", line, sizeof(line)))
        return 0;
    char *end = NULL;
    long long quota = strtoll(line, &end, 10); /* "max" reads as 0 */
    return whole_cpus(quota, strtoll(end, NULL, 10));
}

/* The quota is -1 where there is none. */
static uint32_t
quota_of_v1(const char *directory)
{
    char quota[64];
    char period[64];
    if (!read_first_line(directory, "cpu.cfs_quota_us", quota, sizeof(quota)) ||
        !read_first_line(directory, "cpu.cfs_period_us", period, sizeof(period)))
        return 0;
    return whole_cpus(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static uint32_t
lesser_limit(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

/* The least quota from HIERARCHY/GROUP up to HIERARCHY itself. In a container the group may be
 * named as the host sees it and not exist here: then only the levels that do exist count. */
static uint32_t
least_quota(const char *hierarchy, const char *group, uint32_t (*quota_of)(const char *directory))
{
    char directory[PATH_MAX];
    size_t root_length = strlen(hierarchy);
    int length = snprintf(directory, sizeof(directory), "%s%s", hierarchy, group);
    if (length < 0 || (size_t)length >= sizeof(directory))
        return 0;
    uint32_t least = 0;
    for (;;) {
        least = lesser_limit(least, quota_of(directory));
        char *slash = strrchr(directory, '/');
        if (slash == NULL || (size_t)(slash - directory) < root_length)
            return least;
        *slash = '\0';
    }
}

/* True if the comma-separated `list` holds `word`. */
static bool
list_holds(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* One line of the membership file: ID:CONTROLLERS:GROUP, no controllers meaning version 2. */
static uint32_t
quota_of_membership(char *line, const char *mount)
{
    char hierarchy[PATH_MAX];
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL)
        return 0;
    *controllers++ = '\0';
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    /* Outside our view of the hierarchy only its root counts. */
    if (strstr(group, "..") != NULL)
        group = group + strlen(group);
    if (controllers[0] == '\0')
        return least_quota(mount, group, quota_of_v2);
    if (!list_holds(controllers, "cpu"))
        return 0;
    /* Mounted under its own name, or all of "cpu,cpuacct", or both, one a link to the other. */
    (void)snprintf(hierarchy, sizeof(hierarchy), "%s/cpu", mount);
    uint32_t quota = least_quota(hierarchy, group, quota_of_v1);
    (void)snprintf(hierarchy, sizeof(hierarchy), "%s/%s", mount, controllers);
    return lesser_limit(quota, least_quota(hierarchy, group, quota_of_v1));
}

uint32_t
cpus_quota(const char *membership, const char *mount)
{
    FILE *file = fopen(membership, "re");
    if (file == NULL)
        return 0;
    char *line = NULL;
    size_t size = 0;
    uint32_t least = 0;
    while (getline(&line, &size, file) >= 0)
        least = lesser_limit(least, quota_of_membership(line, mount));
    free(line);
    (void)fclose(file);
    return least;
}

static uint32_t
count_affinity(void)
{
    cpu_set_t *set = CPU_ALLOC(AFFINITY_CPUS);
    if (set == NULL)
        return 1;
    size_t size = CPU_ALLOC_SIZE(AFFINITY_CPUS);
    int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 1;
    CPU_FREE(set);
    return count > 0 ? (uint32_t)count : 1;
}

uint32_t
cpus_allowed(void)
{
    uint32_t count = lesser_limit(count_affinity(), cpus_quota(MEMBERSHIP_FILE, CGROUP_MOUNT));
    return count > CPUS_MAX ? CPUS_MAX : count;
}
