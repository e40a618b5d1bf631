/* destinations.c -- a small least-recently-used memory of checked paths. Runs in a worker.
 *
 * A path is checked first, and counts against output.max_files only once there is room for the
 * call's record: a call that is refused takes no output's place. */
#include "worker/services/destinations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "common/admission.h"
#include "common/heritage.h"
#include "base/invariant.h"
#include "base/log.h"
#include "base/quote.h"
#include "common/output_path.h"
#include "common/rotated_name.h"
#include "common/scoreboard.h"
#include "common/settings.h"
#include "worker/call_refusal.h"

#define ENTRIES 64
#define FRESH_MS 1000
#define QUOTED_BYTES 200

#define ROTATION_REMEDY                                                                            \
    ", which rotation would rename and delete; choose another, or turn off "                       \
    "output.rotate_bytes and output.rotate_seconds"

/* What was found out about a path. */
struct entry {
    /* As the client sends it; NULL in an unused entry. */
    char *path;
    size_t path_bytes;
    uint64_t hash;

    uint64_t checked_ms;

    /* destinations->tick at its last use. */
    uint64_t used;

    /* Why calls for it are refused; NULL if they are not. */
    struct call_refusal *refusal;

    /* The output's, if they are not. */
    char *name;
    size_t name_bytes;

    /* The name counts among those accepted. */
    bool admitted;
};

struct destinations {
    const struct heritage *heritage;
    struct entry entries[ENTRIES];
    uint64_t tick;

    /* Whether there is room for a record; NULL = always. */
    destinations_has_room *has_room;
    void *room_context;
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

void
destinations_ask_for_room(struct destinations *destinations, destinations_has_room *has_room,
                          void *context)
{
    destinations->has_room = has_room;
    destinations->room_context = context;
}

static void
clear_entry(struct entry *entry)
{
    free(entry->path);
    free(entry->refusal);
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

/* Refuses a path for what its check ended with, and a literal that says what is wrong with it. */
static bool
refuse_path(const struct heritage *heritage, struct bytes path, int error, const char *fault,
            struct call_refusal *refusal_r)
{
    char quoted[QUOTED_BYTES];
    (void)quote_bytes(quoted, sizeof(quoted), path, QUOTE_MARKS);
    switch (-error) {
    case EINVAL:
        return call_refuse(refusal_r, REFUSAL_FILE_PATH, "file_path \"%s\" %s", quoted, fault);
    case EEXIST:
        return call_refuse(refusal_r, REFUSAL_FILE_PATH,
                           "file_path \"%s\" is a directory of another output, or the other way "
                           "round",
                           quoted);
    case EUSERS:
        return call_refuse(refusal_r, REFUSAL_MAX_FILES,
                           "file_path \"%s\" would be one more than the output.max_files "
                           "(%" PRId64 ") different output files",
                           quoted, heritage->settings->output_max_files);
    case EMLINK:
        return call_refuse(refusal_r, REFUSAL_MAX_FILES,
                           "file_path \"%s\" has more directories than are left of those kept for "
                           "output.max_files (%" PRId64 ") output files",
                           quoted, heritage->settings->output_max_files);
    default:
        return call_refuse(refusal_r, call_refusal_cause_of_error(error),
                           "file_path \"%s\" cannot be checked: %s", quoted,
                           strerrordesc_np(-error));
    }
}

/* Rotation would take a file of such a name for a rotated one: rename it, and delete it in time. A
 * link may lead to one. */
static int
check_rotation(const struct heritage *heritage, const char *name, const char **fault_r)
{
    char real_name[OUTPUT_NAME_BYTES_MAX];
    if (!rotated_name_is_in_use(heritage->settings))
        return 0;
    if (rotated_name_is_within(name))
        *fault_r = "has a name in it that ends in a dot and a number" ROTATION_REMEDY;
    else if (output_path_find(heritage->fds[HERITAGE_FD_ROOT], name, real_name) == 0 &&
             rotated_name_ends(real_name))
        *fault_r = "leads to a file whose name ends in a dot and a number" ROTATION_REMEDY;
    else
        return 0;
    return -EINVAL;
}

/* Finds out which output a path is, or why it is none. */
static bool
check_path(const struct heritage *heritage, struct bytes path, char *name,
           struct call_refusal *refusal_r)
{
    const char *fault = NULL;
    int result = output_path_normalise(name, path, heritage->settings->output_root, &fault);
    if (result == 0)
        result = output_path_check(heritage->fds[HERITAGE_FD_ROOT],
                                   heritage->fds[HERITAGE_FD_SEGMENTS], name, &fault);
    if (result == 0)
        result = check_rotation(heritage, name, &fault);
    return result == 0 || refuse_path(heritage, path, result, fault, refusal_r);
}

/* Keeps in `entry` why its path is refused. False if there is no memory. */
static bool
keep_refusal(struct entry *entry, const struct call_refusal *refusal)
{
    entry->refusal = malloc(sizeof(*entry->refusal));
    if (entry->refusal != NULL)
        *entry->refusal = *refusal;
    return entry->refusal != NULL;
}

/* Has the name of a path that was checked count among those accepted, if there is room for the
 * record. A lack of room is no fact about the path, and is not kept. */
static bool
admit(struct destinations *destinations, struct entry *entry, struct call_refusal *refusal_r)
{
    struct bytes path = {entry->path, entry->path_bytes};
    if (destinations->has_room != NULL &&
        !destinations->has_room(destinations->room_context, entry->name_bytes, refusal_r))
        return false;
    int result = admission_admit(destinations->heritage->admission, entry->name);
    if (result < 0) {
        (void)refuse_path(destinations->heritage, path, result, NULL, refusal_r);
        if (keep_refusal(entry, refusal_r)) {
            free(entry->name);
            entry->name = NULL;
        }
        return false;
    }
    if (result > 0)
        log_new_output(path, entry->name);
    entry->admitted = true;
    return true;
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

/* Checks the path and keeps what came out in `entry`, which is unused. False if there is no
 * memory to keep it in. */
static bool
fill_entry(const struct heritage *heritage, struct entry *entry, struct bytes path)
{
    char name[OUTPUT_NAME_BYTES_MAX];
    struct call_refusal refusal;
    entry->path = malloc(path.size);
    if (entry->path == NULL)
        return false;
    memcpy(entry->path, path.data, path.size);
    entry->path_bytes = path.size;
    if (check_path(heritage, path, name, &refusal)) {
        entry->name = strdup(name);
        entry->name_bytes = strlen(name);
        return entry->name != NULL;
    }
    return keep_refusal(entry, &refusal);
}

/* What is known of a path, for FRESH_MS; NULL if there is no memory to know it in. */
static struct entry *
look_up(struct destinations *destinations, struct bytes path, uint64_t now_ms)
{
    uint64_t hash = XXH3_64bits(path.data, path.size);
    struct entry *entry = find_entry(destinations, path, hash);
    if (entry != NULL && now_ms >= entry->checked_ms + FRESH_MS) {
        clear_entry(entry);
        entry = NULL;
    }
    if (entry == NULL) {
        entry = make_room(destinations);
        entry->hash = hash;
        entry->checked_ms = now_ms;
        if (!fill_entry(destinations->heritage, entry, path)) {
            clear_entry(entry);
            return NULL;
        }
        INVARIANT((entry->name != NULL) != (entry->refusal != NULL));
    }
    entry->used = ++destinations->tick;
    return entry;
}

bool
destinations_resolve(struct destinations *destinations, struct bytes file_path, uint64_t now_ms,
                     enum segment_kind *kind_r, struct bytes *name_r,
                     struct call_refusal *refusal_r)
{
    if (file_path.size == 0) {
        log_standard_output(destinations->heritage);
        *kind_r = SEGMENT_STANDARD_OUTPUT;
        *name_r = (struct bytes){NULL, 0};
        return true;
    }
    struct entry *entry = look_up(destinations, file_path, now_ms);
    if (entry == NULL)
        return refuse_path(destinations->heritage, file_path, -ENOMEM, NULL, refusal_r);
    if (entry->refusal != NULL) {
        *refusal_r = *entry->refusal;
        return false;
    }
    if (!entry->admitted && !admit(destinations, entry, refusal_r))
        return false;
    *kind_r = SEGMENT_FILE;
    *name_r = (struct bytes){entry->name, entry->name_bytes};
    return true;
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
