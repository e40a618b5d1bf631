/* segments.h -- the command `mygrpcadapter segments`: what stands in a segment directory.
 *
 * For a person who looks after an adapter, living or dead. It is a process of its own that only
 * reads: it takes no lock, opens nothing for writing and maps no file that others may cut short.
 */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_H

/* Runs the command; argv[0] is "segments". Returns the exit code of the process: 0 if all could be
 * read; 1 if --verify found damage; EX_USAGE (64) for wrong arguments; EX_NOINPUT (66) if the
 * directory, or a file in it, cannot be read; EX_OSERR (71) without memory; EX_IOERR (74) if its
 * output cannot be written. */
int segments_command(int argc, char **argv);

#endif
