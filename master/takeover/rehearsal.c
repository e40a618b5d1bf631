/* rehearsal.c -- forks the trial run and listens to what it says. Runs in the master and, for a
 * few lines, in the child.
 *
 * What it says comes through a pipe, whose end of file is its end. Its exit code is not needed:
 * if it can take over it says so in the memfd of the settings (handover_accept()), as no other
 * program does.
 */
#include "master/takeover/rehearsal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/invariant.h"
#include "master/takeover/handover.h"

#define SAID_BYTES_MAX 4096
#define NOT_EXECUTED 127
#define PREFIX "mygrpcadapter: "

/* RUNNING becomes ENDED when the child has ended, or has taken too long. */
enum rehearsal_phase {
    REHEARSAL_RUNNING,
    REHEARSAL_ENDED,
};

struct rehearsal {
    enum rehearsal_phase phase;
    /* Called when it becomes ENDED. */
    rehearsal_ended ended;
    void *context;
    sd_event_source *pipe_source;
    sd_event_source *timer;
    int pipe_fd;
    /* Not the pid, since it may have been reaped already. */
    int pid_fd;
    /* Borrowed. */
    int settings_fd;
    /* The last of what it said. */
    size_t said_bytes;
    char said[SAID_BYTES_MAX + 1];
};

/* ---- the child */

_Noreturn static void
run_child(const char *path, char *const argv[], int handover_fd, int settings_fd, int pipe_fd)
{
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (dup2(pipe_fd, STDOUT_FILENO) < 0 || dup2(pipe_fd, STDERR_FILENO) < 0 ||
        fcntl(settings_fd, F_SETFD, 0) != 0 || handover_announce(handover_fd) != 0) {
        (void)dprintf(pipe_fd, "cannot prepare: %s\n", strerrordesc_np(errno));
        _exit(NOT_EXECUTED);
    }
    (void)execv(path, argv);
    (void)dprintf(STDERR_FILENO, "cannot execute \"%s\": %s\n", path, strerrordesc_np(errno));
    _exit(NOT_EXECUTED);
}

/* `argv` with `-t` behind its first word; the array is allocated, the words are not. NULL without
 * memory. */
static char **
make_arguments(char *const argv[])
{
    size_t count = 0;
    while (argv[count] != NULL)
        count++;
    char **arguments = calloc(count + 2, sizeof(*arguments));
    if (arguments == NULL || count == 0) {
        free(arguments);
        return NULL;
    }
    arguments[0] = argv[0];
    arguments[1] = bytes_unconst("-t");
    memcpy(arguments + 2, argv + 1, (count - 1) * sizeof(*arguments));
    return arguments;
}

static int
fork_child(struct rehearsal *rehearsal, const char *path, char *const argv[], int handover_fd)
{
    int ends[2];
    char **arguments = make_arguments(argv);
    if (arguments == NULL || pipe2(ends, O_CLOEXEC) != 0) {
        int error = arguments == NULL ? ENOMEM : errno;
        free(arguments);
        return -error;
    }
    pid_t pid = fork();
    if (pid == 0)
        run_child(path, arguments, handover_fd, rehearsal->settings_fd, ends[1]);
    int error = errno;
    free(arguments);
    (void)close(ends[1]);
    rehearsal->pipe_fd = ends[0];
    if (pid < 0)
        return -error;
    rehearsal->pid_fd = pidfd_open(pid, 0);
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 ? 0 : -errno;
}

/* ---- the master */

/* Keeps the last of what the child says. */
static void
keep(struct rehearsal *rehearsal, const char *data, size_t size)
{
    INVARIANT(size <= SAID_BYTES_MAX && rehearsal->said_bytes <= SAID_BYTES_MAX);
    size_t room = SAID_BYTES_MAX - rehearsal->said_bytes;
    if (size > room) {
        size_t drop = size - room;
        memmove(rehearsal->said, rehearsal->said + drop, rehearsal->said_bytes - drop);
        rehearsal->said_bytes -= drop;
    }
    memcpy(rehearsal->said + rehearsal->said_bytes, data, size);
    rehearsal->said_bytes += size;
    rehearsal->said[rehearsal->said_bytes] = '\0';
}

/* The last line that was said; NULL if none was. */
static const char *
last_line(struct rehearsal *rehearsal)
{
    char *said = rehearsal->said;
    size_t end = rehearsal->said_bytes;
    while (end > 0 && (said[end - 1] == '\n' || said[end - 1] == '\r'))
        end--;
    said[end] = '\0';
    char *line = strrchr(said, '\n');
    line = line == NULL ? said : line + 1;
    if (strncmp(line, PREFIX, sizeof(PREFIX) - 1) == 0)
        line += sizeof(PREFIX) - 1;
    return *line != '\0' ? line : NULL;
}

static void
end(struct rehearsal *rehearsal, const char *refusal)
{
    INVARIANT(rehearsal->phase == REHEARSAL_RUNNING); /* both sources go with the first of them */
    rehearsal->phase = REHEARSAL_ENDED;
    rehearsal->pipe_source = sd_event_source_disable_unref(rehearsal->pipe_source);
    rehearsal->timer = sd_event_source_disable_unref(rehearsal->timer);
    rehearsal->ended(rehearsal->context, refusal);
}

static void
judge(struct rehearsal *rehearsal)
{
    if (handover_is_accepted(rehearsal->settings_fd)) {
        end(rehearsal, NULL);
        return;
    }
    const char *line = last_line(rehearsal);
    end(rehearsal, line != NULL ? line : "the program ended without a word");
}

static int
on_pipe(sd_event_source *source, int fd, uint32_t events, void *context)
{
    (void)source;
    (void)events;
    struct rehearsal *rehearsal = context;
    char data[1024];
    for (;;) {
        ssize_t size = read(fd, data, sizeof(data));
        if (size < 0)
            return 0; /* nothing more for now */
        if (size == 0)
            break;
        keep(rehearsal, data, (size_t)size);
    }
    judge(rehearsal);
    return 0;
}

static int
on_timer(sd_event_source *source, uint64_t due_us, void *context)
{
    (void)source;
    (void)due_us;
    end(context, "the program took too long to say whether it can take over");
    return 0;
}

int
rehearsal_start(struct rehearsal **out, struct sd_event *loop, const char *path, char *const argv[],
                const struct handover *handover, uint64_t limit_ms, rehearsal_ended ended,
                void *context)
{
    int handover_fd = handover_write(handover);
    if (handover_fd < 0)
        return handover_fd;
    struct rehearsal *rehearsal = calloc(1, sizeof(*rehearsal));
    if (rehearsal == NULL) {
        (void)close(handover_fd);
        return -ENOMEM;
    }
    rehearsal->ended = ended;
    rehearsal->context = context;
    rehearsal->settings_fd = handover->fds[HANDOVER_FD_SETTINGS];
    rehearsal->pipe_fd = -1;
    rehearsal->pid_fd = -1;
    int result = fork_child(rehearsal, path, argv, handover_fd);
    (void)close(handover_fd);
    if (result == 0)
        result = sd_event_add_io(loop, &rehearsal->pipe_source, rehearsal->pipe_fd, EPOLLIN,
                                 on_pipe, rehearsal);
    if (result >= 0)
        result = sd_event_add_time_relative(loop, &rehearsal->timer, CLOCK_MONOTONIC,
                                            limit_ms * 1000, 0, on_timer, rehearsal);
    if (result < 0)
        rehearsal_close(&rehearsal);
    *out = rehearsal;
    return result < 0 ? result : 0;
}

void
rehearsal_close(struct rehearsal **rp)
{
    struct rehearsal *rehearsal = *rp;
    if (rehearsal == NULL)
        return;
    *rp = NULL;
    (void)sd_event_source_disable_unref(rehearsal->pipe_source);
    (void)sd_event_source_disable_unref(rehearsal->timer);
    if (rehearsal->pid_fd >= 0) {
        (void)pidfd_send_signal(rehearsal->pid_fd, SIGKILL, NULL, 0); /* ended already, mostly */
        (void)close(rehearsal->pid_fd);
    }
    if (rehearsal->pipe_fd >= 0)
        (void)close(rehearsal->pipe_fd);
    free(rehearsal);
}
