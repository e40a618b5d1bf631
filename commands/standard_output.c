/* standard_output.c -- a disk that is full, or a pipe that nobody reads, is not silent. Runs in the
 * processes of the commands. */
#include "commands/standard_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

int
standard_output_end(const char *command, int code)
{
    int error = fflush(stdout) != 0 ? errno : 0;
    if (error == 0 && ferror(stdout) == 0)
        return code;
    (void)fprintf(stderr, "%s: cannot write to standard output: %s\n", command,
                  strerrordesc_np(error != 0 ? error : EIO));
    return EX_IOERR;
}
