/* master.c -- what the children inherit, opened in order: the port, the volume, shared memory,
 * pipes. Runs in the master.
 *
 * All of it is opened before the first fork and stays for the master's life, so that a dead child's
 * successor finds everything as it was. The master calls no gRPC and touches no record.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/admission.h"
#include "common/clock.h"
#include "common/heritage.h"
#include "common/log.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/admin_socket.h"
#include "master/cpus.h"
#include "master/die.h"
#include "master/listener.h"
#include "master/service_manager.h"
#include "master/supervisor.h"
#include "master/volume.h"
#include "segment/segment_store.h"

struct master {
    struct heritage heritage; /* what all children have in common; the descriptors are owned here */
    struct listener *listener;
    struct volume volume;
    int turn_fds[SCOREBOARD_WORKERS_MAX];
    int life_write_fd; /* the only write end: its end of file tells children that the master is gone
                        */
    uint64_t next_incarnation;
};

_Static_assert(CPUS_MAX <= SCOREBOARD_WORKERS_MAX, "a worker for every CPU has a slot");

/* Workers hold a descriptor or two for each connection. */
static void
raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_write(LOG_LEVEL_WARNING, "cannot raise the limit on open files",
                  LOG_FIELDS(log_error(errno)));
}

static int
open_wakeups(struct master *master)
{
    struct heritage *heritage = &master->heritage;
    int life[2];
    if (pipe2(life, O_CLOEXEC) != 0)
        return -errno;
    heritage->life_fd = life[0];
    master->life_write_fd = life[1];
    heritage->collector_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (heritage->collector_fd < 0)
        return -errno;
    for (uint32_t i = 0; i < heritage->worker_count; i++) {
        master->turn_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (master->turn_fds[i] < 0)
            return -errno;
    }
    heritage->turn_fds = master->turn_fds;
    return 0;
}

/* The socket that a service manager passed, or else one of our own. */
static int
open_listener(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    int fd = -1;
    if (service_manager_socket(&fd, complaint) != 0)
        return complaint->exit_code;
    if (fd >= 0)
        return listener_adopt(&master->listener, fd, settings, complaint);
    return listener_open(&master->listener, settings, complaint);
}

static int
open_volume(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    if (volume_open(&master->volume, settings, complaint) != 0)
        return complaint->exit_code;
    int result = segment_directory_prepare(master->volume.segments_fd, &master->next_incarnation);
    if (result != 0)
        return complain(complaint, EX_IOERR, "segments.directory: cannot read \"%s\": %s",
                        settings->segments_directory, strerrordesc_np(-result));
    return 0;
}

static void
note_facts(const struct heritage *heritage)
{
    struct scoreboard_facts *facts = &heritage->scoreboard->facts;
    facts->started_ns = clock_realtime_ns();
    facts->worker_count = heritage->worker_count;
    facts->has_admin = heritage->admin_fd >= 0;
    facts->max_connections = (uint64_t)heritage->settings->workers_max_connections;
    facts->segments_limit_bytes = (uint64_t)heritage->settings->segments_limit_bytes;
}

static int
open_all(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    struct heritage *heritage = &master->heritage;
    heritage->settings = settings;
    heritage->worker_count =
        settings->workers_count > 0 ? (uint32_t)settings->workers_count : cpus_allowed();
    heritage->ready_fd = -1;
    if (open_listener(master, settings, complaint) != 0)
        return complaint->exit_code;
    if (open_volume(master, settings, complaint) != 0)
        return complaint->exit_code;
    if (admin_socket_open(&heritage->admin_fd, settings, complaint) != 0)
        return complaint->exit_code;
    heritage->listener_fd = listener_fd(master->listener);
    heritage->segments_fd = master->volume.segments_fd;
    heritage->root_fd = master->volume.root_fd;
    int result = open_wakeups(master);
    if (result == 0)
        result = scoreboard_open(&heritage->scoreboard, heritage->worker_count + 2);
    if (result == 0)
        result = admission_open(&heritage->admission, (uint32_t)settings->output_max_files);
    if (result != 0)
        return complain(complaint, EX_OSERR, "cannot start: %s", strerrordesc_np(-result));
    note_facts(heritage);
    return 0;
}

/* The remaining descriptors end with the process, which ends next. */
static void
close_all(struct master *master)
{
    admin_socket_close(&master->heritage.admin_fd, master->heritage.settings);
    scoreboard_close(&master->heritage.scoreboard);
    admission_close(&master->heritage.admission);
    listener_close(&master->listener);
    volume_close(&master->volume);
}

int
master_run(const struct settings *settings)
{
    static struct master master;
    struct complaint complaint;
    log_configure(settings->log_level, settings->log_format);
    log_identify("master", LOG_NO_SLOT);
    supervisor_block_signals();
    raise_descriptor_limit();
    if (open_all(&master, settings, &complaint) != 0)
        die(complaint.exit_code, "%s", complaint.text);
    log_write(LOG_LEVEL_INFO, "starting",
              LOG_FIELDS(log_string("version", MYGRPCADAPTER_VERSION),
                         log_u64("workers", master.heritage.worker_count),
                         log_string("output_root", settings->output_root),
                         log_string("segments_directory", settings->segments_directory)));
    int exit_code = supervisor_run(&master.heritage, master.next_incarnation, &master.listener);
    close_all(&master);
    return exit_code;
}
