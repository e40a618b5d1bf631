/* suite.c -- kills, failing system calls and power cuts, one after the other, at every call there
 * is.
 *
 * Each case is an empty volume and a few children of this process that work on it one after the
 * other. The first ones meet what the case has for them; the last one is left in peace and must
 * merge all there is. Then the outputs must agree with the account. A case follows from its seed;
 * one that fails is kept, and what to type to have it again is said.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/crash/account.h"
#include "tests/crash/calls.h"
#include "tests/crash/disk.h"
#include "tests/crash/random.h"
#include "tests/crash/scenario.h"

#define CHILDREN_MAX 6
#define STEPS 60U
#define CHILD_SECONDS 60U
#define EXIT_UNFINISHED 42
#define SWEEP_SEED 7U /* the sweeps go through one scenario, call by call */

/* What a child says when it is through, in memory it shares. */
struct report {
    uint64_t calls;
    char hit[32];
};

struct suite {
    char base[PATH_MAX];
    char volume[PATH_MAX + 8];
    char log[PATH_MAX + 8];
    struct account *account;
    struct report *report;
    const char *mode;
    struct scenario_troubles troubles;
    bool durable;
    uint64_t seed;
    uint64_t stride; /* of all calls, each so manieth is looked at */
    uint64_t rounds;
    uint64_t only_at; /* 0 = all */
    uint64_t cases;
    uint64_t acknowledged;
};

struct script {
    struct calls_plan plans[CHILDREN_MAX];
    size_t count;
    uint64_t seed;
    bool power;     /* the machine may fail, not only the process */
    bool undamaged; /* nothing may be set aside in the end */
    enum account_rule rule;
};

extern int __real_open(const char *path, int flags, ...);
extern int __real_mkdir(const char *path, mode_t mode);

static int
remove_entry(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    return at->level == 0 ? 0 : remove(path);
}

/* An empty volume. */
static void
clear(const struct suite *suite)
{
    char kept[PATH_MAX + 8];
    (void)snprintf(kept, sizeof(kept), "%s/disk", suite->base);
    (void)unlink(kept);
    (void)nftw(suite->base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (__real_mkdir(suite->volume, 0700) != 0)
        abort();
    if (suite->troubles.names)
        account_link_names(suite->volume);
}

/* ---- one child */

static struct disk *disk_of_child;

static void
keep_disk(void)
{
    if (disk_of_child != NULL)
        disk_keep(disk_of_child);
}

static void
write_strangers(void *context)
{
    const struct suite *suite = context;
    account_add_strangers(suite->account, suite->volume);
}

/* The setting of that child. */
static bool
is_durable(const struct suite *suite, size_t number)
{
    return suite->durable != (suite->troubles.mixed && number % 2 == 1);
}

static void
run_child(const struct suite *suite, const struct script *script, size_t number)
{
    struct disk *disk = NULL;
    int log_fd = __real_open(suite->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0)
        abort();
    struct scenario scenario = {.volume = suite->volume,
                                .account = suite->account,
                                .durable = is_durable(suite, number),
                                .troubles = suite->troubles,
                                .number = number,
                                .steps = suite->troubles.aside ? 3 * STEPS : STEPS,
                                .seed = script->seed + number};
    if (script->power) {
        disk_open(&disk, suite->base, script->seed + number);
        disk_of_child = disk;
        (void)atexit(keep_disk); /* the code under test may give up */
    }
    scenario.disk = disk;
    if (number + 1 == script->count)
        scenario.troubles.bars = false; /* a ledger that can be read again ends the process */
    (void)alarm(CHILD_SECONDS);         /* one that never ends is a failure like one that crashes */
    calls_begin(&script->plans[number], disk, write_strangers, bytes_unconst(suite));
    bool finished = scenario_run(&scenario);
    suite->report->calls = calls_count();
    (void)snprintf(suite->report->hit, sizeof(suite->report->hit), "%s",
                   calls_hit() == NULL ? "" : calls_hit());
    keep_disk();
    _exit(finished ? EXIT_SUCCESS : EXIT_UNFINISHED);
}

/* Whether a child may end like this. One that is left in peace merges all there is; but a ledger
 * that can be read again has it start afresh. */
static bool
is_allowed(int status, const struct calls_plan *plan, bool last)
{
    if (!WIFEXITED(status))
        return false;
    switch (WEXITSTATUS(status)) {
    case EXIT_SUCCESS:
        return true;
    case EXIT_UNFINISHED:
        return plan->kind != CALLS_PASS;
    case EXIT_FAILURE: /* the code under test gave up: after a failure, never in peace */
    case CALLS_EXIT_DIED:
    case CALLS_EXIT_POWER:
        return !last;
    default:
        return false;
    }
}

/* Runs one child to its end. Returns its wait status. */
static int
run_one(const struct suite *suite, const struct script *script, size_t number)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0)
        run_child(suite, script, number);
    if (child < 0 || waitpid(child, &status, 0) != child)
        abort();
    return status;
}

/* ---- one case */

static void
show_file(const char *path)
{
    char line[512];
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        (void)fprintf(stderr, "    %s", line);
    if (file != NULL)
        (void)fclose(file);
}

static void
show_failure(const struct suite *suite, const struct script *script, size_t number, int status)
{
    (void)fprintf(stderr, "FAILED  %s, durability %s; child %zu ended with status 0x%x\n",
                  suite->mode, suite->durable ? "machine" : "process", number + 1,
                  (unsigned)status);
    for (size_t i = 0; i < script->count; i++)
        (void)fprintf(stderr, "    child %zu: %s call %llu (%s)\n", i + 1,
                      calls_plan_name(script->plans[i].kind),
                      (unsigned long long)script->plans[i].at,
                      script->plans[i].error == 0 ? "-" : strerrorname_np(script->plans[i].error));
    show_file(suite->log);
    (void)fprintf(stderr,
                  "kept: %s; to have it again: crash-suite --seed %llu --at %llu --rounds 1 %s\n",
                  suite->base, (unsigned long long)suite->seed,
                  (unsigned long long)script->plans[0].at, suite->mode);
}

/* Whether no file was set aside: a death leaves nothing that is damaged. */
static bool
nothing_is_set_aside(const struct suite *suite)
{
    char path[sizeof(suite->volume) + 64];
    (void)snprintf(path, sizeof(path), "%s/.mygrpcadapter/quarantine", suite->volume);
    if (access(path, F_OK) != 0)
        return true;
    (void)fprintf(stderr, "something was set aside in %s\n", path);
    return false;
}

/* Runs all children of a case, and checks. Ends the suite if it fails. */
static void
run_case(struct suite *suite, const struct script *script)
{
    clear(suite);
    account_clear(suite->account);
    if (suite->troubles.aside || suite->troubles.bars)
        account_allow_any_order(suite->account); /* a bar is waited for, but not for long */
    for (size_t i = 0; i < script->count; i++) {
        bool last = i + 1 == script->count;
        int status = run_one(suite, script, i);
        bool right = is_allowed(status, &script->plans[i], last);
        if (right && last)
            right = account_check(suite->account, suite->volume, script->rule) &&
                    (!script->undamaged || nothing_is_set_aside(suite));
        if (right)
            continue;
        show_failure(suite, script, i, status);
        exit(EXIT_FAILURE);
    }
    suite->cases++;
    suite->acknowledged += account_acknowledged(suite->account);
}

/* What must be true where nothing is lost and nobody else writes. A part of a record that is set
 * aside may stay. */
static enum account_rule
strict_rule(const struct suite *suite)
{
    return suite->troubles.aside ? ACCOUNT_AMONG_STRANGERS : ACCOUNT_EXACTLY_ONCE;
}

/* How many calls a child makes that is left in peace. */
static uint64_t
count_calls(struct suite *suite)
{
    struct script script = {
        .count = 1, .seed = SWEEP_SEED + suite->seed, .rule = strict_rule(suite)};
    run_case(suite, &script);
    return suite->report->calls;
}

/* Whether a sweep stops at that call. */
static bool
is_looked_at(const struct suite *suite, uint64_t at)
{
    return suite->only_at == 0 ? at % suite->stride == suite->seed % suite->stride
                               : at == suite->only_at;
}

/* ---- the modes */

/* The process dies before each call, and within each write; then again at some call of the
 * recovery. What befalls one name of a file must not hurt the other: there a call fails shortly
 * before the death. And whoever waits for a bar goes on when it is gone, if he lives that long. */
static void
sweep_kills(struct suite *suite)
{
    static const enum calls_plan_kind kinds[] = {CALLS_DIE, CALLS_DIE_WITHIN};
    struct random random;
    random_seed(&random, suite->seed);
    uint64_t calls = count_calls(suite);
    for (uint64_t at = 1; at <= calls; at++) {
        uint64_t again = 1 + random_below(&random, calls / 2);
        uint64_t before = 1 + random_below(&random, 40);
        uint64_t error_at = suite->troubles.names && before < at ? at - before : 0;
        bool outlives_bars = suite->troubles.bars && again % 2 == 0;
        for (size_t i = 0; i < 2 && is_looked_at(suite, at); i++) {
            struct script script = {
                .plans = {{kinds[i], .at = at, .error_at = error_at, .error = ENOSPC},
                          {.kind = outlives_bars ? CALLS_PASS : kinds[i], .at = again}},
                .count = 3,
                .undamaged = true,
                .rule = strict_rule(suite),
                .seed = SWEEP_SEED + suite->seed};
            run_case(suite, &script);
        }
    }
}

/* The same with somebody else who writes to the outputs, some calls before a death or behind it. */
static void
sweep_strangers(struct suite *suite)
{
    struct random random;
    random_seed(&random, suite->seed);
    uint64_t calls = count_calls(suite);
    for (uint64_t at = 1; at <= calls; at++) {
        uint64_t again = 1 + random_below(&random, calls / 2);
        uint64_t before = random_below(&random, at < 6 ? at : 6);
        uint64_t behind = 1 + random_below(&random, 60);
        if (!is_looked_at(suite, at))
            continue;
        struct script script = {
            .plans = {{.kind = CALLS_DIE_WITHIN, .at = at, .stranger_at = at - before},
                      {.kind = CALLS_DIE_WITHIN, .at = again, .stranger_at = behind},
                      {.kind = CALLS_PASS, .stranger_at = behind}},
            .count = 3,
            .undamaged = true,
            .rule = ACCOUNT_AMONG_STRANGERS,
            .seed = SWEEP_SEED + suite->seed};
        run_case(suite, &script);
    }
}

/* Each call fails, with each error, once and for good; each write is short. */
static void
sweep_faults(struct suite *suite)
{
    static const int errors[] = {ENOSPC, EIO, EMFILE, EINTR};
    static const enum calls_plan_kind kinds[] = {CALLS_FAIL_ONCE, CALLS_FAIL_FROM};
    uint64_t calls = count_calls(suite);
    for (uint64_t at = 1; at <= calls; at++) {
        if (!is_looked_at(suite, at))
            continue;
        struct script script = {.plans = {{.kind = CALLS_SHORT_ONCE, .at = at}},
                                .count = 2,
                                .seed = SWEEP_SEED + suite->seed};
        run_case(suite, &script);
        for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]) * 2; i++) {
            script.plans[0] =
                (struct calls_plan){.kind = kinds[i % 2], .at = at, .error = errors[i / 2]};
            run_case(suite, &script);
        }
    }
}

/* What befalls one child of a volume that loses power: that, a death, or a call that fails. */
static struct calls_plan
choose_mishap(struct random *random)
{
    static const int errors[] = {EIO, EIO, ENOSPC, EMFILE};
    uint64_t choice = random_below(random, 8);
    struct calls_plan plan = {.kind = choice < 4   ? CALLS_LOSE_POWER
                                      : choice < 6 ? CALLS_DIE
                                      : choice < 7 ? CALLS_DIE_WITHIN
                                                   : CALLS_FAIL_ONCE,
                              .at = 1 + random_below(random, 600)};
    if (plan.kind == CALLS_FAIL_ONCE)
        plan.error = errors[random_below(random, sizeof(errors) / sizeof(errors[0]))];
    return plan;
}

/* Power cuts, kills and failures at random calls, several on one volume: what a process that
 * died had not synced may be lost with the next cut, and what one could not sync. */
static void
cut_power_once(struct suite *suite)
{
    struct random random;
    random_seed(&random, suite->seed);
    struct script script = {.seed = random_next(&random),
                            .power = true,
                            .rule = suite->durable && !suite->troubles.mixed
                                        ? strict_rule(suite)
                                        : ACCOUNT_SYNCED_PREFIX};
    size_t cuts = 1 + random_below(&random, CHILDREN_MAX - 1);
    for (; script.count < cuts; script.count++)
        script.plans[script.count] = choose_mishap(&random);
    script.count++;
    run_case(suite, &script);
    suite->seed++;
}

static void
cut_power(struct suite *suite)
{
    for (uint64_t round = 0; round < suite->rounds; round++)
        cut_power_once(suite);
}

struct mode {
    const char *name;
    void (*run)(struct suite *suite);
    struct scenario_troubles troubles;
};

static const struct mode modes[] = {
    {"kills", sweep_kills, {0}},
    {"strangers", sweep_strangers, {0}},
    {"faults", sweep_faults, {0}},
    {"power", cut_power, {0}},
    {"aside", sweep_kills, {.full = true, .aside = true}},
    {"aside-power", cut_power, {.full = true, .aside = true}},
    {"full", sweep_kills, {.full = true}},
    {"names", sweep_kills, {.full = true, .names = true}},
    {"listings", sweep_kills, {.misses = true}},
    {"bars", sweep_kills, {.full = true, .bars = true}},
    {"clocks", sweep_kills, {.clocks = true}},
    {"durabilities", cut_power, {.mixed = true}},
};

static void
run_mode(struct suite *suite, const struct mode *mode)
{
    uint64_t seed = suite->seed;
    suite->mode = mode->name;
    suite->troubles = mode->troubles;
    for (int durable = 0; durable < 2; durable++) {
        suite->seed = seed;
        suite->durable = durable == 1;
        suite->cases = 0;
        suite->acknowledged = 0;
        mode->run(suite);
        (void)printf(
            "ok      %s, durability %s: %llu cases, %llu records acknowledged, seed %llu\n",
            mode->name, suite->durable ? "machine" : "process", (unsigned long long)suite->cases,
            (unsigned long long)suite->acknowledged, (unsigned long long)seed);
        (void)fflush(stdout);
    }
    suite->seed = seed;
}

/* ---- the command line */

static const char usage[] =
    "Usage: crash-suite [OPTION...] MODE...\n"
    "  each Nth call:  kills strangers faults aside full names listings bars clocks\n"
    "  random volumes: power aside-power durabilities\n"
    "  --seed N     what everything follows from (default: the time)\n"
    "  --stride N   only each Nth system call (default 1)\n"
    "  --at N       only this one\n"
    "  --bare       without openat2, RENAME_NOREPLACE and fallocate\n"
    "  --rounds N   so many volumes (default 1000)\n";

static uint64_t
number_of(const char *text)
{
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno == 0 && end != text && *end == '\0')
        return number;
    (void)fprintf(stderr, "crash-suite: %s is no number\n%s", text, usage);
    exit(2);
}

static void
read_options(struct suite *suite, int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},   {"stride", required_argument, NULL, 't'},
        {"at", required_argument, NULL, 'a'},     {"bare", no_argument, NULL, 'b'},
        {"rounds", required_argument, NULL, 'r'}, {NULL, 0, NULL, 0}};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            suite->seed = number_of(optarg);
        else if (option == 't')
            suite->stride = number_of(optarg);
        else if (option == 'a')
            suite->only_at = number_of(optarg);
        else if (option == 'b')
            calls_lack_what_is_new();
        else if (option == 'r')
            suite->rounds = number_of(optarg);
        else
            exit(2);
    }
    if (suite->stride == 0 || optind == argc) {
        (void)fputs(usage, stderr);
        exit(2);
    }
}

static void
open_suite(struct suite *suite)
{
    const char *directory = getenv("TMPDIR");
    (void)snprintf(suite->base, sizeof(suite->base), "%s/mygrpcadapter-crash-XXXXXX",
                   directory == NULL ? "/tmp" : directory);
    suite->report = mmap(NULL, sizeof(*suite->report), PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mkdtemp(suite->base) == NULL || suite->report == MAP_FAILED) {
        perror("crash-suite");
        exit(EXIT_FAILURE);
    }
    (void)snprintf(suite->volume, sizeof(suite->volume), "%s/volume", suite->base);
    (void)snprintf(suite->log, sizeof(suite->log), "%s/log", suite->base);
    account_open(&suite->account);
}

int
main(int argc, char **argv)
{
    static struct suite suite = {.stride = 1, .rounds = 1000};
    suite.seed = (uint64_t)time(NULL) % 1000000;
    read_options(&suite, argc, argv);
    open_suite(&suite);
    for (int i = optind; i < argc; i++) {
        size_t mode = 0;
        while (mode < sizeof(modes) / sizeof(modes[0]) && strcmp(modes[mode].name, argv[i]) != 0)
            mode++;
        if (mode == sizeof(modes) / sizeof(modes[0])) {
            (void)fprintf(stderr, "crash-suite: no such mode: %s\n%s", argv[i], usage);
            exit(2);
        }
        run_mode(&suite, &modes[mode]);
    }
    (void)nftw(suite.base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(suite.base);
    return EXIT_SUCCESS;
}
