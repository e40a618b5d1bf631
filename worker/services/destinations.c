/* destinations.c -- a small least-recently-used memory of checked paths. Runs in a worker. */
#include "worker/services/destinations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/admission.h"
#include "common/heritage.h"
#include "base/log.h"
#include "base/quote.h"
#include "common/output_path.h"
#include "common/scoreboard.h"
#include "common/settings.h"

#define ENTRIES 64
#define FRESH_MS 1000
#define QUOTED_BYTES 200

struct entry {
    char *path; /* as the client sends it; NULL = an unused entry */
    size_t path_bytes;
    uint64_t hash;
    uint64_t checked_ms;
    uint64_t used; /* tick of the last use */
    int result;
    const char *fault; /* a literal; for result -EINVAL */
    char *name;        /* of the output; for result 0 */
    size_t name_bytes;
};

struct destinations {
    const struct heritage *heritage;
    struct entry entries[ENTRIES];
    uint64_t tick;
};

int
destinations_open(struct destinations **out, const struct heritage *heritage)
{
    struct destinations *destinations = calloc(1, sizeof(*destinations));
    if (destinations == NULL)
        return -ENOMEM;
    destinations->heritage = heritage;
    *out = destinations;
    return 0;
}

static void
clear_entry(struct entry *entry)
{
    free(entry->path);
    free(entry->name);
    *entry = (struct entry){0};
}

/* Says which outputs there are as they come: output.max_files bounds the lines. */
static void
log_new_output(struct bytes path, const char *name)
{
    char quoted[QUOTED_BYTES];
    (void)quote_bytes(quoted, sizeof(quoted), path, QUOTE_PLAIN);
    log_write(LOG_LEVEL_INFO, "a handler's file_path is seen for the first time",
              LOG_FIELDS(log_string("file_path", quoted), log_string("output", name)));
}

static void
log_standard_output(const struct heritage *heritage)
{
    if (scoreboard_is_first(&heritage->scoreboard->first_to_standard_output))
        log_write(LOG_LEVEL_INFO,
                  "a handler without a file_path is seen for the first time: its output is "
                  "standard output",
                  NULL);
}

/* Finds out about a path. */
static int
check_path(const struct heritage *heritage, struct bytes path, char *name, const char **fault_r)
{
    int result = output_path_normalise(name, path, heritage->settings->output_root, fault_r);
    if (result == 0)
        result = output_path_check(heritage->fds[HERITAGE_FD_ROOT],
                                   heritage->fds[HERITAGE_FD_SEGMENTS], name, fault_r);
    if (result == 0)
        result = admission_admit(heritage->admission, name);
    if (result > 0) {
        log_new_output(path, name);
        return 0;
    }
    if (result == -EEXIST) {
        *fault_r = "is a directory of another output, or the other way round";
        result = -EINVAL;
    }
    return result;
}

static struct entry *
find_entry(struct destinations *destinations, struct bytes path, uint64_t hash)
{
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &destinations->entries[i];
        if (entry->path != NULL && entry->hash == hash &&
            bytes_equal((struct bytes){entry->path, entry->path_bytes}, path))
            return entry;
    }
    return NULL;
}

/* An unused entry, or the one longest unused. */
static struct entry *
make_room(struct destinations *destinations)
{
    struct entry *oldest = &destinations->entries[0];
    for (size_t i = 0; i < ENTRIES; i++) {
        struct entry *entry = &destinations->entries[i];
        if (entry->path == NULL)
            return entry;
        if (entry->used < oldest->used)
            oldest = entry;
    }
    clear_entry(oldest);
    return oldest;
}

/* Checks the path and keeps what came out in `entry`, which is unused. */
static int
fill_entry(const struct destinations *destinations, struct entry *entry, struct bytes path,
           uint64_t hash, uint64_t now_ms)
{
    char name[OUTPUT_NAME_BYTES_MAX];
    entry->result = check_path(destinations->heritage, path, name, &entry->fault);
    entry->path = malloc(path.size);
    if (entry->path != NULL && entry->result == 0)
        entry->name = strdup(name);
    if (entry->path == NULL || (entry->result == 0 && entry->name == NULL)) {
        clear_entry(entry);
        return -ENOMEM;
    }
    memcpy(entry->path, path.data, path.size);
    entry->path_bytes = path.size;
    entry->name_bytes = entry->result == 0 ? strlen(name) : 0;
    entry->hash = hash;
    entry->checked_ms = now_ms;
    return 0;
}

static void
explain(const struct heritage *heritage, struct bytes path, int result, const char *fault,
        char reason[static DESTINATIONS_REASON_BYTES])
{
    char quoted[QUOTED_BYTES];
    (void)quote_bytes(quoted, sizeof(quoted), path, QUOTE_MARKS);
    if (result == -EINVAL)
        (void)snprintf(reason, DESTINATIONS_REASON_BYTES, "file_path \"%s\" %s", quoted, fault);
    else if (result == -EUSERS)
        (void)snprintf(reason, DESTINATIONS_REASON_BYTES,
                       "file_path \"%s\" would be one more than the output.max_files (%" PRId64
                       ") different output files",
                       quoted, heritage->settings->output_max_files);
    else
        (void)snprintf(reason, DESTINATIONS_REASON_BYTES, "file_path \"%s\" cannot be checked: %s",
                       quoted, strerrordesc_np(-result));
}

int
destinations_resolve(struct destinations *destinations, struct bytes file_path, uint64_t now_ms,
                     enum segment_kind *kind_r, struct bytes *name_r,
                     char reason[static DESTINATIONS_REASON_BYTES])
{
    if (file_path.size == 0) {
        log_standard_output(destinations->heritage);
        *kind_r = SEGMENT_STANDARD_OUTPUT;
        *name_r = (struct bytes){NULL, 0};
        return 0;
    }
    uint64_t hash = XXH3_64bits(file_path.data, file_path.size);
    struct entry *entry = find_entry(destinations, file_path, hash);
    if (entry != NULL && now_ms >= entry->checked_ms + FRESH_MS) {
        clear_entry(entry);
        entry = NULL;
    }
    int result = 0;
    if (entry == NULL) {
        entry = make_room(destinations);
        result = fill_entry(destinations, entry, file_path, hash, now_ms);
    }
    if (result == 0) {
        entry->used = ++destinations->tick;
        result = entry->result;
    }
    if (result != 0) {
        explain(destinations->heritage, file_path, result, entry->fault, reason);
        return result;
    }
    *kind_r = SEGMENT_FILE;
    *name_r = (struct bytes){entry->name, entry->name_bytes};
    return 0;
}

void
destinations_close(struct destinations **dp)
{
    if (*dp == NULL)
        return;
    for (size_t i = 0; i < ENTRIES; i++)
        clear_entry(&(*dp)->entries[i]);
    free(*dp);
    *dp = NULL;
}
