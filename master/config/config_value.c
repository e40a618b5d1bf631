/* config_value.c -- checks, stores and prints the value of one setting by its rule. Runs in the
 * master before it forks. */
#include "master/config/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/log.h"
#include "common/settings.h"
#include "master/config/config_table.h"
#include "base/complaint.h"

#define CHOICES_BYTES 128
#define MODE_OWNER (S_IRUSR | S_IWUSR)

/* A choice is stored through memcpy: enum log_level and enum log_format are different types of this
 * size. */
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "enums are stored as unsigned");
_Static_assert(sizeof(enum log_format) == sizeof(unsigned), "enums are stored as unsigned");

static void *
field_of(struct settings *settings, const struct config_rule *rule)
{
    return (char *)settings + rule->offset;
}

static const void *
field_of_const(const struct settings *settings, const struct config_rule *rule)
{
    return (const char *)settings + rule->offset;
}

static void
store_number(struct settings *settings, const struct config_rule *rule, int64_t number)
{
    int64_t *field = field_of(settings, rule);
    *field = number;
}

int
config_value_wrong_type(const struct config_rule *rule, const char *place,
                        struct complaint *complaint)
{
    const char *wanted = "";
    switch (rule->kind) {
    case CONFIG_NUMBER:
        wanted = "an integer";
        break;
    case CONFIG_MODE:
        wanted = "a string of octal digits such as \"0640\"";
        break;
    case CONFIG_TEXT:
    case CONFIG_CHOICE:
        wanted = "a string";
        break;
    }
    return complain(complaint, EX_CONFIG, "%s: must be %s", place, wanted);
}

int
config_value_set_number(struct settings *settings, const struct config_rule *rule, int64_t number,
                        const char *place, struct complaint *complaint)
{
    if (rule->kind != CONFIG_NUMBER)
        return config_value_wrong_type(rule, place, complaint);
    if (number < rule->number_min || number > rule->number_max)
        return complain(complaint, EX_CONFIG,
                        "%s: %" PRId64 " is out of range (%" PRId64 " to %" PRId64 ")", place,
                        number, rule->number_min, rule->number_max);
    store_number(settings, rule, number);
    return 0;
}

static int
set_text(struct settings *settings, const struct config_rule *rule, const char *string,
         const char *place, struct complaint *complaint)
{
    const char *refusal = rule->refusal != NULL ? rule->refusal(string) : NULL;
    if (refusal != NULL)
        return complain(complaint, EX_CONFIG, "%s: \"%s\" %s", place, string, refusal);
    char *copy = strdup(string);
    if (copy == NULL)
        return complain(complaint, EX_OSERR, "out of memory");
    char **field = field_of(settings, rule);
    free(*field);
    *field = copy;
    return 0;
}

static int
set_choice(struct settings *settings, const struct config_rule *rule, const char *string,
           const char *place, struct complaint *complaint)
{
    char names[CHOICES_BYTES] = "";
    for (unsigned i = 0; rule->choices[i] != NULL; i++) {
        if (strcmp(rule->choices[i], string) == 0) {
            memcpy(field_of(settings, rule), &i, sizeof(i));
            return 0;
        }
        size_t used = strlen(names);
        (void)snprintf(names + used, sizeof(names) - used, "%s%s", i > 0 ? ", " : "",
                       rule->choices[i]);
    }
    return complain(complaint, EX_CONFIG, "%s: \"%s\" is not one of: %s", place, string, names);
}

static int
set_mode(struct settings *settings, const struct config_rule *rule, const char *string,
         const char *place, struct complaint *complaint)
{
    size_t length = strlen(string);
    if (length == 0 || length > 4 || strspn(string, "01234567") != length)
        return complain(complaint, EX_CONFIG,
                        "%s: \"%s\" is not a string of one to four octal digits", place, string);
    long mode = strtol(string, NULL, 8);
    if (mode > rule->number_max)
        return complain(complaint, EX_CONFIG, "%s: \"%s\" is out of range (0600 to 0%lo)", place,
                        string, (unsigned long)rule->number_max);
    if ((mode & MODE_OWNER) != MODE_OWNER)
        return complain(complaint, EX_CONFIG, "%s: \"%s\" does not let the owner read and write",
                        place, string);
    store_number(settings, rule, mode);
    return 0;
}

int
config_value_set_string(struct settings *settings, const struct config_rule *rule,
                        const char *string, const char *place, struct complaint *complaint)
{
    switch (rule->kind) {
    case CONFIG_NUMBER:
        break;
    case CONFIG_TEXT:
        return set_text(settings, rule, string, place, complaint);
    case CONFIG_CHOICE:
        return set_choice(settings, rule, string, place, complaint);
    case CONFIG_MODE:
        return set_mode(settings, rule, string, place, complaint);
    }
    return config_value_wrong_type(rule, place, complaint);
}

int
config_value_set_text(struct settings *settings, const struct config_rule *rule, const char *text,
                      const char *place, struct complaint *complaint)
{
    if (rule->kind != CONFIG_NUMBER)
        return config_value_set_string(settings, rule, text, place, complaint);
    char *end = NULL;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    /* A number beyond 64 bits comes back as the largest one and is out of range by itself. */
    if (end == text || *end != '\0' || (errno != 0 && errno != ERANGE))
        return config_value_wrong_type(rule, place, complaint);
    return config_value_set_number(settings, rule, number, place, complaint);
}

int
config_value_set_default(struct settings *settings, const struct config_rule *rule,
                         struct complaint *complaint)
{
    if (rule->kind == CONFIG_NUMBER)
        return config_value_set_number(settings, rule, rule->number_default, rule->name, complaint);
    return config_value_set_string(settings, rule, rule->text_default, rule->name, complaint);
}

void
config_value_clear(struct settings *settings, const struct config_rule *rule)
{
    if (rule->kind != CONFIG_TEXT)
        return;
    char **field = field_of(settings, rule);
    free(*field);
    *field = NULL;
}

/* Quoted for libconfig: its escapes for quotes, backslashes and control characters, other bytes as
 * they are. */
static void
print_quoted(const char *string, FILE *stream)
{
    (void)fputc('"', stream);
    for (const char *at = string; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\')
            (void)fprintf(stream, "\\%c", byte);
        else if (byte < ' ' || byte == 0x7f)
            (void)fprintf(stream, "\\x%02X", byte);
        else
            (void)fputc(byte, stream);
    }
    (void)fputc('"', stream);
}

/* libconfig cuts integers to 32 bits unless they end in L. */
static void
print_number(int64_t number, FILE *stream)
{
    (void)fprintf(stream, "%" PRId64 "%s", number, number > INT32_MAX ? "L" : "");
}

void
config_value_print(const struct settings *settings, const struct config_rule *rule, FILE *stream)
{
    const void *field = field_of_const(settings, rule);
    unsigned choice = 0;
    switch (rule->kind) {
    case CONFIG_NUMBER:
        print_number(*(const int64_t *)field, stream);
        break;
    case CONFIG_MODE:
        (void)fprintf(stream, "\"%04lo\"", (unsigned long)*(const int64_t *)field);
        break;
    case CONFIG_CHOICE:
        memcpy(&choice, field, sizeof(choice));
        print_quoted(rule->choices[choice], stream);
        break;
    case CONFIG_TEXT:
        print_quoted(*(char *const *)field, stream);
        break;
    }
}
