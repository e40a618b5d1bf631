/* master.c -- what the children inherit, opened in order: the port, the volume, shared memory,
 * pipes. Runs in the master.
 *
 * All of it is opened before the first fork, or taken from the program that was executed in this
 * process before (handover.h), and stays for the master's life, so that a dead child's successor
 * finds everything as it was. The master calls no gRPC and touches no record.
 */
#include "master/master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/log.h"
#include "common/admission.h"
#include "common/heritage.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "master/admin_socket.h"
#include "master/cpus.h"
#include "master/crew/crew.h"
#include "master/die.h"
#include "master/listener.h"
#include "master/process_limits.h"
#include "master/service_manager.h"
#include "master/supervisor.h"
#include "master/takeover/handover.h"
#include "master/volume.h"
#include "segment/segment_store.h"

struct master {
    /* What all children have in common; the descriptors are owned here. */
    struct heritage heritage;
    struct listener *listener;
    struct volume volume;
    int turn_fds[SCOREBOARD_WORKERS_MAX];
    /* The only write end: its end of file tells children that the master is gone. */
    int life_write_fd;
    /* What the program before left, then what this one leaves. */
    struct handover *handover;
    /* There was a program before. */
    bool taking_over;
};

_Static_assert(CPUS_MAX <= SCOREBOARD_WORKERS_MAX, "a worker for every CPU has a slot");

static int
open_wakeups(struct master *master)
{
    struct heritage *heritage = &master->heritage;
    int life[2];
    if (master->taking_over) {
        /* Those that earlier children hold: their life is bound to them, and they wake the
         * collector. */
        const int32_t *fds = master->handover->fds;
        heritage->fds[HERITAGE_FD_LIFE] = fds[HANDOVER_FD_LIFE_READ];
        master->life_write_fd = fds[HANDOVER_FD_LIFE_WRITE];
        heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP] = fds[HANDOVER_FD_COLLECTOR_WAKEUP];
    } else {
        if (pipe2(life, O_CLOEXEC) != 0)
            return -errno;
        heritage->fds[HERITAGE_FD_LIFE] = life[0];
        master->life_write_fd = life[1];
        heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (heritage->fds[HERITAGE_FD_COLLECTOR_WAKEUP] < 0)
            return -errno;
    }
    for (uint32_t i = 0; i < heritage->worker_count; i++) {
        master->turn_fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (master->turn_fds[i] < 0)
            return -errno;
    }
    heritage->turn_fds = master->turn_fds;
    return 0;
}

/* The socket that was listened on before, or that a service manager passed, or else one of our
 * own. */
static int
open_listener(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    int fd = -1;
    if (master->taking_over)
        return listener_adopt(&master->listener, master->handover->fds[HANDOVER_FD_LISTENER],
                              settings, complaint);
    if (service_manager_socket(&fd, complaint) != 0)
        return complaint->exit_code;
    if (fd < 0)
        return listener_open(&master->listener, settings, complaint);
    int result = listener_adopt(&master->listener, fd, settings, complaint);
    if (result == 0)
        listener_compare(master->listener, settings);
    return result;
}

static int
open_volume(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    if (!master->taking_over)
        return volume_open(&master->volume, settings, complaint);
    const int32_t *fds = master->handover->fds;
    const struct volume opened = {.root_fd = fds[HANDOVER_FD_ROOT],
                                  .segments_fd = fds[HANDOVER_FD_SEGMENTS],
                                  .lock_fd = fds[HANDOVER_FD_LOCK],
                                  .root_lock_fd = fds[HANDOVER_FD_ROOT_LOCK]};
    return volume_adopt(&master->volume, settings, &opened, complaint);
}

/* The first incarnation to give out: above that of every segment, and of every child there was. */
static int
find_incarnation(struct master *master, const struct settings *settings,
                 struct complaint *complaint)
{
    uint64_t next = 0;
    int result = segment_store_next_incarnation(master->volume.segments_fd, &next);
    if (result != 0)
        return complain(complaint, EX_IOERR, "segments.directory: cannot read \"%s\": %s",
                        settings->segments_directory, strerrordesc_np(-result));
    if (next > master->handover->succession.next_incarnation)
        master->handover->succession.next_incarnation = next;
    return 0;
}

/* The socket there was, if its address is still wanted, or else another one, or none. */
static int
open_admin(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    int *fd = &master->heritage.fds[HERITAGE_FD_ADMIN];
    if (!master->taking_over)
        return admin_socket_open(fd, settings, complaint);
    struct handover *handover = master->handover;
    char *address = handover->texts[HANDOVER_TEXT_ADMIN_ADDRESS];
    if (strcmp(address, settings->admin_address) == 0) {
        *fd = handover->fds[HANDOVER_FD_ADMIN];
        return 0;
    }
    const struct settings before = {.admin_address = address};
    admin_socket_close(&handover->fds[HANDOVER_FD_ADMIN], &before);
    int result = admin_socket_open(fd, settings, complaint);
    if (result == 0) /* metrics are not worth the calls that ending would cost */
        return 0;
    log_write(LOG_LEVEL_ERROR, "there is no admin process",
              LOG_FIELDS(log_string("reason", complaint->text)));
    *fd = -1;
    return 0;
}

static void
note_facts(const struct heritage *heritage)
{
    struct scoreboard_facts *facts = &heritage->scoreboard->facts;
    facts->started_ns = clock_realtime_ns();
    facts->worker_count = heritage->worker_count;
    facts->max_connections = (uint64_t)heritage->settings->workers_max_connections;
    facts->segments_limit_bytes = (uint64_t)heritage->settings->segments_limit_bytes;
    (void)snprintf(facts->segments_directory, sizeof(facts->segments_directory), "%s",
                   heritage->settings->segments_directory);
}

static int
open_all(struct master *master, const struct settings *settings, struct complaint *complaint)
{
    struct heritage *heritage = &master->heritage;
    heritage->settings = settings;
    heritage->worker_count =
        settings->workers_count > 0 ? (uint32_t)settings->workers_count : cpus_allowed();
    heritage->fds[HERITAGE_FD_READY] = -1;
    if (open_listener(master, settings, complaint) != 0)
        return complaint->exit_code;
    if (open_volume(master, settings, complaint) != 0 ||
        find_incarnation(master, settings, complaint) != 0)
        return complaint->exit_code;
    if (open_admin(master, settings, complaint) != 0)
        return complaint->exit_code;
    heritage->fds[HERITAGE_FD_LISTENER] = listener_fd(master->listener);
    heritage->fds[HERITAGE_FD_SEGMENTS] = master->volume.segments_fd;
    heritage->fds[HERITAGE_FD_ROOT] = master->volume.root_fd;
    int result = open_wakeups(master);
    if (result == 0)
        result = scoreboard_open(&heritage->scoreboard, crew_slot_count(heritage));
    if (result == 0)
        result = admission_open(&heritage->admission, (uint32_t)settings->output_max_files);
    if (result != 0)
        return complain(complaint, EX_OSERR, "cannot start: %s", strerrordesc_np(-result));
    note_facts(heritage);
    return 0;
}

/* The path of the file that was executed, made absolute, symbolic links and all: what stands
 * there later is what USR2 executes. NULL without memory. */
static char *
find_program(void)
{
    const char *name = (const char *)getauxval(AT_EXECFN); /* NOLINT(performance-no-int-to-ptr) */
    char directory[PATH_MAX];
    char *path = NULL;
    if (name == NULL || name[0] == '\0')
        name = "/proc/self/exe";
    if (name[0] == '/' || getcwd(directory, sizeof(directory)) == NULL)
        return strdup(name);
    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

/* Gives the handover a text (copied) in place of the one there. Returns 0 or -ENOMEM. */
static int
set_text(struct handover *handover, enum handover_text text, const char *value)
{
    free(handover->texts[text]);
    handover->texts[text] = strdup(value);
    return handover->texts[text] != NULL ? 0 : -ENOMEM;
}

/* What cannot change while the adapter runs. */
static int
note_what_is_fixed(struct handover *handover, const struct settings *settings)
{
    handover->listen_port = settings->listen_port;
    handover->texts[HANDOVER_TEXT_PROGRAM_PATH] = find_program();
    int result = handover->texts[HANDOVER_TEXT_PROGRAM_PATH] != NULL ? 0 : -ENOMEM;
    if (result == 0)
        result = set_text(handover, HANDOVER_TEXT_LISTEN_ADDRESS, settings->listen_address);
    if (result == 0)
        result = set_text(handover, HANDOVER_TEXT_SEGMENTS_DIRECTORY, settings->segments_directory);
    if (result == 0)
        result = set_text(handover, HANDOVER_TEXT_OUTPUT_ROOT, settings->output_root);
    return result;
}

/* Which descriptors the next program is to find open. */
static void
note_descriptors(const struct master *master, struct handover *handover)
{
    const int listener = listener_fd(master->listener);
    const int root = master->volume.root_fd;
    const int segments = master->volume.segments_fd;
    const int lock = master->volume.lock_fd;
    const int root_lock = master->volume.root_lock_fd;
    const int life_read = master->heritage.fds[HERITAGE_FD_LIFE];
    const int life_write = master->life_write_fd;
    const int collector_wakeup = master->heritage.fds[HERITAGE_FD_COLLECTOR_WAKEUP];
    const int admin = master->heritage.fds[HERITAGE_FD_ADMIN];
    const int settings = -1;
    const int32_t fds[HANDOVER_FDS] = {
#define ROW(name, variable) [HANDOVER_FD_##name] = (variable),
        HANDOVER_FD_LIST(ROW)
#undef ROW
    };
    memcpy(handover->fds, fds, sizeof(fds));
}

/* What the next program is to know, the processes apart: those are the crew's to tell. */
static int
prepare_handover(struct master *master, const struct settings *settings)
{
    struct handover *handover = master->handover;
    note_descriptors(master, handover);
    bool has_admin = master->heritage.fds[HERITAGE_FD_ADMIN] >= 0;
    int result =
        set_text(handover, HANDOVER_TEXT_ADMIN_ADDRESS, has_admin ? settings->admin_address : "");
    if (result != 0 || master->taking_over)
        return result; /* the rest is as it came */
    return note_what_is_fixed(handover, settings);
}

/* The remaining descriptors end with the process, which ends next. */
static void
close_all(struct master *master)
{
    admin_socket_close(&master->heritage.fds[HERITAGE_FD_ADMIN], master->heritage.settings);
    scoreboard_close(&master->heritage.scoreboard);
    admission_close(&master->heritage.admission);
    listener_close(&master->listener);
    volume_close(&master->volume);
    handover_free(&master->handover);
}

/* Takes up what came, or begins with nothing. */
static void
receive(struct master *master, struct handover *handover)
{
    master->taking_over = handover != NULL;
    master->handover = handover != NULL ? handover : calloc(1, sizeof(*handover));
    if (master->handover == NULL)
        die(EX_OSERR, "out of memory");
    if (!master->taking_over)
        return;
    int result = handover_keep_descriptors(handover, false);
    if (result != 0)
        die(EX_SOFTWARE, "the descriptors that were handed over are not there: %s",
            strerrordesc_np(-result));
    (void)close(handover->fds[HANDOVER_FD_SETTINGS]); /* they have been read */
}

int
master_run(const struct settings *settings, struct handover *handover, char *const argv[])
{
    static struct master master;
    struct complaint complaint;
    log_configure(settings->log_level, settings->log_format);
    log_identify("master", LOG_NO_SLOT);
    (void)prctl(PR_SET_NAME, "mygrpcadapter"); /* executed in place, it would be named "exe" */
    supervisor_block_signals();
    process_limits_raise();
    if (process_limits_check(settings, &complaint) != 0)
        die(complaint.exit_code, "%s", complaint.text);
    process_limits_warn(settings);
    receive(&master, handover);
    if (open_all(&master, settings, &complaint) != 0)
        die(complaint.exit_code, "%s", complaint.text);
    int result = prepare_handover(&master, settings);
    if (result != 0)
        die(EX_OSERR, "cannot start: %s", strerrordesc_np(-result));
    log_write(LOG_LEVEL_INFO, master.taking_over ? "taking over" : "starting",
              LOG_FIELDS(log_string("version", MYGRPCADAPTER_VERSION),
                         log_u64("workers", master.heritage.worker_count),
                         log_string("output_root", settings->output_root),
                         log_string("segments_directory", settings->segments_directory)));
    int exit_code = supervisor_run(&master.heritage, master.handover, master.taking_over, argv,
                                   &master.listener);
    close_all(&master);
    return exit_code;
}
