/* segment_directory.h -- what stands in a segment directory beside segments (segment_name.h) and
 * ledgers (ledger_format.h), and what the directory is called. Used by every process. */
#ifndef MYGRPCADAPTER_SEGMENT_DIRECTORY_H
#define MYGRPCADAPTER_SEGMENT_DIRECTORY_H

#include <stdint.h>

/* The name of the directory beneath output.root, where segments.directory does not say another. */
#define SEGMENT_DIRECTORY_NAME ".mygrpcadapter"

/* The file whose lock the master holds: one adapter to a directory. It says the master's pid. */
#define SEGMENT_DIRECTORY_LOCK "lock"

/* The file whose lock the collector holds: one collector to a directory. */
#define SEGMENT_DIRECTORY_COLLECTOR_LOCK "collector.lock"

/* The directory in it for files that are damaged. */
#define SEGMENT_DIRECTORY_QUARANTINE "quarantine"

/* The directory in it for records that somebody has set aside (aside_store.h). */
#define SEGMENT_DIRECTORY_ASIDE "aside"

/* The file by which somebody orders records to be set aside (collector/set_aside.h). */
#define SEGMENT_DIRECTORY_ORDER "set-aside"

/* Makes one of these directories, for the adapter's user alone, if it is not there. Returns 0 or a
 * negative errno. */
int segment_directory_make(int directory_fd, const char *name);

/* Opens one of these directories. Returns a descriptor, the caller's to close, or a negative errno
 * (-ENOENT: it was never made). */
int segment_directory_open(int directory_fd, const char *name);

/* How many files one of these directories holds, and how many bytes they have; none if it was never
 * made. Returns 0 or a negative errno. */
int segment_directory_count(int directory_fd, const char *name, uint64_t *files_r,
                            uint64_t *bytes_r);

#endif
