/* config_file.c -- reads a configuration file with libconfig and walks through what it holds. Runs
 * in the master before it forks.
 *
 * The walk goes over the file, not over the table, so that a setting nobody knows is found; two
 * levels, as all settings are "group.member". Duplicates are refused by libconfig itself.
 */
#include "master/config/config_file.h"

#include <errno.h>
#include <libconfig.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "master/config/config_draft.h"
#include "master/config/config_literals.h"
#include "master/config/config_table.h"
#include "master/config/config_value.h"

#define LINE_BYTES_MAX 200

struct reader {
    /* To be filled. */
    struct config_draft *draft;

    /* The file asked for, and the directory it is in. */
    const char *path;
    const char *directory;

    struct complaint *complaint;
};

/* The text of one line without the blanks around it: libconfig names the line of an error, but not
 * the setting. */
static void
read_line(const char *path, int number, char line[LINE_BYTES_MAX])
{
    line[0] = '\0';
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return;
    char *text = NULL;
    size_t size = 0;
    ssize_t length = 0;
    for (int i = 0; i < number && length >= 0; i++)
        length = getline(&text, &size, file);
    if (length > 0) {
        text[strcspn(text, "\r\n")] = '\0';
        (void)snprintf(line, LINE_BYTES_MAX, "%s", text + strspn(text, " \t"));
    }
    free(text);
    (void)fclose(file);
}

/* The path of a file that libconfig names: the one asked for as it is, an included one as it was
 * written there. */
static const char *
path_of(const struct reader *reader, const char *name, char path[PATH_MAX])
{
    if (name == NULL || strcmp(name, reader->path) == 0)
        return reader->path;
    (void)snprintf(path, PATH_MAX, "%s/%s", reader->directory, name);
    return path;
}

static int
complain_parse(const struct reader *reader, const config_t *file)
{
    char path[PATH_MAX];
    char line[LINE_BYTES_MAX];
    if (config_error_type(file) == CONFIG_ERR_FILE_IO)
        return complain(reader->complaint, EX_CONFIG, "cannot read \"%s\": %s", reader->path,
                        strerrordesc_np(errno));
    const char *where = path_of(reader, config_error_file(file), path);
    read_line(where, config_error_line(file), line);
    return complain(reader->complaint, EX_CONFIG, "%s:%d: %s in: %s", where,
                    config_error_line(file), config_error_text(file), line);
}

/* Where a setting stands, as a complaint begins; `group` is NULL for one at the top. Allocated;
 * NULL without memory. */
static char *
describe_place(const struct reader *reader, const config_setting_t *group,
               const config_setting_t *setting)
{
    char path[PATH_MAX];
    char *place = NULL;
    if (asprintf(
            &place, "%s:%u: %s%s%s", path_of(reader, config_setting_source_file(setting), path),
            config_setting_source_line(setting), group != NULL ? config_setting_name(group) : "",
            group != NULL ? "." : "", config_setting_name(setting)) < 0)
        return NULL;
    return place;
}

static struct config_given
value_of(const config_setting_t *setting)
{
    switch (config_setting_type(setting)) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_INT64:
        return (struct config_given){.form = CONFIG_FORM_NUMBER,
                                     .number = config_setting_get_int64(setting)};
    case CONFIG_TYPE_STRING:
        return (struct config_given){.form = CONFIG_FORM_STRING,
                                     .string = config_setting_get_string(setting)};
    default:
        return (struct config_given){.form = CONFIG_FORM_OTHER};
    }
}

static int
take_member(const struct reader *reader, const config_setting_t *group,
            const config_setting_t *member)
{
    const struct config_given given = value_of(member);
    char *place = describe_place(reader, group, member);
    char *name = NULL;
    if (place == NULL ||
        asprintf(&name, "%s.%s", config_setting_name(group), config_setting_name(member)) < 0) {
        free(place);
        return complain(reader->complaint, EX_OSERR, "out of memory");
    }
    int result = config_draft_set(reader->draft, name, &given, place, reader->complaint);
    free(name);
    return result;
}

/* What stands at the top and is no group we know. */
static int
complain_top(const struct reader *reader, const config_setting_t *setting)
{
    const char *name = config_setting_name(setting);
    char *place = describe_place(reader, NULL, setting);
    if (place == NULL)
        return complain(reader->complaint, EX_OSERR, "out of memory");
    int result = config_group_is_known(name)
                     ? complain(reader->complaint, EX_CONFIG, "%s: must be a group, %s: { ... };",
                                place, name)
                     : complain(reader->complaint, EX_CONFIG, "%s: unknown %s", place,
                                config_setting_is_group(setting) ? "group" : "setting");
    free(place);
    return result;
}

static int
take_group(const struct reader *reader, const config_setting_t *group)
{
    if (!config_setting_is_group(group) || !config_group_is_known(config_setting_name(group)))
        return complain_top(reader, group);
    int result = 0;
    for (int i = 0; i < config_setting_length(group) && result == 0; i++)
        result = take_member(reader, group, config_setting_get_elem(group, (unsigned)i));
    return result;
}

static int
take_file(const struct reader *reader, const config_t *file)
{
    char path[PATH_MAX];
    int result = 0;
    for (unsigned i = 0; i < file->num_filenames && result == 0; i++)
        result =
            config_literals_check(path_of(reader, file->filenames[i], path), reader->complaint);
    const config_setting_t *root = config_root_setting(file);
    for (int i = 0; i < config_setting_length(root) && result == 0; i++)
        result = take_group(reader, config_setting_get_elem(root, (unsigned)i));
    return result;
}

int
config_file_read(struct config_draft *draft, const char *path, bool optional,
                 struct complaint *complaint)
{
    struct stat status;
    if (stat(path, &status) != 0) {
        if (errno == ENOENT && optional)
            return 0;
        return complain(complaint, EX_CONFIG, "cannot read \"%s\": %s", path,
                        strerrordesc_np(errno));
    }
    /* libconfig's scanner would end the process. */
    if (S_ISDIR(status.st_mode))
        return complain(complaint, EX_CONFIG, "cannot read \"%s\": Is a directory", path);

    char *copy = strdup(path);
    if (copy == NULL)
        return complain(complaint, EX_OSERR, "out of memory");
    struct reader reader = {
        .draft = draft, .path = path, .directory = dirname(copy), .complaint = complaint};
    config_t file;
    config_init(&file);
    config_set_include_dir(&file, reader.directory);
    int result =
        config_read_file(&file, path) ? take_file(&reader, &file) : complain_parse(&reader, &file);
    config_destroy(&file);
    free(copy);
    return result;
}
