/* config.c -- puts the configuration together from its sources and checks what no single setting
 * shows. Runs in the master before it forks, and in `mygrpcadapter status`. */
#include "master/config/config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "base/invariant.h"
#include "common/settings.h"
#include "master/config/config_draft.h"
#include "master/config/config_file.h"
#include "master/config/config_table.h"
#include "master/config/config_value.h"
#include "segment/segment_directory.h"

/* Room that a segment file needs beside the text of a call. */
#define SEGMENT_OVERHEAD_BYTES INT64_C(16384)

/* One --set; `set` is "KEY=VALUE". */
static int
apply_set(struct config_draft *draft, const char *set, struct complaint *complaint)
{
    size_t length = strcspn(set, "=");
    INVARIANT(set[length] == '=');
    const struct config_given given = {.form = CONFIG_FORM_WORD, .string = set + length + 1};
    char *name = strndup(set, length);
    char *place = NULL;
    int result;
    if (name == NULL || asprintf(&place, "--set %s", set) < 0)
        result = complain(complaint, EX_OSERR, "out of memory");
    else
        result = config_draft_set(draft, name, &given, place, complaint);
    free(name);
    return result;
}

static int
apply_command_line(struct config_draft *draft, const struct config_sources *sources,
                   struct complaint *complaint)
{
    for (size_t i = 0; i < sources->set_count; i++) {
        if (apply_set(draft, sources->sets[i], complaint) != 0)
            return complaint->exit_code;
    }
    if (sources->port != CONFIG_NO_PORT)
        draft->settings.listen_port = sources->port;
    return 0;
}

/* An empty segments.directory means one beneath output.root, wherever that ended up. */
static int
resolve_directory(struct settings *settings, struct complaint *complaint)
{
    if (settings->segments_directory[0] != '\0')
        return 0;
    size_t length = strlen(settings->output_root);
    INVARIANT(length > 0);
    const char *separator = settings->output_root[length - 1] == '/' ? "" : "/";
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", settings->output_root, separator, SEGMENT_DIRECTORY_NAME) < 0)
        return complain(complaint, EX_OSERR, "out of memory");
    free(settings->segments_directory);
    settings->segments_directory = path;
    return 0;
}

/* What was not given follows what was: a lower limit means smaller segments and shorter texts. */
static int
fit_together(struct config_draft *draft, struct complaint *complaint)
{
    struct settings *settings = &draft->settings;
    if (!config_draft_is_given(draft, CONFIG_RULE_segments_size_bytes) &&
        settings->segments_size_bytes > settings->segments_limit_bytes)
        settings->segments_size_bytes = settings->segments_limit_bytes;
    if (settings->workers_max_text_bytes > settings->segments_limit_bytes - SEGMENT_OVERHEAD_BYTES)
        settings->workers_max_text_bytes = settings->segments_limit_bytes - SEGMENT_OVERHEAD_BYTES;
    if (settings->segments_limit_bytes < settings->segments_size_bytes)
        return complain(complaint, EX_CONFIG,
                        "%s: %" PRId64 " is less than segments.size_bytes (%" PRId64 ")",
                        config_draft_place(draft, CONFIG_RULE_segments_limit_bytes),
                        settings->segments_limit_bytes, settings->segments_size_bytes);
    return 0;
}

static int
fill(struct config_draft *draft, const struct config_sources *sources, struct complaint *complaint)
{
    bool optional = sources->file == NULL;
    const char *file = optional ? CONFIG_DEFAULT_FILE : sources->file;
    int result = config_file_read(draft, file, optional, complaint);
    if (result == 0)
        result = apply_command_line(draft, sources, complaint);
    if (result == 0)
        result = resolve_directory(&draft->settings, complaint);
    if (result == 0)
        result = fit_together(draft, complaint);
    return result;
}

int
config_load(struct settings *out, const struct config_sources *sources,
            const struct config_validators *validators, struct complaint *complaint)
{
    struct config_draft draft;
    int result = config_draft_begin(&draft, validators, complaint);
    if (result == 0)
        result = fill(&draft, sources, complaint);
    config_draft_end(&draft);
    if (result != 0)
        config_free(&draft.settings);
    *out = draft.settings;
    return result;
}

/* Ends the group of the rule before and begins that of `rule`, if they are two. */
static void
print_group_change(const struct config_rule *rule, const struct config_rule *before, FILE *stream)
{
    size_t length = strcspn(rule->name, ".");
    if (before != NULL && strncmp(before->name, rule->name, length + 1) == 0)
        return;
    if (before != NULL)
        (void)fputs("};\n", stream);
    (void)fprintf(stream, "%.*s: {\n", (int)length, rule->name);
}

void
config_print(const struct settings *settings, FILE *stream)
{
    const struct config_rule *before = NULL;
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        const struct config_rule *rule = &config_rules[i];
        print_group_change(rule, before, stream);
        (void)fprintf(stream, "    %s = ", strchr(rule->name, '.') + 1);
        config_value_print(settings, rule, stream);
        (void)fprintf(stream, "; # %s", rule->about);
        if (rule->kind == CONFIG_NUMBER)
            (void)fprintf(stream, " (%" PRId64 " to %" PRId64 ")", rule->number_min,
                          rule->number_max);
        (void)fputc('\n', stream);
        before = rule;
    }
    (void)fputs("};\n", stream);
}

void
config_free(struct settings *settings)
{
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++)
        config_value_clear(settings, &config_rules[i]);
    memset(settings, 0, sizeof(*settings));
}
