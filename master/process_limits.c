/* process_limits.c -- compares RLIMIT_NOFILE and RLIMIT_FSIZE with the settings. Runs in the
 * master.
 *
 * The counts are of what a process has open for itself, rounded up; what comes with each connection
 * and each output is exact.
 */
#include "master/process_limits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "base/log.h"
#include "common/settings.h"
#include "master/cpus.h"
#include "segment/ledger_format.h"

/* Of any process of ours, and of each worker that there is. */
#define FDS_OF_PROCESS 48U
#define FDS_FOR_EACH_WORKER 2U

/* The socket, and the one to watch it by. */
#define FDS_OF_CONNECTION 2U

/* The file and its ledger. */
#define FDS_OF_OUTPUT 2U

void
process_limits_raise(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_write(LOG_LEVEL_WARNING, "cannot raise the limit on open files",
                  LOG_FIELDS(log_error(errno)));
}

/* How many descriptors a process can have once the limit is raised; UINT64_MAX = any number. */
static uint64_t
descriptors_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY)
        return UINT64_MAX;
    return limit.rlim_max;
}

/* How many a process needs without connections and outputs. */
static uint64_t
descriptors_of_process(const struct settings *settings)
{
    uint64_t workers =
        settings->workers_count > 0 ? (uint64_t)settings->workers_count : cpus_allowed();
    return FDS_OF_PROCESS + FDS_FOR_EACH_WORKER * workers;
}

int
process_limits_check(const struct settings *settings, struct complaint *complaint)
{
    uint64_t needed = descriptors_of_process(settings) + FDS_OF_CONNECTION;
    if (descriptors_max() >= needed)
        return 0;
    return complain(complaint, EX_CONFIG,
                    "the limit on open files (RLIMIT_NOFILE) is %" PRIu64
                    ", and one process needs %" PRIu64
                    " at least: raise it (ulimit -n, LimitNOFILE=), or lower workers.count",
                    descriptors_max(), needed);
}

/* Warns if so many of what a setting bounds, each with `each` descriptors, are not to be had. */
static void
warn_of_descriptors(const char *setting, uint64_t value, uint64_t each, uint64_t base,
                    const char *consequence)
{
    uint64_t limit = descriptors_max();
    if (limit >= base + value * each)
        return;
    log_write(LOG_LEVEL_WARNING, "the limit on open files (RLIMIT_NOFILE) is low for a setting",
              LOG_FIELDS(log_string("setting", setting), log_u64("value", value),
                         log_u64("limit", limit), log_u64("needed", base + value * each),
                         log_u64("possible", limit > base ? (limit - base) / each : 0),
                         log_string("consequence", consequence),
                         log_string("remedy", "raise the limit (ulimit -n, LimitNOFILE=) or lower "
                                              "the setting")));
}

static void
warn_of_file_size(const struct settings *settings)
{
    struct rlimit limit;
    uint64_t ledger = (uint64_t)LEDGER_BLOCKS * LEDGER_BLOCK_BYTES;
    uint64_t segment = (uint64_t)settings->segments_size_bytes;
    uint64_t needed = segment > ledger ? segment : ledger;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return;
    log_write(LOG_LEVEL_WARNING,
              "there is a limit on the size of a file (RLIMIT_FSIZE); an output that reaches it "
              "waits",
              LOG_FIELDS(log_u64("limit", limit.rlim_cur), log_u64("needed", needed),
                         log_string("consequence",
                                    limit.rlim_cur < segment  ? "no segment can be made: calls are "
                                                                "refused"
                                    : limit.rlim_cur < needed ? "no ledger can be made: no output "
                                                                "is written"
                                                              : NULL),
                         log_string("remedy", "raise the limit (ulimit -f, LimitFSIZE=)")));
}

void
process_limits_warn(const struct settings *settings)
{
    uint64_t base = descriptors_of_process(settings);
    warn_of_descriptors("workers.max_connections", (uint64_t)settings->workers_max_connections,
                        FDS_OF_CONNECTION, base,
                        "further connections to a worker wait in the queue");
    warn_of_descriptors("output.max_files", (uint64_t)settings->output_max_files, FDS_OF_OUTPUT,
                        base, "outputs are closed and opened again, which is slow");
    warn_of_file_size(settings);
}
