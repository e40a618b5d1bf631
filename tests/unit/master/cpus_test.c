/* cpus_test.c -- the quota of control groups, from directories that look like theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "master/cpus.h"

static char mount[64];
static char membership[96];

/* Writes MOUNT/PATH, making the directories on its way. */
static void
put(const char *path, const char *text)
{
    char whole[256];
    (void)snprintf(whole, sizeof(whole), "%s/%s", mount, path);
    for (char *slash = strchr(whole + strlen(mount) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void
assert_quota(const char *lines, uint32_t expected)
{
    put("membership", lines);
    assert_int_equal(cpus_quota(membership, mount), expected);
}

static int
make_mount(void **state)
{
    (void)state;
    (void)strcpy(mount, "/tmp/cpus_test.XXXXXX");
    if (mkdtemp(mount) == NULL)
        return -1;
    (void)snprintf(membership, sizeof(membership), "%s/membership", mount);
    return 0;
}

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

static int
remove_mount(void **state)
{
    (void)state;
    return nftw(mount, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void
test_version_2(void **state)
{
    (void)state;
    put("a/b/cpu.max", "max 100000\n");
    assert_quota("0::/a/b\n", 0);
    put("a/b/cpu.max", "200000 100000\n");
    assert_quota("0::/a/b\n", 2);
    put("a/b/cpu.max", "200001 100000\n");
    assert_quota("0::/a/b\n", 3);
    put("a/b/cpu.max", "1000 100000\n");
    assert_quota("0::/a/b\n", 1);
    put("a/b/cpu.max", "99999999999 100000\n");
    assert_quota("0::/a/b\n", CPUS_MAX);
}

static void
test_the_least_on_the_way_up_counts(void **state)
{
    (void)state;
    put("a/b/cpu.max", "400000 100000\n");
    put("a/cpu.max", "150000 50000\n");
    assert_quota("0::/a/b\n", 3);
    put("cpu.max", "100000 100000\n");
    assert_quota("0::/a/b\n", 1);
    assert_quota("0::/\n", 1);
}

static void
test_a_group_named_as_the_host_sees_it(void **state)
{
    (void)state;
    put("cpu.max", "250000 100000\n");
    assert_quota("0::/kubepods/pod1/container1\n", 3);
    assert_quota("0::/../../outside\n", 3);
}

static void
test_version_1(void **state)
{
    (void)state;
    put("cpu,cpuacct/a/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/a/cpu.cfs_period_us", "100000\n");
    assert_quota("5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n", 0);
    put("cpu,cpuacct/a/cpu.cfs_quota_us", "350000\n");
    assert_quota("5:memory:/a\n4:cpu,cpuacct:/a\n0::/\n", 4);
    assert_quota("4:cpuset:/a\n", 0);
    assert_quota("4:cpuacct,cpu:/a\n", 0);
    put("cpu/a/cpu.cfs_quota_us", "100000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    assert_quota("4:cpuacct,cpu:/a\n", 1);
}

static void
test_nonsense_is_no_limit(void **state)
{
    (void)state;
    put("a/cpu.max", "");
    assert_quota("0::/a\n", 0);
    put("a/cpu.max", "-5 100000\n");
    assert_quota("0::/a\n", 0);
    put("a/cpu.max", "100000\n");
    assert_quota("0::/a\n", 0);
    put("a/cpu.max", "100000 0\n");
    assert_quota("0::/a\n", 0);
    assert_quota("", 0);
    assert_quota("nonsense\n:\n::\n\n", 0);
    assert_int_equal(cpus_quota("/nonexistent", mount), 0);
}

static void
test_this_machine(void **state)
{
    (void)state;
    assert_in_range(cpus_allowed(), 1, CPUS_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_version_2, make_mount, remove_mount),
        cmocka_unit_test_setup_teardown(test_the_least_on_the_way_up_counts, make_mount,
                                        remove_mount),
        cmocka_unit_test_setup_teardown(test_a_group_named_as_the_host_sees_it, make_mount,
                                        remove_mount),
        cmocka_unit_test_setup_teardown(test_version_1, make_mount, remove_mount),
        cmocka_unit_test_setup_teardown(test_nonsense_is_no_limit, make_mount, remove_mount),
        cmocka_unit_test(test_this_machine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
