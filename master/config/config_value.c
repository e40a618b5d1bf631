/* config_value.c -- checks, stores and prints the value of one setting by its rule. Runs in the
 * master before it forks. */
#include "master/config/config_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "base/invariant.h"
#include "common/settings.h"
#include "master/config/config_table.h"

#define CHOICES_BYTES 128

/* What the owner must be let do, and the most that all may be. */
#define MODE_OWNER ((unsigned)(S_IRUSR | S_IWUSR))
#define MODE_MAX 0777U

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
    INVARIANT(rule->kind == CONFIG_NUMBER || rule->kind == CONFIG_MODE);
    int64_t *field = field_of(settings, rule);
    *field = number;
}

static int
store_text(struct settings *settings, const struct config_rule *rule, const char *text,
           struct complaint *complaint)
{
    INVARIANT(rule->kind == CONFIG_TEXT);
    char *copy = strdup(text);
    if (copy == NULL)
        return complain(complaint, EX_OSERR, "out of memory");
    char **field = field_of(settings, rule);
    free(*field);
    *field = copy;
    return 0;
}

/* Through memcpy: the enums are different types, all of the size of unsigned (config_table.c). */
static void
store_choice(struct settings *settings, const struct config_rule *rule, unsigned choice)
{
    INVARIANT(rule->kind == CONFIG_CHOICE && choice < rule->choice_count);
    memcpy(field_of(settings, rule), &choice, sizeof(choice));
}

static int
complain_kind(const struct config_rule *rule, const char *place, struct complaint *complaint)
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

static int
set_number(struct settings *settings, const struct config_rule *rule, int64_t number,
           const char *place, struct complaint *complaint)
{
    if (number < rule->number_min || number > rule->number_max)
        return complain(complaint, EX_CONFIG,
                        "%s: %" PRId64 " is out of range (%" PRId64 " to %" PRId64 ")", place,
                        number, rule->number_min, rule->number_max);
    store_number(settings, rule, number);
    return 0;
}

/* A number as the command line gives it. */
static int
set_word_as_number(struct settings *settings, const struct config_rule *rule, const char *word,
                   const char *place, struct complaint *complaint)
{
    char *end = NULL;
    errno = 0;
    long long number = strtoll(word, &end, 10);
    /* A number beyond 64 bits comes back as the largest one and is out of range by itself. */
    if (end == word || *end != '\0' || (errno != 0 && errno != ERANGE))
        return complain_kind(rule, place, complaint);
    return set_number(settings, rule, number, place, complaint);
}

static int
set_choice(struct settings *settings, const struct config_rule *rule, const char *string,
           const char *place, struct complaint *complaint)
{
    char names[CHOICES_BYTES] = "";
    for (unsigned i = 0; i < rule->choice_count; i++) {
        if (strcmp(rule->choices[i], string) == 0) {
            store_choice(settings, rule, i);
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
    unsigned long mode = strtoul(string, NULL, 8);
    if (mode > MODE_MAX)
        return complain(complaint, EX_CONFIG, "%s: \"%s\" is out of range (0%o to 0%o)", place,
                        string, MODE_OWNER, MODE_MAX);
    if ((mode & MODE_OWNER) != MODE_OWNER)
        return complain(complaint, EX_CONFIG, "%s: \"%s\" does not let the owner read and write",
                        place, string);
    store_number(settings, rule, (int64_t)mode);
    return 0;
}

static int
set_string(struct settings *settings, const struct config_rule *rule, const char *string,
           const char *place, struct complaint *complaint)
{
    switch (rule->kind) {
    case CONFIG_NUMBER:
        break;
    case CONFIG_TEXT:
        return store_text(settings, rule, string, complaint);
    case CONFIG_CHOICE:
        return set_choice(settings, rule, string, place, complaint);
    case CONFIG_MODE:
        return set_mode(settings, rule, string, place, complaint);
    }
    return complain_kind(rule, place, complaint);
}

int
config_value_set(struct settings *settings, const struct config_rule *rule,
                 const struct config_given *given, const char *place, struct complaint *complaint)
{
    bool is_number = rule->kind == CONFIG_NUMBER;
    switch (given->form) {
    case CONFIG_FORM_NUMBER:
        return is_number ? set_number(settings, rule, given->number, place, complaint)
                         : complain_kind(rule, place, complaint);
    case CONFIG_FORM_STRING:
        return set_string(settings, rule, given->string, place, complaint);
    case CONFIG_FORM_WORD:
        return is_number ? set_word_as_number(settings, rule, given->string, place, complaint)
                         : set_string(settings, rule, given->string, place, complaint);
    case CONFIG_FORM_OTHER:
        break;
    }
    return complain_kind(rule, place, complaint);
}

int
config_value_set_default(struct settings *settings, const struct config_rule *rule,
                         struct complaint *complaint)
{
    switch (rule->kind) {
    case CONFIG_NUMBER:
    case CONFIG_MODE:
        store_number(settings, rule, rule->number_default);
        break;
    case CONFIG_TEXT:
        return store_text(settings, rule, rule->text_default, complaint);
    case CONFIG_CHOICE:
        store_choice(settings, rule, (unsigned)rule->number_default);
        break;
    }
    return 0;
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
        INVARIANT(choice < rule->choice_count);
        print_quoted(rule->choices[choice], stream);
        break;
    case CONFIG_TEXT:
        print_quoted(*(char *const *)field, stream);
        break;
    }
}
