/* disk.c -- what a power cut leaves; disk.h.
 *
 * A file is a list of the pages that are not all zero. The tree is a list of entries, looked at
 * whole after each change: what is new, gone or elsewhere since the last look are the changes, in
 * order. The calls used here are none of those that calls.c stands between.
 */
#define _FILE_OFFSET_BITS 64
#include "tests/crash/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/crash/random.h"

#define PAGE_BYTES 4096U
#define SECTOR_BYTES 512U
#define FILES_MAX 512U
#define ENTRIES_MAX 256U
#define CHANGES_MAX 4096U

struct page {
    uint64_t index;
    unsigned char bytes[PAGE_BYTES];
};

/* What is in a file. */
struct content {
    uint64_t size;
    struct page *pages; /* in order */
    size_t count;
};

/* A file that was seen in the tree, what of it is on the disk, and which pages, by index, the
 * kernel calls clean although the disk lacks them. */
struct file {
    ino_t inode;
    struct content durable;
    uint64_t *lost;
    size_t lost_count;
};

/* One name in the tree. */
struct entry {
    ino_t directory;
    ino_t inode;
    bool is_directory;
    char name[NAME_MAX + 1];
};

struct tree {
    struct entry entries[ENTRIES_MAX];
    size_t count;
};

/* A change that is not yet on the disk: `from` is gone, `to` is there; inode 0 = none. */
struct change {
    struct entry from;
    struct entry to;
};

struct disk {
    char volume[PATH_MAX];
    char kept[PATH_MAX]; /* where it is left to the next process */
    char graveyard[PATH_MAX];
    ino_t root;
    struct random random;
    struct file files[FILES_MAX];
    size_t file_count;
    struct tree now;
    struct tree durable;
    struct change changes[CHANGES_MAX];
    size_t change_count;
};

extern int __real_open(const char *path, int flags, ...);
extern void *__real_calloc(size_t count, size_t size);
extern void *__real_realloc(void *memory, size_t size);
extern ssize_t __real_pwrite(int fd, const void *from, size_t size, off_t at);
extern int __real_ftruncate(int fd, off_t size);
extern int __real_mkdir(const char *path, mode_t mode);

static void
require(bool condition, const char *what)
{
    if (condition)
        return;
    (void)fprintf(stderr, "the disk of the test: %s: %s\n", what, strerror(errno));
    abort();
}

static void *
grown(void *list, size_t count, size_t size)
{
    void *larger = __real_realloc(list, count * size);
    require(larger != NULL, "realloc");
    return larger;
}

/* ---- contents */

static const struct page *
find_page(const struct content *content, uint64_t index)
{
    for (size_t i = 0; i < content->count; i++) {
        if (content->pages[i].index == index)
            return &content->pages[i];
    }
    return NULL;
}

/* Reads the pages between two offsets, of which the file system says that they may hold data. */
static void
read_pages(struct content *content, int fd, off_t from, off_t end)
{
    static const unsigned char zeros[PAGE_BYTES];
    for (uint64_t index = (uint64_t)from / PAGE_BYTES; index * PAGE_BYTES < (uint64_t)end;
         index++) {
        struct page page = {.index = index};
        ssize_t got = lseek(fd, (off_t)(index * PAGE_BYTES), SEEK_SET) < 0
                          ? -1
                          : read(fd, page.bytes, PAGE_BYTES);
        require(got >= 0, "read");
        if (memcmp(page.bytes, zeros, PAGE_BYTES) == 0)
            continue;
        content->pages = grown(content->pages, content->count + 1, sizeof(page));
        content->pages[content->count++] = page;
    }
}

static void
set_page(struct content *content, const struct page *page)
{
    size_t i = 0;
    while (i < content->count && content->pages[i].index < page->index)
        i++;
    if (i == content->count || content->pages[i].index != page->index) {
        content->pages = grown(content->pages, content->count + 1, sizeof(*page));
        memmove(&content->pages[i + 1], &content->pages[i], (content->count - i) * sizeof(*page));
        content->count++;
    }
    content->pages[i] = *page;
}

static struct content
read_content(const char *path)
{
    struct content content = {.size = 0};
    struct stat status;
    int fd = __real_open(path, O_RDONLY | O_CLOEXEC);
    require(fd >= 0 && stat(path, &status) == 0, path);
    content.size = (uint64_t)status.st_size;
    off_t from = 0;
    while ((from = lseek(fd, from, SEEK_DATA)) >= 0) {
        off_t end = lseek(fd, from, SEEK_HOLE);
        require(end > from, "lseek");
        read_pages(&content, fd, from, end);
        from = end;
    }
    (void)close(fd);
    return content;
}

static void
write_content(const char *path, const struct content *content)
{
    int fd = __real_open(path, O_WRONLY | O_CLOEXEC);
    require(fd >= 0 && __real_ftruncate(fd, 0) == 0 &&
                __real_ftruncate(fd, (off_t)content->size) == 0,
            path);
    for (size_t i = 0; i < content->count; i++) {
        uint64_t at = content->pages[i].index * PAGE_BYTES;
        if (at >= content->size)
            continue;
        size_t size = content->size - at < PAGE_BYTES ? (size_t)(content->size - at) : PAGE_BYTES;
        require(__real_pwrite(fd, content->pages[i].bytes, size, (off_t)at) == (ssize_t)size, path);
    }
    (void)close(fd);
}

static void
path_in_graveyard(const struct disk *disk, ino_t inode, char path[static PATH_MAX])
{
    int length = snprintf(path, PATH_MAX, "%s/%llu", disk->graveyard, (unsigned long long)inode);
    require(length > 0 && length < PATH_MAX, "path");
}

/* ---- the tree */

static struct file *
find_file(struct disk *disk, ino_t inode)
{
    for (size_t i = 0; i < disk->file_count; i++) {
        if (disk->files[i].inode == inode)
            return &disk->files[i];
    }
    return NULL;
}

/* Remembers a file that was not seen before, with nothing of it on the disk. */
static void
meet_file(struct disk *disk, ino_t inode, const char *path)
{
    char kept[PATH_MAX];
    if (find_file(disk, inode) != NULL)
        return;
    require(disk->file_count < FILES_MAX, "too many files");
    disk->files[disk->file_count++] = (struct file){.inode = inode};
    path_in_graveyard(disk, inode, kept);
    require(link(path, kept) == 0 || errno == EEXIST, kept);
}

/* nftw() has no argument to pass on. */
static struct disk *looking;
static struct tree *seen;

static int
see_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)kind;
    if (at->level == 0)
        return 0;
    char parent[PATH_MAX];
    struct stat above;
    (void)snprintf(parent, sizeof(parent), "%.*s", at->base - 1, path);
    require(stat(parent, &above) == 0 && seen->count < ENTRIES_MAX, parent);
    struct entry *entry = &seen->entries[seen->count++];
    *entry = (struct entry){above.st_ino, status->st_ino, S_ISDIR(status->st_mode), ""};
    (void)snprintf(entry->name, sizeof(entry->name), "%s", path + at->base);
    if (S_ISREG(status->st_mode))
        meet_file(looking, status->st_ino, path);
    return 0;
}

static void
look(struct disk *disk, struct tree *tree)
{
    looking = disk;
    seen = tree;
    tree->count = 0;
    require(nftw(disk->volume, see_entry, 16, FTW_PHYS) == 0, disk->volume);
}

static bool
same_entry(const struct entry *a, const struct entry *b)
{
    return a->directory == b->directory && a->inode == b->inode && strcmp(a->name, b->name) == 0;
}

static bool
has_entry(const struct tree *tree, const struct entry *entry)
{
    for (size_t i = 0; i < tree->count; i++) {
        if (same_entry(&tree->entries[i], entry))
            return true;
    }
    return false;
}

/* Where the inode was before, if it stands there no more: it was renamed. */
static const struct entry *
find_moved(const struct tree *before, const struct tree *after, ino_t inode)
{
    for (size_t i = 0; i < before->count; i++) {
        if (before->entries[i].inode == inode && !has_entry(after, &before->entries[i]))
            return &before->entries[i];
    }
    return NULL;
}

static bool
is_in_changes(const struct disk *disk, size_t first, const struct entry *from)
{
    for (size_t i = first; i < disk->change_count; i++) {
        if (same_entry(&disk->changes[i].from, from))
            return true;
    }
    return false;
}

void
disk_note_changes(struct disk *disk)
{
    static struct tree before;
    static const struct entry none;
    before = disk->now;
    look(disk, &disk->now);
    size_t first = disk->change_count;
    for (size_t i = 0; i < disk->now.count; i++) {
        const struct entry *to = &disk->now.entries[i];
        if (has_entry(&before, to))
            continue;
        const struct entry *from = find_moved(&before, &disk->now, to->inode);
        require(disk->change_count < CHANGES_MAX, "too many changes");
        disk->changes[disk->change_count++] = (struct change){from != NULL ? *from : none, *to};
    }
    for (size_t i = 0; i < before.count; i++) {
        const struct entry *from = &before.entries[i];
        if (has_entry(&disk->now, from) || is_in_changes(disk, first, from))
            continue;
        require(disk->change_count < CHANGES_MAX, "too many changes");
        disk->changes[disk->change_count++] = (struct change){*from, none};
    }
}

/* Brings a change to the disk. */
static void
apply(struct tree *tree, const struct change *change)
{
    size_t kept = 0;
    for (size_t i = 0; i < tree->count; i++) {
        const struct entry *entry = &tree->entries[i];
        bool replaced = change->to.inode != 0 && entry->directory == change->to.directory &&
                        strcmp(entry->name, change->to.name) == 0;
        if (!replaced && !same_entry(entry, &change->from))
            tree->entries[kept++] = *entry;
    }
    tree->count = kept;
    if (change->to.inode != 0) {
        require(tree->count < ENTRIES_MAX, "too many entries");
        tree->entries[tree->count++] = change->to;
    }
}

/* ---- syncing */

/* What the kernel has in memory and would write: the pages it calls clean are the disk's. */
static struct content
read_writable(const struct disk *disk, const struct file *file)
{
    char path[PATH_MAX];
    path_in_graveyard(disk, file->inode, path);
    struct content content = read_content(path);
    for (size_t i = 0; i < file->lost_count; i++) {
        const struct page *old = find_page(&file->durable, file->lost[i]);
        struct page page = {.index = file->lost[i]};
        if (old != NULL)
            page = *old;
        set_page(&content, &page);
    }
    return content;
}

static void
sync_file(struct disk *disk, struct file *file)
{
    struct content content = read_writable(disk, file);
    free(file->durable.pages);
    file->durable = content;
}

static bool
is_lost(const struct file *file, uint64_t index)
{
    for (size_t i = 0; i < file->lost_count; i++) {
        if (file->lost[i] == index)
            return true;
    }
    return false;
}

/* Calls clean what the disk lacks. */
static void
lose_pages(struct disk *disk, struct file *file)
{
    static const struct page zeros;
    struct content now = read_writable(disk, file);
    for (size_t i = 0; i < now.count; i++) {
        const struct page *old = find_page(&file->durable, now.pages[i].index);
        const unsigned char *bytes = old == NULL ? zeros.bytes : old->bytes;
        if (memcmp(bytes, now.pages[i].bytes, PAGE_BYTES) == 0 || is_lost(file, now.pages[i].index))
            continue;
        file->lost = grown(file->lost, file->lost_count + 1, sizeof(*file->lost));
        file->lost[file->lost_count++] = now.pages[i].index;
    }
    free(now.pages);
}

static ino_t
changed_inode(const struct change *change)
{
    return change->from.inode != 0 ? change->from.inode : change->to.inode;
}

/* Which changes a sync of that directory brings to the disk: those in it, and what happened to the
 * same files before, or they would end up under two names. */
static void
choose_changes(const struct disk *disk, ino_t directory, bool chosen[static CHANGES_MAX])
{
    for (size_t i = disk->change_count; i-- > 0;) {
        const struct change *change = &disk->changes[i];
        chosen[i] = change->from.directory == directory || change->to.directory == directory;
        for (size_t j = i + 1; j < disk->change_count && !chosen[i]; j++)
            chosen[i] = chosen[j] && changed_inode(&disk->changes[j]) == changed_inode(change);
    }
}

static void
sync_directory(struct disk *disk, ino_t inode)
{
    static bool chosen[CHANGES_MAX];
    size_t kept = 0;
    choose_changes(disk, inode, chosen);
    for (size_t i = 0; i < disk->change_count; i++) {
        const struct change *change = &disk->changes[i];
        if (chosen[i])
            apply(&disk->durable, change);
        else
            disk->changes[kept++] = *change;
    }
    disk->change_count = kept;
}

static struct stat
status_of(int fd)
{
    char link[64];
    struct stat status;
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    require(stat(link, &status) == 0, link);
    return status;
}

void
disk_note_sync(struct disk *disk, int fd)
{
    struct stat status = status_of(fd);
    struct file *file = find_file(disk, status.st_ino);
    if (S_ISDIR(status.st_mode))
        sync_directory(disk, status.st_ino);
    else if (file != NULL)
        sync_file(disk, file);
}

void
disk_note_failed_sync(struct disk *disk, int fd)
{
    struct file *file = find_file(disk, status_of(fd).st_ino);
    if (file != NULL)
        lose_pages(disk, file);
}

void
disk_note_write(struct disk *disk, int fd, uint64_t at, uint64_t size)
{
    struct file *file = find_file(disk, status_of(fd).st_ino);
    size_t kept = 0;
    for (size_t i = 0; file != NULL && i < file->lost_count; i++) {
        uint64_t begin = file->lost[i] * PAGE_BYTES;
        if (begin >= at + size || begin + PAGE_BYTES <= at)
            file->lost[kept++] = file->lost[i];
    }
    if (file != NULL)
        file->lost_count = kept;
}

void
disk_sync_all(struct disk *disk)
{
    for (size_t i = 0; i < disk->file_count; i++) {
        disk->files[i].lost_count = 0;
        sync_file(disk, &disk->files[i]);
    }
    disk->durable = disk->now;
    disk->change_count = 0;
}

/* ---- from one process to the next */

/* Moves `count` items of `size` bytes between memory and a file. */
static void
move_out(FILE *file, const void *from, size_t count, size_t size)
{
    require(fwrite(from, size, count, file) == count, "write of the disk");
}

static void
move_in(FILE *file, void *to, size_t count, size_t size)
{
    require(fread(to, size, count, file) == count, "read of the disk");
}

void
disk_keep(struct disk *disk)
{
    FILE *file = fopen(disk->kept, "we");
    require(file != NULL, disk->kept);
    move_out(file, disk, 1, sizeof(*disk)); /* the pointers in it are made anew */
    for (size_t i = 0; i < disk->file_count; i++) {
        const struct file *kept = &disk->files[i];
        move_out(file, kept->durable.pages, kept->durable.count, sizeof(struct page));
        move_out(file, kept->lost, kept->lost_count, sizeof(*kept->lost));
    }
    require(fclose(file) == 0, disk->kept);
}

/* Reads what disk_keep() left. False if there is nothing. */
static bool
take_up(struct disk *disk)
{
    FILE *file = fopen(disk->kept, "re");
    if (file == NULL)
        return false;
    move_in(file, disk, 1, sizeof(*disk));
    for (size_t i = 0; i < disk->file_count; i++) {
        struct file *kept = &disk->files[i];
        kept->durable.pages = grown(NULL, kept->durable.count + 1, sizeof(struct page));
        kept->lost = grown(NULL, kept->lost_count + 1, sizeof(*kept->lost));
        move_in(file, kept->durable.pages, kept->durable.count, sizeof(struct page));
        move_in(file, kept->lost, kept->lost_count, sizeof(*kept->lost));
    }
    (void)fclose(file);
    return true;
}

static int
remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    return at->level == 0 ? 0 : remove(path);
}

/* A disk that has all there is in the tree. */
static void
begin(struct disk *disk)
{
    struct stat status;
    require(__real_mkdir(disk->graveyard, 0700) == 0 || errno == EEXIST, disk->graveyard);
    require(nftw(disk->graveyard, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0, disk->graveyard);
    require(stat(disk->volume, &status) == 0, disk->volume);
    disk->root = status.st_ino;
    look(disk, &disk->now);
    disk_sync_all(disk);
}

void
disk_open(struct disk **out, const char *base, uint64_t seed)
{
    struct disk *disk = __real_calloc(1, sizeof(*disk));
    require(disk != NULL, "calloc");
    (void)snprintf(disk->volume, sizeof(disk->volume), "%s/volume", base);
    (void)snprintf(disk->graveyard, sizeof(disk->graveyard), "%s/graveyard", base);
    (void)snprintf(disk->kept, sizeof(disk->kept), "%s/disk", base);
    if (!take_up(disk))
        begin(disk);
    random_seed(&disk->random, seed);
    *out = disk;
}

/* ---- the power cut */

/* Whether a change builds on an earlier one: it gives away the name that the other has freed, or
 * moves the same file on. */
static bool
builds_on(const struct change *change, const struct change *earlier)
{
    if (earlier->from.inode == 0 || change->to.inode == 0)
        return false;
    bool same_name = change->to.directory == earlier->from.directory &&
                     strcmp(change->to.name, earlier->from.name) == 0;
    return same_name || change->from.inode == earlier->from.inode;
}

/* What of the changes comes through: up to some point, or each or not, but none without those it
 * builds on. */
static void
cut_tree(struct disk *disk)
{
    static bool is_through[CHANGES_MAX];
    bool in_order = random_below(&disk->random, 2) == 0;
    size_t through = random_below(&disk->random, disk->change_count + 1);
    for (size_t i = 0; i < disk->change_count; i++) {
        is_through[i] = in_order ? i < through : random_below(&disk->random, 2) == 0;
        for (size_t j = 0; j < i && is_through[i]; j++)
            is_through[i] = is_through[j] || !builds_on(&disk->changes[i], &disk->changes[j]);
        if (is_through[i])
            apply(&disk->durable, &disk->changes[i]);
    }
}

/* One page as the cut leaves it: the old, the new, or sectors of both. */
static struct page
cut_page(struct disk *disk, const struct page *before, const struct page *after, uint64_t index)
{
    struct page page = {.index = index};
    uint64_t choice = random_below(&disk->random, 5);
    for (size_t at = 0; at < PAGE_BYTES; at += SECTOR_BYTES) {
        bool is_new = choice == 4 ? random_below(&disk->random, 2) == 0 : choice < 2;
        const struct page *from = is_new ? after : before;
        if (from != NULL)
            memcpy(page.bytes + at, from->bytes + at, SECTOR_BYTES);
    }
    return page;
}

static struct content
cut_content(struct disk *disk, const struct content *before, const struct content *after)
{
    struct content left = {.size =
                               random_below(&disk->random, 2) == 0 ? before->size : after->size};
    uint64_t choice = random_below(&disk->random, 4);
    uint64_t pages = (left.size + PAGE_BYTES - 1) / PAGE_BYTES;
    for (uint64_t index = 0; index < pages; index++) {
        const struct page *old = find_page(before, index);
        const struct page *new = find_page(after, index);
        if (old == NULL && new == NULL)
            continue;
        left.pages = grown(left.pages, left.count + 1, sizeof(*left.pages));
        left.pages[left.count++] = choice == 0   ? cut_page(disk, old, old, index)
                                   : choice == 1 ? cut_page(disk, new, new, index)
                                                 : cut_page(disk, old, new, index);
    }
    return left;
}

static void
cut_files(struct disk *disk)
{
    for (size_t i = 0; i < disk->file_count; i++) {
        char path[PATH_MAX];
        path_in_graveyard(disk, disk->files[i].inode, path);
        struct content now = read_writable(disk, &disk->files[i]);
        struct content left = cut_content(disk, &disk->files[i].durable, &now);
        write_content(path, &left);
        free(now.pages);
        free(left.pages);
    }
}

/* Makes what is in one directory, as far as it can be reached. */
static void
build_directory(const struct disk *disk, ino_t inode, const char *path, int depth)
{
    require(depth < 8 && (__real_mkdir(path, 0700) == 0 || errno == EEXIST), path);
    for (size_t i = 0; i < disk->durable.count; i++) {
        const struct entry *entry = &disk->durable.entries[i];
        char to[PATH_MAX];
        char from[PATH_MAX];
        if (entry->directory != inode)
            continue;
        require(snprintf(to, sizeof(to), "%s/%s", path, entry->name) < PATH_MAX, to);
        path_in_graveyard(disk, entry->inode, from);
        if (entry->is_directory)
            build_directory(disk, entry->inode, to, depth + 1);
        else
            require(link(from, to) == 0, to);
    }
}

void
disk_lose_power(struct disk *disk)
{
    cut_tree(disk);
    cut_files(disk);
    require(nftw(disk->volume, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0, disk->volume);
    build_directory(disk, disk->root, disk->volume, 0);
    require(unlink(disk->kept) == 0 || errno == ENOENT, disk->kept);
}
