/* config_table.c -- every setting there is. Runs in the master before it forks.
 *
 * Bounds are what the code behind a setting can stand; they are wide on purpose. What depends on
 * two settings is checked in config.c.
 */
#include "master/config/config_table.h"

#include <string.h>

#include "common/settings.h"
#include "master/admin_socket.h"
#include "master/listener.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define HOUR_MS INT64_C(3600000)
#define DAY_S INT64_C(86400)

/* In the order of enum durability, enum log_level and enum log_format. */
static const char *const durability_names[] = {"process", "machine", NULL};
static const char *const level_names[] = {"error", "warning", "info", "debug", NULL};
static const char *const format_names[] = {"text", "json", NULL};

static const char *
refuse_address(const char *value)
{
    return listener_address_is_valid(value) ? NULL : "is not a numeric IPv4 or IPv6 address";
}

static const char *
refuse_relative(const char *value)
{
    return value[0] == '/' ? NULL : "is not an absolute path";
}

static const char *
refuse_relative_unless_empty(const char *value)
{
    return value[0] == '\0' ? NULL : refuse_relative(value);
}

#define NUMBER(setting, field, value, min, max, text)                                              \
    {                                                                                              \
        .name = (setting), .kind = CONFIG_NUMBER, .offset = offsetof(struct settings, field),      \
        .number_default = (value), .number_min = (min), .number_max = (max), .about = (text),      \
    }
#define TEXT(setting, field, value, check, text)                                                   \
    {                                                                                              \
        .name = (setting), .kind = CONFIG_TEXT, .offset = offsetof(struct settings, field),        \
        .text_default = (value), .refusal = (check), .about = (text),                              \
    }
#define CHOICE(setting, field, value, names, text)                                                 \
    {                                                                                              \
        .name = (setting), .kind = CONFIG_CHOICE, .offset = offsetof(struct settings, field),      \
        .text_default = (value), .choices = (names), .about = (text),                              \
    }
#define MODE(setting, field, value, text)                                                          \
    {                                                                                              \
        .name = (setting), .kind = CONFIG_MODE, .offset = offsetof(struct settings, field),        \
        .text_default = (value), .number_max = 0777, .about = (text),                              \
    }

const struct config_rule config_rules[CONFIG_RULE_COUNT] = {
    TEXT("listen.address", listen_address, "[::]", refuse_address,
         "numeric address; [::] = all, IPv4 too"),
    NUMBER("listen.port", listen_port, 8000, 0, 65535, "TCP port; 0 = one the kernel chooses"),
    NUMBER("listen.backlog", listen_backlog, 1024, 1, 65535,
           "connections that may wait to be accepted"),

    NUMBER("workers.count", workers_count, 0, 0, 256, "processes; 0 = one per CPU allowed"),
    NUMBER("workers.max_connections", workers_max_connections, 1024, 1, 1000000,
           "connections of one worker"),
    NUMBER("workers.max_concurrent_streams", workers_max_concurrent_streams, 1024, 1, 1000000,
           "calls in flight on one connection"),
    NUMBER("workers.max_message_bytes", workers_max_message_bytes, 4 * MIB, KIB, GIB,
           "bytes of one request"),
    NUMBER("workers.max_text_bytes", workers_max_text_bytes, 64 * MIB, KIB, GIB,
           "bytes of text of one call; at most segments.limit_bytes - 16 KiB"),
    NUMBER("workers.start_timeout_ms", workers_start_timeout_ms, 30000, 100, HOUR_MS,
           "ms until a new process must serve"),
    NUMBER("workers.stall_timeout_ms", workers_stall_timeout_ms, 10000, 1000, HOUR_MS,
           "ms without a heartbeat until a process is replaced"),
    NUMBER("workers.drain_timeout_ms", workers_drain_timeout_ms, 10000, 0, HOUR_MS,
           "ms for calls in flight to finish when stopping"),

    TEXT("segments.directory", segments_directory, "", refuse_relative_unless_empty,
         "absolute path; empty = .mygrpcadapter beneath output.root"),
    NUMBER("segments.size_bytes", segments_size_bytes, 16 * MIB, 64 * KIB, GIB,
           "bytes of one segment file"),
    NUMBER("segments.limit_bytes", segments_limit_bytes, 256 * MIB, 64 * KIB, 1024 * GIB,
           "bytes of all unmerged segments of one worker"),
    CHOICE("segments.durability", segments_durability, "process", durability_names,
           "what an OK survives: the death of any process, or of the machine"),

    TEXT("output.root", output_root, "/volume", refuse_relative,
         "absolute path; every output file is beneath it"),
    MODE("output.mode", output_mode, "0640", "permission bits of a new output file, octal"),
    NUMBER("output.max_files", output_max_files, 1024, 1, 65536,
           "different output files accepted between two starts or reloads"),
    NUMBER("output.rotate_bytes", output_rotate_bytes, 0, 0, 1024 * GIB,
           "bytes at which an output file is rotated; 0 = never"),
    NUMBER("output.rotate_seconds", output_rotate_seconds, 0, 0, 366 * DAY_S,
           "length of the periods, from midnight UTC, of which each has its own file; 0 = none"),
    NUMBER("output.rotate_keep", output_rotate_keep, 10, 1, 1000,
           "rotated files that are kept of each output"),

    TEXT("admin.address", admin_address, "", admin_socket_refusal,
         "metrics over HTTP at ADDRESS:PORT or the path of a socket; empty = nowhere"),

    CHOICE("log.level", log_level, "info", level_names, "the most talkative level shown"),
    CHOICE("log.format", log_format, "text", format_names, "of the lines on standard error"),
};

const struct config_rule *
config_rule_find(const char *name)
{
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        if (strcmp(config_rules[i].name, name) == 0)
            return &config_rules[i];
    }
    return NULL;
}
