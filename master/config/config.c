/* config.c -- puts the configuration together from its sources and checks what no single setting
 * shows. Runs in the master before it forks. */
#include "master/config/config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "master/config/config_file.h"
#include "master/config/config_private.h"
#include "master/config/config_value.h"
#include "base/complaint.h"
#include "master/options.h"

#define SEGMENTS_DIRECTORY_NAME ".mygrpcadapter"
#define NAME_BYTES_MAX 64

/* Room that a segment file needs beside the text of a call. */
#define SEGMENT_OVERHEAD_BYTES INT64_C(16384)

void
config_note_place(struct config *config, const struct config_rule *rule, char *place)
{
    size_t index = (size_t)(rule - config_rules);
    free(config->places[index]);
    config->places[index] = place;
}

/* Whether the setting was given at all. */
static bool
is_given(const struct config *config, const char *name)
{
    return config->places[config_rule_find(name) - config_rules] != NULL;
}

/* Where the setting got its value, or its name if that is the default. */
static const char *
place_of(const struct config *config, const char *name)
{
    return is_given(config, name) ? config->places[config_rule_find(name) - config_rules] : name;
}

static int
set_defaults(struct config *config, struct complaint *complaint)
{
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        if (config_value_set_default(&config->settings, &config_rules[i], complaint) != 0)
            return complaint->exit_code;
    }
    return 0;
}

/* One --set; `set` is "KEY=VALUE". */
static int
apply_set(struct config *config, const char *set, struct complaint *complaint)
{
    char name[NAME_BYTES_MAX];
    size_t length = strcspn(set, "=");
    (void)snprintf(name, sizeof(name), "%.*s", (int)length, set);
    char *place = NULL;
    if (asprintf(&place, "--set %s", set) < 0)
        return complain(complaint, EX_OSERR, "out of memory");
    const struct config_rule *rule = length < sizeof(name) ? config_rule_find(name) : NULL;
    int result = rule == NULL ? complain(complaint, EX_CONFIG, "%s: unknown setting", place)
                              : config_value_set_text(&config->settings, rule, set + length + 1,
                                                      place, complaint);
    if (result == 0)
        config_note_place(config, rule, place);
    else
        free(place);
    return result;
}

static int
apply_options(struct config *config, const struct options *options, struct complaint *complaint)
{
    for (size_t i = 0; i < options->set_count; i++) {
        if (apply_set(config, options->sets[i], complaint) != 0)
            return complaint->exit_code;
    }
    if (options->port >= 0)
        config->settings.listen_port = options->port;
    return 0;
}

/* An empty segments.directory means one beneath output.root, wherever that ended up. */
static int
resolve_directory(struct settings *settings, struct complaint *complaint)
{
    if (settings->segments_directory[0] != '\0')
        return 0;
    size_t length = strlen(settings->output_root);
    const char *separator = settings->output_root[length - 1] == '/' ? "" : "/";
    char *path = NULL;
    if (asprintf(&path, "%s%s%s", settings->output_root, separator, SEGMENTS_DIRECTORY_NAME) < 0)
        return complain(complaint, EX_OSERR, "out of memory");
    free(settings->segments_directory);
    settings->segments_directory = path;
    return 0;
}

/* What was not given follows what was: a lower limit means smaller segments and shorter texts. */
static int
fit_together(struct config *config, struct complaint *complaint)
{
    struct settings *settings = &config->settings;
    if (!is_given(config, "segments.size_bytes") &&
        settings->segments_size_bytes > settings->segments_limit_bytes)
        settings->segments_size_bytes = settings->segments_limit_bytes;
    if (settings->workers_max_text_bytes > settings->segments_limit_bytes - SEGMENT_OVERHEAD_BYTES)
        settings->workers_max_text_bytes = settings->segments_limit_bytes - SEGMENT_OVERHEAD_BYTES;
    if (settings->segments_limit_bytes < settings->segments_size_bytes)
        return complain(complaint, EX_CONFIG,
                        "%s: %" PRId64 " is less than segments.size_bytes (%" PRId64 ")",
                        place_of(config, "segments.limit_bytes"), settings->segments_limit_bytes,
                        settings->segments_size_bytes);
    return 0;
}

static int
load(struct config *config, const struct options *options, struct complaint *complaint)
{
    const char *file = options->config_file;
    int result = set_defaults(config, complaint);
    if (result == 0)
        result = config_file_read(config, file != NULL ? file : CONFIG_DEFAULT_FILE, file == NULL,
                                  complaint);
    if (result == 0)
        result = apply_options(config, options, complaint);
    if (result == 0)
        result = resolve_directory(&config->settings, complaint);
    if (result == 0)
        result = fit_together(config, complaint);
    return result;
}

int
config_load(struct settings *out, const struct options *options, struct complaint *complaint)
{
    struct config config = {.places = {NULL}};
    int result = load(&config, options, complaint);
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++)
        free(config.places[i]);
    if (result != 0)
        config_free(&config.settings);
    *out = config.settings;
    return result;
}

/* Prints the group's opening or closing lines where `rule` begins another group than the one before
 * it. */
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
