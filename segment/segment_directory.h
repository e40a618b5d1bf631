/* segment_directory.h -- what stands in a segment directory beside segments (segment_name.h) and
 * ledgers (ledger_format.h), and what the directory is called. Used by every process. */
#ifndef MYGRPCADAPTER_SEGMENT_DIRECTORY_H
#define MYGRPCADAPTER_SEGMENT_DIRECTORY_H

/* The name of the directory beneath output.root, where segments.directory does not say another. */
#define SEGMENT_DIRECTORY_NAME ".mygrpcadapter"

/* The file whose lock the master holds: one adapter to a directory. It says the master's pid. */
#define SEGMENT_DIRECTORY_LOCK "lock"

/* The file whose lock the collector holds: one collector to a directory. */
#define SEGMENT_DIRECTORY_COLLECTOR_LOCK "collector.lock"

/* The directory in it for files that are damaged. */
#define SEGMENT_DIRECTORY_QUARANTINE "quarantine"

/* Makes quarantine/ in the directory, if it is not there. Returns 0 or a negative errno. */
int segment_directory_make_quarantine(int directory_fd);

#endif
