/* output_path_test.c -- two spellings of a path are one output; nothing outside the root,
 * nothing in the segment directory and nothing but a regular file is ever opened; who is refused
 * changes nothing. */
#include "tests/unit/scratch.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "common/beneath.h"
#include "common/output_path.h"
#include "tests/unit/refused_calls.h"

#define ROOT "/volume"

/* ---- normalise */

static int
normalise(const char *path, size_t size, const char *root, char *name, const char **reason_r)
{
    char *exact = malloc(size == 0 ? 1 : size); /* ends where the path ends */
    assert_non_null(exact);
    memcpy(exact, path, size);
    memset(name, 'z', OUTPUT_NAME_BYTES_MAX);
    int result = output_path_normalise(name, (struct bytes){exact, size}, root, reason_r);
    free(exact);
    return result;
}

static void
expect_name(const char *path, const char *root, const char *expected)
{
    char name[OUTPUT_NAME_BYTES_MAX];
    const char *reason = NULL;
    assert_int_equal(normalise(path, strlen(path), root, name, &reason), 0);
    assert_string_equal(name, expected);
}

static void
expect_fault(const char *path, size_t size, const char *root, const char *expected)
{
    char name[OUTPUT_NAME_BYTES_MAX];
    const char *reason = NULL;
    assert_int_equal(normalise(path, size, root, name, &reason), -EINVAL);
    assert_non_null(reason);
    if (strstr(reason, expected) == NULL)
        assert_string_equal(reason, expected); /* shows both */
}

static void
test_spellings_of_one_path_are_one_name(void **state)
{
    (void)state;
    static const char *const table[][3] = {
        {"a", ROOT, "a"},
        {"a/b.log", ROOT, "a/b.log"},
        {"./a", ROOT, "a"},
        {"././a/./b", ROOT, "a/b"},
        {"a//b", ROOT, "a/b"},
        {"a////b/.//c", ROOT, "a/b/c"},
        {"/volume/a", ROOT, "a"},
        {"/volume/a/b", ROOT, "a/b"},
        {"/volume//a", ROOT, "a"},
        {"/volume/./a", ROOT, "a"},
        {"/volume/a", "/volume/", "a"},
        {"/volume/a", "/volume//", "a"},
        {"a", "/volume/", "a"},
        {"/srv/data/x/y", "/srv/data", "x/y"},
        {"/a/b", "/", "a/b"},
        {"volume/a", ROOT, "volume/a"},
        {"/volume/volume/a", ROOT, "volume/a"},
        {".a", ROOT, ".a"},
        {"..a/a../...", ROOT, "..a/a../..."},
        {"a b\\c\"d*?~", ROOT, "a b\\c\"d*?~"},
        {"caf\xc3\xa9/\x80\xff", ROOT, "caf\xc3\xa9/\x80\xff"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        expect_name(table[i][0], table[i][1], table[i][2]);
}

static void
test_paths_that_mean_no_file_beneath_the_root_are_refused(void **state)
{
    (void)state;
    static const char *const table[][3] = {
        {"", ROOT, "is empty"},
        {"/etc/passwd", ROOT, "is not beneath output.root"},
        {"/volumeX", ROOT, "is not beneath output.root"},
        {"/volumeX/a", ROOT, "is not beneath output.root"},
        {"/volumeX/a", "/volume/", "is not beneath output.root"},
        {"/volum", ROOT, "is not beneath output.root"},
        {"/Volume/a", ROOT, "is not beneath output.root"},
        {"/a", ROOT, "is not beneath output.root"},
        {"/volume", ROOT, ""},
        {"/volume/", ROOT, ""},
        {"/volume/.", ROOT, "names output.root itself"},
        {".", ROOT, "names output.root itself"},
        {"./.", ROOT, "names output.root itself"},
        {"/", ROOT, "slash"},
        {"/", "/", "slash"},
        {"//", ROOT, "slash"},
        {"a/", ROOT, "ends with a slash"},
        {"/volume/a/", ROOT, "ends with a slash"},
        {"..", ROOT, "\"..\""},
        {"../a", ROOT, "\"..\""},
        {"a/..", ROOT, "\"..\""},
        {"a/../b", ROOT, "\"..\""},
        {"a/./../b", ROOT, "\"..\""},
        {"/volume/../etc/passwd", ROOT, "\"..\""},
        {"/volume/..", ROOT, "\"..\""},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        expect_fault(table[i][0], strlen(table[i][0]), table[i][1], table[i][2]);
}

static void
test_control_characters_are_refused_wherever_they_stand(void **state)
{
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool control = byte < 0x20 || byte == 0x7f;
        for (size_t at = 0; at < 3; at++) {
            char path[4] = "xyz";
            path[at] = (char)byte;
            if (control)
                expect_fault(path, 3, ROOT, "control character");
            else if (byte != '/')
                expect_name(path, ROOT, path);
        }
    }
}

static void
test_a_component_has_255_bytes_at_most(void **state)
{
    (void)state;
    char path[600];
    memset(path, 'x', sizeof(path));
    memcpy(path, "a/", 2);
    path[2 + 255] = '\0';
    expect_name(path, ROOT, path);
    path[2 + 255] = 'x';
    expect_fault(path, 2 + 256, ROOT, "longer than 255 bytes");
    path[2 + 256] = '/';
    expect_fault(path, 2 + 258, ROOT, "longer than 255 bytes");
}

/* Components of 255 bytes; the 4095th byte is the last of the sixteenth. */
static void
test_a_path_has_4095_bytes_at_most(void **state)
{
    (void)state;
    char path[4098];
    for (size_t i = 0; i < sizeof(path); i++)
        path[i] = i % 256 == 255 ? '/' : 'x';
    path[4095] = '\0';
    expect_name(path, ROOT, path);
    path[4095] = 'x';
    expect_fault(path, 4096, ROOT, "longer than 4095 bytes");
    expect_fault(path, 4097, ROOT, "longer than 4095 bytes");
}

static char *
deep_path(const char *start, size_t components)
{
    char *path = calloc(1, strlen(start) + components * 2 + 1);
    assert_non_null(path);
    memcpy(path, start, strlen(start) + 1);
    for (size_t i = 0; i < components; i++)
        memcpy(path + strlen(start) + i * 2, i == components - 1 ? "d" : "d/", 2);
    return path;
}

static void
test_a_path_has_64_components_at_most(void **state)
{
    (void)state;
    char *path = deep_path("", 64);
    expect_name(path, ROOT, path);
    free(path);
    path = deep_path("", 65);
    expect_fault(path, strlen(path), ROOT, "more than 64 components");
    free(path);
    path = deep_path(ROOT "/", 65);
    expect_fault(path, strlen(path), ROOT, "more than 64 components");
    free(path);
}

static void
test_only_components_of_the_name_count(void **state)
{
    (void)state;
    char *name = deep_path("", 64);
    char *path = deep_path(ROOT "/", 64);
    expect_name(path, ROOT, name);
    free(path);
    path = deep_path("././/", 64);
    expect_name(path, ROOT, name);
    free(path);
    free(name);
}

/* ---- a real directory */

/*     base/outside/file                base/root/dir/inner        base/root/.seg/file */
struct fixture {
    struct scratch base;
    struct scratch root;
    int segments_fd;
    int socket_fd;
    mode_t umask;
};

static void
link_to(const struct fixture *f, const char *target, const char *name)
{
    assert_int_equal(symlinkat(target, f->root.fd, name), 0);
}

static void
make_links(const struct fixture *f)
{
    /* Behind the root's own path, or a path that only begins like it. */
    static const char *const absolute[][2] = {
        {"/file", "absolute"},
        {"//dir/./inner", "absolute_inner"},
        {"", "absolute_root"},
        {"/dir/../to_inner", "absolute_to_link"},
        {"/../root/file", "absolute_out_and_in"},
        {"/../outside/file", "absolute_out"},
        {"x/file", "absolute_beside"},
        {"/.seg/file", "absolute_seg"},
    };
    static const char *const links[][2] = {
        {"file", "to_file"},
        {"dir/inner", "to_inner"},
        {"to_inner", "to_to_inner"},
        {"../file", "dir/to_upper_file"},
        {"dir", "to_dir"},
        {"..", "dir/up"},
        {"to_dir/../file", "through_dir"},
        {"../outside/file", "to_outside_file"},
        {"../outside/new", "to_outside_new"},
        {"../outside", "to_outside"},
        {"..", "out"},
        {"../..", "dir/out"},
        {"../root/file", "out_and_in"},
        {"/dev/null", "to_device"},
        {"nowhere", "dangling"},
        {"nowhere/deeper", "dangling_deep"},
        {"loop", "loop"},
        {"loop_b", "loop_a"},
        {"loop_a", "loop_b"},
        {".seg", "to_seg"},
        {"../.seg", "dir/to_seg"},
        {".seg/new", "to_seg_new"},
        {"fifo", "to_fifo"},
    };
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        link_to(f, links[i][0], links[i][1]);
    for (size_t i = 0; i < sizeof(absolute) / sizeof(absolute[0]); i++) {
        char target[128];
        (void)snprintf(target, sizeof(target), "%s%s", f->root.path, absolute[i][0]);
        link_to(f, target, absolute[i][1]);
    }
}

static int
open_directory(const struct scratch *scratch, const char *name)
{
    assert_int_equal(mkdirat(scratch->fd, name, 0700), 0);
    int fd = openat(scratch->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static int
make_socket(const struct scratch *root)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.70s/socket", root->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->umask = umask(0);
    scratch_open(&f->base);
    (void)close(open_directory(&f->base, "outside"));
    f->root.fd = open_directory(&f->base, "root");
    (void)snprintf(f->root.path, sizeof(f->root.path), "%.40s/root", f->base.path);
    f->segments_fd = open_directory(&f->root, ".seg");
    (void)close(open_directory(&f->root, "dir"));
    (void)close(open_directory(&f->root, ".seg/quarantine"));
    scratch_put(&f->base, "outside/file", "outside", 7);
    scratch_put(&f->root, "file", "file", 4);
    scratch_put(&f->root, "dir/inner", "inner", 5);
    scratch_put(&f->root, ".seg/file", "segment", 7);
    assert_int_equal(mkfifoat(f->root.fd, "fifo", 0600), 0);
    f->socket_fd = make_socket(&f->root);
    make_links(f);
    (void)beneath_prepare(f->root.path, f->root.fd);
    (void)alarm(30); /* nothing here may wait */
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    (void)alarm(0);
    (void)umask(f->umask);
    (void)close(f->socket_fd);
    (void)close(f->segments_fd);
    (void)close(f->root.fd);
    scratch_close(&f->base);
    free(f);
    return 0;
}

static char tree[65536];
static size_t tree_used;

static int
add_to_tree(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)kind;
    (void)at;
    int length =
        snprintf(tree + tree_used, sizeof(tree) - tree_used, "%s %lu %o %ld %ld.%09ld\n", path,
                 (unsigned long)status->st_ino, status->st_mode, (long)status->st_size,
                 (long)status->st_mtim.tv_sec, status->st_mtim.tv_nsec);
    tree_used += length > 0 ? (size_t)length : 0;
    return length > 0 && tree_used < sizeof(tree) ? 0 : -1;
}

/* All there is beneath the base, as text; the caller frees. */
static char *
snapshot(const struct fixture *f)
{
    tree_used = 0;
    assert_int_equal(nftw(f->base.path, add_to_tree, 16, FTW_PHYS), 0);
    char *text = strdup(tree);
    assert_non_null(text);
    return text;
}

/* Expects the tree to be as it was, and frees `before`. */
static void
expect_unchanged(const struct fixture *f, char *before)
{
    char *after = snapshot(f);
    assert_string_equal(after, before);
    free(after);
    free(before);
}

static void
expect_open_refused(const struct fixture *f, const char *name, int error)
{
    char *before = snapshot(f);
    int fd = output_path_open(f->root.fd, f->segments_fd, name, 0640);
    if (error == 0)
        assert_true(fd < 0);
    else
        assert_int_equal(fd, error);
    expect_unchanged(f, before);
    before = snapshot(f);
    assert_true(output_path_open_existing(f->root.fd, f->segments_fd, name) < 0);
    expect_unchanged(f, before);
}

/* `error` is what opening gives, 0 for any. */
static void
expect_refused(const struct fixture *f, const char *name, const char *expected, int error)
{
    const char *reason = NULL;
    char *before = snapshot(f);
    assert_int_equal(output_path_check(f->root.fd, f->segments_fd, name, &reason), -EINVAL);
    assert_non_null(reason);
    if (strstr(reason, expected) == NULL)
        assert_string_equal(reason, expected); /* shows both */
    expect_unchanged(f, before);
    expect_open_refused(f, name, error);
}

static void
expect_checked(const struct fixture *f, const char *name)
{
    const char *reason = NULL;
    char *before = snapshot(f);
    assert_int_equal(output_path_check(f->root.fd, f->segments_fd, name, &reason), 0);
    assert_null(reason);
    expect_unchanged(f, before);
}

/* Opens, appends a "+", and expects the file at `really` to hold `text` then. */
static void
expect_appends(const struct fixture *f, const char *name, const char *really, const char *text)
{
    expect_checked(f, name);
    int fd = output_path_open(f->root.fd, f->segments_fd, name, 0640);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_WRONLY | O_APPEND);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(fd, "+", 1), 1);
    (void)close(fd);
    scratch_expect(&f->root, really, text);
}

static mode_t
mode_of(const struct fixture *f, const char *name)
{
    struct stat status;
    assert_int_equal(fstatat(f->root.fd, name, &status, AT_SYMLINK_NOFOLLOW), 0);
    return status.st_mode;
}

static void
test_a_file_is_appended_to(void **state)
{
    const struct fixture *f = *state;
    expect_appends(f, "file", "file", "file+");
    expect_appends(f, "dir/inner", "dir/inner", "inner+");
    expect_appends(f, "file", "file", "file++");
    assert_int_equal(mode_of(f, "file"), S_IFREG | 0600);
}

static void
test_a_missing_file_is_created_by_opening_only(void **state)
{
    const struct fixture *f = *state;
    expect_checked(f, "new");
    assert_int_equal(output_path_open_existing(f->root.fd, f->segments_fd, "new"), -ENOENT);
    assert_false(scratch_has(&f->root, "new"));
    expect_appends(f, "new", "new", "+");
    expect_appends(f, "dir/new", "dir/new", "+");
    assert_int_equal(mode_of(f, "dir/new"), S_IFREG | 0640);
}

static void
test_missing_directories_are_created_by_opening_only(void **state)
{
    const struct fixture *f = *state;
    expect_checked(f, "a/b/c/new");
    assert_int_equal(output_path_open_existing(f->root.fd, f->segments_fd, "a/b/c/new"), -ENOENT);
    assert_false(scratch_has(&f->root, "a"));
    expect_appends(f, "a/b/c/new", "a/b/c/new", "+");
    expect_appends(f, "a/b/c/new", "a/b/c/new", "++");
    expect_appends(f, "a/b/d/new", "a/b/d/new", "+");
}

static void
test_what_is_created_has_the_mode_and_directories_search_permission(void **state)
{
    const struct fixture *f = *state;
    static const mode_t modes[][2] = {{0600, 0700}, {0640, 0750}, {0644, 0755},
                                      {0664, 0775}, {0666, 0777}, {0604, 0705}};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "m%zu/n/file", i);
        int fd = output_path_open(f->root.fd, f->segments_fd, name, modes[i][0]);
        assert_true(fd >= 0);
        (void)close(fd);
        assert_int_equal(mode_of(f, name), S_IFREG | modes[i][0]);
        *strrchr(name, '/') = '\0';
        assert_int_equal(mode_of(f, name), S_IFDIR | modes[i][1]);
        *strrchr(name, '/') = '\0';
        assert_int_equal(mode_of(f, name), S_IFDIR | modes[i][1]);
    }
    assert_int_equal(mode_of(f, "dir"), S_IFDIR | 0700); /* what stands there stays as it is */
}

static void
test_what_is_no_regular_file_is_refused(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, "dir", "is a directory", -EISDIR);
    expect_refused(f, "to_dir", "is a directory", -EISDIR);
    expect_refused(f, "socket", "is a socket", -ENXIO);
    expect_refused(f, "file/below", "leads through something that is no directory", -ENOTDIR);
    expect_refused(f, "file/below/deeper", "leads through something that is no directory",
                   -ENOTDIR);
    expect_refused(f, "fifo/below", "leads through something that is no directory", -ENOTDIR);
}

static void
test_a_fifo_is_refused_without_waiting_with_a_reader_and_without(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, "fifo", "is a FIFO", -ENXIO);
    expect_refused(f, "to_fifo", "is a FIFO", -ENXIO);
    int reader = openat(f->root.fd, "fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    expect_refused(f, "fifo", "is a FIFO", -ENXIO);
    (void)close(reader);
}

static void
test_a_device_is_refused(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, "to_device", "leads out of output.root", -EXDEV);
    if (mknodat(f->root.fd, "device", S_IFCHR | 0600, makedev(1, 3)) != 0)
        return; /* only root may make one here */
    expect_refused(f, "device", "is a device", 0);
}

static void
test_links_that_stay_inside_are_followed(void **state)
{
    const struct fixture *f = *state;
    expect_appends(f, "to_file", "file", "file+");
    expect_appends(f, "dir/to_upper_file", "file", "file++");
    expect_appends(f, "to_dir/to_upper_file", "file", "file+++");
    expect_appends(f, "dir/up/file", "file", "file++++");
    expect_appends(f, "to_dir/up/to_dir/up/file", "file", "file+++++");
    expect_appends(f, "through_dir", "file", "file++++++");
    expect_appends(f, "to_inner", "dir/inner", "inner+");
    expect_appends(f, "to_to_inner", "dir/inner", "inner++");
    expect_appends(f, "to_dir/inner", "dir/inner", "inner+++");
    expect_appends(f, "to_dir/new", "dir/new", "+");
    expect_appends(f, "to_dir/a/b/new", "dir/a/b/new", "+");
    expect_appends(f, "dir/up/c/new", "c/new", "+");
    assert_true(S_ISLNK(mode_of(f, "to_file")));
}

/* They begin with the root's own path. */
static void
test_absolute_links_that_stay_inside_are_followed(void **state)
{
    const struct fixture *f = *state;
    expect_appends(f, "absolute", "file", "file+");
    expect_appends(f, "absolute_root/file", "file", "file++");
    expect_appends(f, "absolute_root/absolute", "file", "file+++");
    expect_appends(f, "absolute_root/new", "new", "+");
    expect_appends(f, "absolute_inner", "dir/inner", "inner+");
    expect_appends(f, "absolute_to_link", "dir/inner", "inner++");
    expect_refused(f, "absolute_seg", "segment directory", -EXDEV);
}

/* Where the root's path leads through a link itself, and where that ends. */
static void
test_absolute_links_may_have_either_path_of_the_root(void **state)
{
    const struct fixture *f = *state;
    char path[128];
    char target[160];
    (void)snprintf(path, sizeof(path), "%s/other_way", f->base.path);
    assert_int_equal(symlinkat("root", f->base.fd, "other_way"), 0);
    (void)beneath_prepare(path, f->root.fd);
    expect_appends(f, "absolute", "file", "file+");
    (void)snprintf(target, sizeof(target), "%s/file", path);
    link_to(f, target, "absolute_other_way");
    expect_appends(f, "absolute_other_way", "file", "file++");
}

/* Somebody moves a directory out of the root and back, as fast as can be. */
static void
move_about(const struct fixture *f)
{
    for (;;) {
        (void)renameat(f->root.fd, "dir", f->base.fd, "outside/dir");
        (void)renameat(f->base.fd, "outside/dir", f->root.fd, "dir");
    }
}

static void
test_what_is_moved_out_meanwhile_is_nobodys_fault(void **state)
{
    const struct fixture *f = *state;
    pid_t mover = fork();
    assert_true(mover >= 0);
    if (mover == 0)
        move_about(f);
    int wrong = 0;
    for (int i = 0; i < 20000; i++) {
        const char *reason = NULL;
        int result = output_path_check(f->root.fd, f->segments_fd, "dir/inner", &reason);
        wrong += result != 0 && result != -EAGAIN ? 1 : 0;
        int fd = output_path_open_existing(f->root.fd, f->segments_fd, "dir/inner");
        wrong += fd < 0 && fd != -EAGAIN && fd != -ENOENT ? 1 : 0;
        if (fd >= 0)
            (void)close(fd);
    }
    assert_int_equal(kill(mover, SIGKILL), 0);
    assert_int_equal(waitpid(mover, NULL, 0), mover);
    (void)renameat(f->base.fd, "outside/dir", f->root.fd, "dir");
    assert_int_equal(wrong, 0);
}

static void
test_links_that_lead_out_are_refused(void **state)
{
    const struct fixture *f = *state;
    static const char *const names[] = {
        "to_outside_file",       "to_outside_new",       "to_outside",   "to_outside/file",
        "to_outside/new",        "to_outside/a/new",     "out",          "out/new",
        "out/root/file",         "out/root/.seg/new",    "out_and_in",   "dir/out/outside/file",
        "dir/up/out/new",        "absolute_out_and_in",  "absolute_out", "absolute_beside",
        "absolute_beside/below", "to_dir/out/new/deeper"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        expect_refused(f, names[i], "leads out of output.root", -EXDEV);
}

static void
test_links_to_nothing_and_in_circles_are_refused(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, "dangling", "leads to a symbolic link to nothing", 0);
    expect_refused(f, "dangling_deep", "leads to a symbolic link to nothing", 0);
    expect_refused(f, "to_dir/up/dangling", "leads to a symbolic link to nothing", 0);
    expect_refused(f, "loop", "leads through a loop of symbolic links", -ELOOP);
    expect_refused(f, "loop_a", "leads through a loop of symbolic links", -ELOOP);
    expect_refused(f, "loop/below", "leads through a loop of symbolic links", -ELOOP);
    expect_refused(f, "loop_b/a/b/c", "leads through a loop of symbolic links", -ELOOP);
}

static void
test_a_directory_that_is_a_link_to_nothing_is_refused(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, "dangling/new", "", 0);
    expect_refused(f, "dangling/a/new", "", 0);
}

static void
test_the_segment_directory_and_its_files_are_refused(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, ".seg", "", 0);
    expect_refused(f, ".seg/file", "into the segment directory", -EXDEV);
    expect_refused(f, ".seg/new", "into the segment directory", -EXDEV);
    expect_refused(f, ".seg/quarantine/new", "into the segment directory", -EXDEV);
    expect_refused(f, "to_seg", "", 0);
    expect_refused(f, "to_seg/file", "into the segment directory", -EXDEV);
    expect_refused(f, "to_seg/new", "into the segment directory", -EXDEV);
    expect_refused(f, "dir/to_seg/file", "into the segment directory", -EXDEV);
    expect_refused(f, "dir/up/to_seg/quarantine/new", "into the segment directory", -EXDEV);
    expect_refused(f, "to_seg_new", "", 0);
}

static void
test_no_directory_is_made_in_the_segment_directory(void **state)
{
    const struct fixture *f = *state;
    expect_refused(f, ".seg/a/new", "into the segment directory", -EXDEV);
    expect_refused(f, "to_seg/a/b/new", "into the segment directory", -EXDEV);
    expect_refused(f, "dir/to_seg/a/new", "into the segment directory", -EXDEV);
}

static void
test_a_link_to_a_file_in_the_segment_directory_is_refused(void **state)
{
    const struct fixture *f = *state;
    link_to(f, ".seg/file", "to_seg_file");
    link_to(f, "../to_seg/file", "dir/to_seg_file");
    expect_refused(f, "to_seg_file", "into the segment directory", -EXDEV);
    expect_refused(f, "dir/to_seg_file", "into the segment directory", -EXDEV);
}

static void
test_a_segment_directory_elsewhere_stands_in_nobodys_way(void **state)
{
    struct fixture *f = *state;
    (void)close(f->segments_fd);
    f->segments_fd = open_directory(&f->base, "segments");
    expect_appends(f, ".seg/file", ".seg/file", "segment+");
    expect_appends(f, "a/b", "a/b", "+");
}

static void
test_the_deepest_name_there_can_be_is_created(void **state)
{
    const struct fixture *f = *state;
    char *name = deep_path("", 64);
    expect_appends(f, name, name, "+");
    expect_appends(f, name, name, "++");
    free(name);
}

static void
test_descriptors_do_not_leak(void **state)
{
    const struct fixture *f = *state;
    static const char *const names[] = {"file",       "new",     "p/q/new",   ".seg/file", "fifo",
                                        "to_outside", "loop/x",  "dangling",  "file/x",    "dir",
                                        "to_device",  "to_file", "to_seg/new"};
    int before = dup(0);
    (void)close(before);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *reason;
        uint64_t device;
        uint64_t inode;
        (void)output_path_check(f->root.fd, f->segments_fd, names[i], &reason);
        int fd = output_path_open_existing(f->root.fd, f->segments_fd, names[i]);
        (void)(fd >= 0 && close(fd));
        fd = output_path_open(f->root.fd, f->segments_fd, names[i], 0640);
        (void)(fd >= 0 && close(fd));
        (void)output_path_identify(f->root.fd, names[i], &device, &inode);
    }
    int after = dup(0);
    (void)close(after);
    assert_int_equal(after, before);
}

static void
test_identity_is_that_of_the_file_a_name_leads_to(void **state)
{
    const struct fixture *f = *state;
    uint64_t device = 0;
    uint64_t inode = 0;
    struct stat status;
    assert_int_equal(fstatat(f->root.fd, "dir/inner", &status, 0), 0);
    assert_int_equal(output_path_identify(f->root.fd, "to_inner", &device, &inode), 0);
    assert_int_equal(device, status.st_dev);
    assert_int_equal(inode, status.st_ino);
    assert_int_equal(output_path_identify(f->root.fd, "new", &device, &inode), -ENOENT);
    assert_int_equal(output_path_identify(f->root.fd, "a/new", &device, &inode), -ENOENT);
    assert_int_equal(output_path_identify(f->root.fd, "out/outside/file", &device, &inode), -EXDEV);
}

/* ---- permissions, as a user who has not all of them */

static int
check_as_nobody(const struct fixture *f, const char *name, const char **reason_r)
{
    return output_path_check(f->root.fd, f->segments_fd, name, reason_r);
}

/* Exits with 0 if all is as it should be, else with the number of the look that was wrong. */
static void
look_as_nobody(const struct fixture *f)
{
    static const char *const refused[] = {"file", "readonly/file", "readonly/new", "readonly/a/new",
                                          "closed/new"};
    const char *reason = NULL;
    if (geteuid() == 0 &&
        (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
        _exit(100);
    for (int i = 0; i < 5; i++) {
        if (check_as_nobody(f, refused[i], &reason) != -EINVAL || reason == NULL ||
            strcmp(reason, "cannot be written by the adapter") != 0)
            _exit(1 + i);
    }
    _exit(check_as_nobody(f, "open/new", &reason) == 0 ? 0 : 50);
}

static void
test_what_the_adapter_may_not_write_is_refused(void **state)
{
    const struct fixture *f = *state;
    static const char *const names[] = {"readonly", "closed", "open"};
    static const mode_t modes[] = {0555, 0644, 0777};
    for (size_t i = 0; i < 3; i++)
        (void)close(open_directory(&f->root, names[i]));
    scratch_put(&f->root, "readonly/file", "", 0);
    assert_int_equal(fchmodat(f->root.fd, "readonly/file", 0444, 0), 0);
    assert_int_equal(fchmodat(f->root.fd, "file", 0444, 0), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fchmodat(f->root.fd, names[i], modes[i], 0), 0);
    assert_int_equal(fchmod(f->root.fd, 0755), 0);
    assert_int_equal(fchmod(f->base.fd, 0755), 0);
    int status = -1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        look_as_nobody(f);
    assert_int_equal(waitpid(child, &status, 0), child);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(fchmodat(f->root.fd, names[i], 0700, 0), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spellings_of_one_path_are_one_name),
        cmocka_unit_test(test_paths_that_mean_no_file_beneath_the_root_are_refused),
        cmocka_unit_test(test_control_characters_are_refused_wherever_they_stand),
        cmocka_unit_test(test_a_component_has_255_bytes_at_most),
        cmocka_unit_test(test_a_path_has_4095_bytes_at_most),
        cmocka_unit_test(test_a_path_has_64_components_at_most),
        cmocka_unit_test(test_only_components_of_the_name_count),
        TEST(test_a_file_is_appended_to),
        TEST(test_a_missing_file_is_created_by_opening_only),
        TEST(test_missing_directories_are_created_by_opening_only),
        TEST(test_what_is_created_has_the_mode_and_directories_search_permission),
        TEST(test_what_is_no_regular_file_is_refused),
        TEST(test_a_fifo_is_refused_without_waiting_with_a_reader_and_without),
        TEST(test_a_device_is_refused),
        TEST(test_links_that_stay_inside_are_followed),
        TEST(test_absolute_links_that_stay_inside_are_followed),
        TEST(test_absolute_links_may_have_either_path_of_the_root),
        TEST(test_what_is_moved_out_meanwhile_is_nobodys_fault),
        TEST(test_links_that_lead_out_are_refused),
        TEST(test_links_to_nothing_and_in_circles_are_refused),
        TEST(test_a_directory_that_is_a_link_to_nothing_is_refused),
        TEST(test_the_segment_directory_and_its_files_are_refused),
        TEST(test_no_directory_is_made_in_the_segment_directory),
        TEST(test_a_link_to_a_file_in_the_segment_directory_is_refused),
        TEST(test_a_segment_directory_elsewhere_stands_in_nobodys_way),
        TEST(test_the_deepest_name_there_can_be_is_created),
        TEST(test_descriptors_do_not_leak),
        TEST(test_identity_is_that_of_the_file_a_name_leads_to),
        TEST(test_what_the_adapter_may_not_write_is_refused),
    };
    int failed = cmocka_run_group_tests_name("with openat2", tests, NULL, NULL);
    /* Once more as on an old kernel, or in a sandbox. */
    if (!refuse_call(SYS_openat2, EPERM, 0, 0))
        return failed;
    return failed + cmocka_run_group_tests_name("without openat2", tests, NULL, NULL);
}
