/* standard_output.h -- the end of what a command prints. Runs in the processes of
 * `mygrpcadapter send`, `health`, `segments` and `status`. */
#ifndef MYGRPCADAPTER_COMMANDS_STANDARD_OUTPUT_H
#define MYGRPCADAPTER_COMMANDS_STANDARD_OUTPUT_H

/* Writes out what standard output still holds. Returns `code`; or, if anything that was printed
 * could not be written, says so after the name of the command, and returns EX_IOERR. */
int standard_output_end(const char *command, int code);

#endif
