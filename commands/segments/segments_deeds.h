/* segments_deeds.h -- what `mygrpcadapter segments` changes when it is told to. Runs in its
 * process. */
#ifndef MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_DEEDS_H
#define MYGRPCADAPTER_COMMANDS_SEGMENTS_SEGMENTS_DEEDS_H

/* Has the adapter that runs on the segment directory set aside what waits for a destination
 * ("stdout" or "file:NAME"), waits for its answer and prints it. Returns the exit code. */
int segments_set_aside(int directory_fd, const char *destination);

/* Puts a file of aside/ back among the segments. Returns the exit code. */
int segments_put_back(int directory_fd, const char *name);

#endif
