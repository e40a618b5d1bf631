/* service_manager.h -- the master's dealings with the service manager that started it, as systemd
 * is one: the socket it passed, and what it wants to be told.
 *
 * All of it is by environment variables (LISTEN_FDS, NOTIFY_SOCKET, WATCHDOG_USEC); without them
 * there is no service manager, and nothing happens here. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_SERVICE_MANAGER_H
#define MYGRPCADAPTER_MASTER_SERVICE_MANAGER_H

struct complaint;
struct sd_event;

/* Takes the listening socket that was passed, and forgets the variables that told of it. On success
 * returns 0 with the descriptor, owned by the caller, or -1 if none was passed. Else (several
 * descriptors, something else than a listening TCP socket) fills *complaint and returns its exit
 * code, EX_USAGE. */
int service_manager_socket(int *fd_r, struct complaint *complaint);

/* What the adapter is doing now. */
void service_manager_tell_ready(void);
void service_manager_tell_reloading(void);
void service_manager_tell_stopping(void);

/* One line for people, as `systemctl status` shows it. */
void service_manager_tell_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Has the loop tell that it turns, as often as the service manager asked for; if it did not ask,
 * does nothing. */
void service_manager_watch(struct sd_event *loop);

#endif
