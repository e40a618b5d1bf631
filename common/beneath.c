/* beneath.c -- by openat2(2), or step by step; beneath.h. Runs in the master, workers and the
 * collector. */
#include "common/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* So often a name is looked up again whose directories are moved meanwhile. */
#define ATTEMPTS 16

/* As many links as the kernel follows. */
#define LINKS_MAX 40

/* More directories than these are not climbed. */
#define CLIMB_MAX 128

#define DIRECTORY_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* Set by beneath_prepare(); children inherit it. */
static struct {
    bool lacks_openat2;
    /* What an absolute link may begin with, without a slash at the end; empty = nothing. */
    char roots[2][PATH_MAX];
} prepared;

static bool
same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int
beneath_climb(int root_fd, int avoided_fd, int directory_fd)
{
    struct stat root;
    struct stat avoided = {0};
    struct stat here = {0};
    if (fstat(root_fd, &root) != 0 || (avoided_fd >= 0 && fstat(avoided_fd, &avoided) != 0))
        return -errno;
    int fd = openat(directory_fd, ".", DIRECTORY_FLAGS);
    int result = -EINPROGRESS;
    for (int depth = 0; fd >= 0 && depth <= CLIMB_MAX; depth++) {
        struct stat below = here;
        if (fstat(fd, &here) != 0)
            result = -errno;
        else if (avoided_fd >= 0 && same_file(&here, &avoided))
            result = -EXDEV;
        else if (same_file(&here, &root))
            result = 0;
        else if (depth > 0 && same_file(&here, &below))
            result = -EAGAIN; /* the top of all */
        if (result != -EINPROGRESS)
            break;
        int parent = openat(fd, "..", DIRECTORY_FLAGS);
        if (parent < 0)
            result = -errno;
        (void)close(fd);
        fd = parent;
    }
    if (fd < 0 && result == -EINPROGRESS)
        result = -errno;
    if (fd >= 0)
        (void)close(fd);
    return result == -EINPROGRESS ? -EXDEV : result;
}

/* ---- step by step */

/* A name on its way. */
struct walk {
    int root_fd;

    /* The directory that has been reached, O_PATH; owned. */
    int fd;
    unsigned links;

    /* What is still to be followed from there. */
    char rest[PATH_MAX];
};

/* Takes the descriptor over as the place that has been reached. Returns 0, or its error. */
static int
go_to(struct walk *walk, int fd)
{
    if (fd < 0)
        return -errno;
    if (walk->fd >= 0)
        (void)close(walk->fd);
    walk->fd = fd;
    return 0;
}

static int
go_to_root(struct walk *walk)
{
    return go_to(walk, openat(walk->root_fd, ".", DIRECTORY_FLAGS));
}

static int
go_to_parent(struct walk *walk)
{
    struct stat root;
    struct stat here;
    if (fstat(walk->root_fd, &root) != 0 || fstat(walk->fd, &here) != 0)
        return -errno;
    if (same_file(&root, &here))
        return -EXDEV;
    return go_to(walk, openat(walk->fd, "..", DIRECTORY_FLAGS));
}

/* What an absolute text names relative to the root; NULL if that is not beneath it. */
static const char *
relative_to_root(const char *text)
{
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(prepared.roots[i]);
        if (size > 0 && strncmp(text, prepared.roots[i], size) == 0 &&
            (text[size] == '/' || text[size] == '\0'))
            return text + size;
    }
    return NULL;
}

/* Puts a link's text in front of what is still to be followed. */
static int
follow_text(struct walk *walk, const char *text)
{
    char joined[sizeof(walk->rest)];
    if (++walk->links > LINKS_MAX)
        return -ELOOP;
    if (text[0] == '/') {
        text = relative_to_root(text);
        int result = text == NULL ? -EXDEV : go_to_root(walk);
        if (result != 0)
            return result;
    }
    int size = snprintf(joined, sizeof(joined), "%s%s%s", text, walk->rest[0] == '\0' ? "" : "/",
                        walk->rest);
    if (size < 0 || (size_t)size >= sizeof(joined))
        return -ENAMETOOLONG;
    memcpy(walk->rest, joined, (size_t)size + 1);
    return 0;
}

/* Follows the link `name` in the directory. -EINVAL: it is none. */
static int
follow_link(struct walk *walk, const char *name)
{
    char text[PATH_MAX];
    ssize_t size = readlinkat(walk->fd, name, text, sizeof(text) - 1);
    if (size < 0)
        return -errno;
    text[size] = '\0';
    return size == 0 ? -ENOENT : follow_text(walk, text);
}

/* Follows a component that others come behind. */
static int
pass(struct walk *walk, const char *name)
{
    int fd = openat(walk->fd, name, DIRECTORY_FLAGS | O_NOFOLLOW);
    if (fd >= 0)
        return go_to(walk, fd);
    int error = errno;
    if (error != ENOTDIR && error != ELOOP)
        return -error;
    int result = follow_link(walk, name);
    return result == -EINVAL ? -ENOTDIR : result;
}

/* Opens the last component. Returns the descriptor, or a negative errno: -EINPROGRESS if it was a
 * link and the walk goes on. */
static int
arrive(struct walk *walk, const char *name, int flags, mode_t mode)
{
    struct stat status;
    int result = beneath_climb(walk->root_fd, -1, walk->fd);
    if (result != 0)
        return result;
    int fd = openat(walk->fd, name, flags | O_NOFOLLOW | O_CLOEXEC, mode);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISLNK(status.st_mode))
        return fd;
    if (fd >= 0)
        (void)close(fd);
    if (fd < 0 && error != ELOOP && error != ENOTDIR)
        return -error;
    result = follow_link(walk, name);
    if (result == 0)
        return -EINPROGRESS;
    if (result != -EINVAL)
        return result;
    return error == ENOTDIR ? -ENOTDIR : -EAGAIN; /* a link that is none any more */
}

/* Cuts the next component off what is to be followed. False if there is none; *last_r says whether
 * nothing comes behind it. */
static bool
take_component(struct walk *walk, char name[static PATH_MAX], bool *last_r)
{
    char *from = walk->rest + strspn(walk->rest, "/");
    size_t size = strcspn(from, "/");
    memcpy(name, from, size);
    name[size] = '\0';
    *last_r = from[size] == '\0';
    memmove(walk->rest, from + size, strlen(from + size) + 1);
    return size > 0;
}

/* One component. Returns the descriptor that was asked for, or -EINPROGRESS, or another negative
 * errno. */
static int
step(struct walk *walk, int flags, mode_t mode)
{
    char name[PATH_MAX];
    bool last = false;
    if (!take_component(walk, name, &last))
        return arrive(walk, ".", flags & ~O_CREAT, mode);
    int result = 0;
    if (strcmp(name, "..") == 0)
        result = go_to_parent(walk);
    else if (strcmp(name, ".") != 0 && last)
        return arrive(walk, name, flags, mode);
    else if (strcmp(name, ".") != 0)
        result = pass(walk, name);
    return result == 0 ? -EINPROGRESS : result;
}

static int
open_by_steps(int root_fd, const char *name, int flags, mode_t mode)
{
    struct walk walk = {.root_fd = root_fd, .fd = -1};
    size_t size = strlen(name);
    if (size >= sizeof(walk.rest))
        return -ENAMETOOLONG;
    memcpy(walk.rest, name, size + 1);
    int result = go_to_root(&walk);
    if (result == 0)
        result = -EINPROGRESS;
    /* Each step takes a component, and each of so many links brings a text of so many. */
    for (int steps = 0; result == -EINPROGRESS && steps < LINKS_MAX * PATH_MAX; steps++)
        result = step(&walk, flags, mode);
    if (walk.fd >= 0)
        (void)close(walk.fd);
    return result == -EINPROGRESS ? -ELOOP : result;
}

/* ---- by the kernel */

static int
open_by_kernel(int root_fd, const char *name, int flags, mode_t mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = (flags & O_CREAT) != 0 ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, root_fd, name, &how, sizeof(how));
    return fd >= 0 ? (int)fd : -errno;
}

int
beneath_open(int root_fd, const char *name, int flags, mode_t mode)
{
    int result = prepared.lacks_openat2 ? -ENOSYS : open_by_kernel(root_fd, name, flags, mode);
    /* -EAGAIN: something on the volume was renamed while it resolved. -EXDEV may mean that, too, or
     * an absolute link: the steps can tell. */
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        if (result != -EAGAIN && result != -EXDEV && result != -ENOSYS)
            return result;
        result = open_by_steps(root_fd, name, flags, mode);
        if (result != -EAGAIN)
            return result;
    }
    return result;
}

/* ---- at the start */

static void
note_root(char to[static PATH_MAX], const char *path)
{
    size_t size = strlen(path);
    while (size > 0 && path[size - 1] == '/')
        size--;
    if (path[0] != '/' || size >= PATH_MAX)
        size = 0;
    memcpy(to, path, size);
    to[size] = '\0';
}

int
beneath_prepare(const char *root, int root_fd)
{
    char *real = realpath(root, NULL);
    note_root(prepared.roots[0], root);
    note_root(prepared.roots[1], real == NULL ? "" : real);
    free(real);
    prepared.lacks_openat2 = false;
    int fd = open_by_kernel(root_fd, ".", O_PATH | O_DIRECTORY, 0);
    if (fd >= 0)
        (void)close(fd);
    bool lacks = fd == -ENOSYS || fd == -EPERM || fd == -EACCES;
    prepared.lacks_openat2 = lacks;
    return lacks ? fd : 0;
}
