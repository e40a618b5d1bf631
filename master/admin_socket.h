/* admin_socket.h -- the socket at admin.address. Used by the master before it forks: it stays
 * open when the process that serves on it dies. */
#ifndef MYGRPCADAPTER_MASTER_ADMIN_SOCKET_H
#define MYGRPCADAPTER_MASTER_ADMIN_SOCKET_H

struct complaint;
struct settings;

/* Why a text cannot be an admin.address, as the end of a sentence; NULL if it can. */
const char *admin_socket_refusal(const char *address);

/* Listens at admin.address, not blocking; *fd_r is -1 if it is empty. A socket file that nobody
 * listens on any more is replaced. Returns 0, or an exit code with a complaint. */
int admin_socket_open(int *fd_r, const struct settings *settings, struct complaint *complaint);

/* Closes what admin_socket_open() made and removes its file; -1 is accepted; sets *fd to -1. */
void admin_socket_close(int *fd, const struct settings *settings);

#endif
