/* service_manager.c -- sd_listen_fds and sd_notify, in the words of this program. Runs in the
 * master.
 *
 * A service manager that does not listen is no reason to fail: what could not be told is logged and
 * forgotten.
 */
#include "master/service_manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/complaint.h"
#include "base/log.h"

#define STATUS_BYTES_MAX 256

int
service_manager_socket(int *fd_r, struct complaint *complaint)
{
    *fd_r = -1;
    int count = sd_listen_fds(1);
    if (count < 0)
        return complain(complaint, EX_USAGE, "LISTEN_FDS cannot be understood: %s",
                        strerrordesc_np(-count));
    if (count == 0)
        return 0;
    if (count != 1)
        return complain(complaint, EX_USAGE,
                        "%d sockets were passed (LISTEN_FDS); one is expected, as a .socket unit "
                        "with one ListenStream= passes it",
                        count);
    int fd = SD_LISTEN_FDS_START;
    if (sd_is_socket_inet(fd, AF_UNSPEC, SOCK_STREAM, 1, 0) <= 0)
        return complain(complaint, EX_USAGE,
                        "the socket that was passed (LISTEN_FDS) is not a listening TCP socket");
    *fd_r = fd;
    return 0;
}

/* `state` is what sd_notify() takes: KEY=VALUE lines. */
static void
tell(const char *state)
{
    int result = sd_notify(0, state);
    if (result < 0)
        log_write(LOG_LEVEL_WARNING, "cannot tell the service manager",
                  LOG_FIELDS(log_string("state", state), log_error(result)));
}

void
service_manager_tell_ready(void)
{
    char state[64];
    (void)snprintf(state, sizeof(state), "READY=1\nMAINPID=%ld", (long)getpid());
    tell(state);
}

void
service_manager_tell_reloading(void)
{
    char state[64];
    (void)snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                   clock_monotonic_ns() / 1000);
    tell(state);
}

void
service_manager_tell_stopping(void)
{
    tell("STOPPING=1");
}

void
service_manager_tell_status(const char *format, ...)
{
    char state[sizeof("STATUS=") + STATUS_BYTES_MAX] = "STATUS=";
    size_t length = strlen(state);
    va_list arguments;
    va_start(arguments, format);
    if (vsnprintf(state + length, STATUS_BYTES_MAX, format, arguments) < 0)
        state[length] = '\0';
    va_end(arguments);
    tell(state);
}

void
service_manager_watch(struct sd_event *loop)
{
    int result = sd_event_set_watchdog(loop, 1);
    if (result < 0)
        log_write(LOG_LEVEL_WARNING, "the service manager's watchdog cannot be fed",
                  LOG_FIELDS(log_error(result)));
    else if (result > 0)
        log_write(LOG_LEVEL_INFO, "feeding the service manager's watchdog", NULL);
}
