/* listening.h -- what the two listening sockets of the adapter share (listener.h, admin_socket.h):
 * an address, the patience with one in use, and IPv4 in the place of IPv6. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_LISTENING_H
#define MYGRPCADAPTER_MASTER_LISTENING_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

union listening_address {
    struct sockaddr any;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
    struct sockaddr_storage storage;
};

/* The bytes of an address of that family. */
socklen_t listening_size(const union listening_address *address);

/* The port of an address; 0 if it is the path of a socket. */
uint16_t listening_port(const union listening_address *address);

/* Sets the port of an IPv4 or IPv6 address. */
void listening_set_port(union listening_address *address, uint16_t port);

/* One attempt to bind and listen. Returns the descriptor or a negative errno: -EADDRINUSE is tried
 * again after a pause, -EAGAIN at once. */
typedef int listening_attempt(const union listening_address *address, int backlog);

/* Attempts it until the address is free, for up to two seconds. Where IPv6 is off and its wildcard
 * is wanted, says so in the log, and changes *address to the wildcard of IPv4. Returns the
 * descriptor, the caller's to close, or a negative errno. */
int listening_begin(union listening_address *address, listening_attempt *attempt, int backlog);

#endif
