/* send.h -- the command `mygrpcadapter send`: a real client's HandleMetric calls, made by hand.
 *
 * For a person who tries an adapter without Mixer, for tests and for load. It is a process of its
 * own beside the adapter and touches nothing of the adapter's but its address.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEND_SEND_H
#define MYGRPCADAPTER_COMMANDS_SEND_SEND_H

/* Runs the command; argv[0] is "send". Returns the exit code of the process: 0 if every call was
 * answered OK, 1 if some were not, EX_USAGE (64) for wrong arguments, EX_UNAVAILABLE (69) if every
 * call ended as UNAVAILABLE, EX_OSERR (71) without memory for the calls, EX_IOERR (74) if its
 * output cannot be written. */
int send_command(int argc, char **argv);

#endif
