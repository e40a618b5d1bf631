/* settings.h -- the configuration as every process sees it.
 *
 * Filled once by the master (master/config/config.c, which also knows defaults, bounds and texts) before
 * it forks; read-only from then on. A field is named as its setting: listen.port is
 * settings->listen_port.
 */
#ifndef MYGRPCADAPTER_COMMON_SETTINGS_H
#define MYGRPCADAPTER_COMMON_SETTINGS_H

#include <stdint.h>

#include "base/log.h"

/* What an answer of OK survives. */
enum durability {
    DURABILITY_PROCESS, /* the death of any process: the record is in the page cache */
    DURABILITY_MACHINE, /* the loss of power: the record is on the disk */
};

struct settings {
    char *listen_address; /* numeric IPv4, or IPv6 with or without brackets */
    int64_t listen_port;  /* 0 = one the kernel chooses */
    int64_t listen_backlog;

    int64_t workers_count; /* as configured; 0 = one per CPU that the process may use */
    int64_t workers_max_connections;
    int64_t workers_max_concurrent_streams;
    int64_t workers_max_message_bytes;
    int64_t workers_max_text_bytes;
    int64_t workers_start_timeout_ms;
    int64_t workers_stall_timeout_ms;
    int64_t workers_drain_timeout_ms;

    char *segments_directory; /* never empty: the default is .mygrpcadapter beneath output_root */
    int64_t segments_size_bytes;
    int64_t segments_limit_bytes;
    enum durability segments_durability;

    char *output_root;
    int64_t output_mode; /* permission bits of a new output file */
    int64_t output_max_files;
    int64_t output_rotate_bytes;   /* 0 = not by size */
    int64_t output_rotate_seconds; /* 0 = not by age */
    int64_t output_rotate_keep;    /* files beside the one that is written */

    char *admin_address; /* the path of a socket, or a numeric ADDRESS:PORT; empty = none */

    enum log_level log_level;
    enum log_format log_format;
};

#endif
