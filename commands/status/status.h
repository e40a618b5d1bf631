/* status.h -- the command `mygrpcadapter status`: how a running adapter does, for a person.
 *
 * It is a process of its own that looks at the adapter's scoreboard, which it finds through the
 * lock of the segment directory and /proc. Nobody has to answer it: it works even when every
 * process of the adapter hangs, and without admin.address.
 */
#ifndef MYGRPCADAPTER_COMMANDS_STATUS_STATUS_H
#define MYGRPCADAPTER_COMMANDS_STATUS_STATUS_H

/* Runs the command; argv[0] is "status". Returns the exit code of the process: 0 if calls are
 * taken; 1 if they are not; EX_USAGE (64) for wrong arguments; EX_NOINPUT (66) if the directory
 * cannot be read; EX_UNAVAILABLE (69) if no adapter runs there; EX_NOPERM (77) if it may not be
 * looked at; EX_CONFIG (78) if the configuration is wrong; EX_IOERR (74) if the output cannot be
 * written. */
int status_command(int argc, char **argv);

#endif
