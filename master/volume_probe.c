/* volume_probe.c -- one file, call by call; volume_probe.h. Runs in the master before it forks. A
 * kill leaves a file behind that the next start removes. */
#include "master/volume_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/file_room.h"
#include "base/rename.h"
#include "segment/segment_guard.h"

#define PROBE_NAME "probe"
#define PROBE_RENAMED "probe.renamed"
#define PROBE_BYTES 8192U

/* The memory's last byte, where the file is stored to. */
#define STORED_AT (PROBE_BYTES - 1)

/* Not in every <linux/magic.h>. */
#define MAGIC_CIFS 0xff534d42U
#define MAGIC_SMB2 0xfe534d42U
#define MAGIC_CEPH 0x00c36400U
#define MAGIC_ZFS 0x2fc12fc1U

static const struct {
    uint64_t magic;
    const char *name;
} file_systems[] = {
    {EXT4_SUPER_MAGIC, "ext4"},
    {XFS_SUPER_MAGIC, "xfs"},
    {BTRFS_SUPER_MAGIC, "btrfs"},
    {TMPFS_MAGIC, "tmpfs"},
    {OVERLAYFS_SUPER_MAGIC, "overlayfs"},
    {NFS_SUPER_MAGIC, "nfs"},
    {FUSE_SUPER_MAGIC, "fuse"},
    {V9FS_MAGIC, "9p"},
    {MSDOS_SUPER_MAGIC, "vfat"},
    {F2FS_SUPER_MAGIC, "f2fs"},
    {MAGIC_CIFS, "cifs"},
    {MAGIC_SMB2, "smb3"},
    {MAGIC_CEPH, "ceph"},
    {MAGIC_ZFS, "zfs"},
};

/* The file that is tried, and the call that failed. */
struct probe {
    int directory_fd;
    int fd;
    char *memory;
    const char *call;
};

static void
name_file_system(int fd, char name[static 32])
{
    struct statfs status = {.f_type = 0};
    (void)fstatfs(fd, &status);
    (void)snprintf(name, 32, "file system 0x%lx", (unsigned long)status.f_type);
    for (size_t i = 0; i < sizeof(file_systems) / sizeof(file_systems[0]); i++) {
        if (file_systems[i].magic == (uint64_t)status.f_type)
            (void)snprintf(name, 32, "%s", file_systems[i].name);
    }
}

/* Whether what is stored in the memory is what a read of the file finds: workers store, and the
 * collector reads. */
static int
try_store(struct probe *probe)
{
    char found = 0;
    probe->call = "a store to a mapped file";
    struct segment_guard *guard = segment_guard_open(probe->memory, PROBE_BYTES);
    if (guard == NULL)
        return -EMFILE;
    *(volatile char *)(probe->memory + STORED_AT) = 'x';
    bool faulted = segment_guard_has_faulted(guard);
    segment_guard_close(&guard);
    if (faulted)
        return -ENOSPC;
    probe->call = "pread of what was stored in a mapping";
    if (pread(probe->fd, &found, 1, STORED_AT) != 1)
        return -EIO;
    return found == 'x' ? 0 : -EIO;
}

static int
try_memory(struct probe *probe)
{
    probe->call = "mmap(MAP_SHARED)";
    void *memory = mmap(NULL, PROBE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, probe->fd, 0);
    if (memory == MAP_FAILED)
        return -errno;
    probe->memory = memory;
    int result = try_store(probe);
    (void)munmap(memory, PROBE_BYTES);
    return result;
}

static int
try_file(struct probe *probe, bool durable)
{
    probe->call = "flock";
    if (flock(probe->fd, LOCK_EX | LOCK_NB) != 0)
        return -errno;
    probe->call = "fallocate, or a write of zeros,";
    int result = file_take_room(probe->fd, PROBE_BYTES);
    if (result == 0)
        result = try_memory(probe);
    if (result != 0)
        return result;
    probe->call = "fdatasync";
    if (durable && fdatasync(probe->fd) != 0)
        return -errno;
    probe->call = "renameat2, or renameat,";
    result = rename_noreplace(probe->directory_fd, PROBE_NAME, probe->directory_fd, PROBE_RENAMED);
    if (result != 0)
        return result;
    probe->call = "fsync of a directory";
    return durable && fsync(probe->directory_fd) != 0 ? -errno : 0;
}

static int
complain_probe(const struct probe *probe, const char *path, int error, struct complaint *complaint)
{
    char name[32];
    name_file_system(probe->directory_fd, name);
    return complain(complaint, EX_CANTCREAT,
                    "segments.directory: \"%s\" is on %s, where %s fails: %s; set "
                    "segments.directory to a directory on another file system, such as ext4 or xfs",
                    path, name, probe->call, strerrordesc_np(-error));
}

int
volume_probe(int segments_fd, const char *path, bool durable, struct complaint *complaint)
{
    struct probe probe = {.directory_fd = segments_fd, .call = "openat"};
    (void)unlinkat(segments_fd, PROBE_NAME, 0);
    (void)unlinkat(segments_fd, PROBE_RENAMED, 0);
    probe.fd = openat(segments_fd, PROBE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int result = probe.fd >= 0 ? try_file(&probe, durable) : -errno;
    if (probe.fd >= 0)
        (void)close(probe.fd);
    (void)unlinkat(segments_fd, PROBE_NAME, 0);
    (void)unlinkat(segments_fd, PROBE_RENAMED, 0);
    if (result == 0 || result == -ENOSPC || result == -EDQUOT)
        return 0;
    return complain_probe(&probe, path, result, complaint);
}
