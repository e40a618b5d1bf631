/* send_options.c -- the table of `send`'s options, and what is refused.
 *
 * Runs in the process of `mygrpcadapter send`, before anything else. An option is one line in the
 * table (and one in the text of --help): its name, the kind of its argument and the field it fills.
 * What belongs together or excludes each other is checked once all are read.
 */
#include "commands/send/send_options.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/array.h"
#include "base/complaint.h"
#include "commands/number.h"

#define SEE_HELP "see mygrpcadapter send --help"
#define OUT_OF_MEMORY "--dimension %s: out of memory"

enum option_kind { OPTION_SWITCH, OPTION_TEXT, OPTION_NUMBER, OPTION_VALUE, OPTION_DIMENSION };

struct option_rule {
    const char *name;
    /* The offset in struct send_options. */
    size_t field;
    /* The smallest number is 1. */
    uint64_t number_max;
    enum option_kind kind;
    /* It says what is in the request, so it is refused together with --request. */
    bool shapes_request;
};

#define FIELD(name) offsetof(struct send_options, name)

static const struct option_rule rules[] = {
    {"help", FIELD(help), 0, OPTION_SWITCH, false},
    {"address", FIELD(address), 0, OPTION_TEXT, false},
    {"file-path", FIELD(file_path), 0, OPTION_TEXT, true},
    {"no-config", FIELD(no_config), 0, OPTION_SWITCH, true},
    {"name", FIELD(name), 0, OPTION_TEXT, true},
    {"value", FIELD(value), 0, OPTION_VALUE, true},
    {"dimension", FIELD(dimensions), 0, OPTION_DIMENSION, true},
    {"instances", FIELD(instances), SEND_INSTANCES_MAX, OPTION_NUMBER, true},
    {"unique", FIELD(unique), 0, OPTION_SWITCH, true},
    {"request", FIELD(request_file), 0, OPTION_TEXT, false},
    {"count", FIELD(count), SEND_COUNT_MAX, OPTION_NUMBER, false},
    {"connections", FIELD(connections), SEND_CONNECTIONS_MAX, OPTION_NUMBER, false},
    {"in-flight", FIELD(in_flight), SEND_IN_FLIGHT_MAX, OPTION_NUMBER, false},
    {"timeout-ms", FIELD(timeout_ms), SEND_TIMEOUT_MS_MAX, OPTION_NUMBER, false},
};

#define RULE_COUNT (sizeof(rules) / sizeof(rules[0]))
#define RULE_HELP 0

/* getopt_long() returns FIRST_RULE + the index of the rule: more than any character. */
#define FIRST_RULE 256

static const char help_text[] =
    "Usage: mygrpcadapter send [OPTION...]\n"
    "Calls an adapter's HandleMetric as Istio's Mixer does, and prints what it answered.\n"
    "\n"
    "Where to:\n"
    "  --address HOST:PORT    the adapter (default localhost:8000); also unix:///PATH\n"
    "  --connections N        connections, each of its own (default 1); the calls are spread "
    "evenly\n"
    "  --in-flight N          calls at once on each connection (default 1)\n"
    "  --count N              calls in all (default 1)\n"
    "  --timeout-ms N         how long one call may take (default 5000)\n"
    "\n"
    "What:\n"
    "  --file-path PATH       the handler's file_path (default: none, the adapter's standard "
    "output)\n"
    "  --no-config            leave the handler's configuration out altogether\n"
    "  --name NAME            the instance's name (default i1metric.instance.istio-system)\n"
    "  --value VALUE          its value (default 1); a whole number without a type is an int\n"
    "  --dimension KEY=VALUE  one of its dimensions; may be given several times\n"
    "  --instances N          instances in each call (default 1)\n"
    "  --unique               add a dimension `" SEND_UNIQUE_KEY
    "`, the running number of the call\n"
    "  --request FILE         send the bytes of FILE as they are, instead of all these\n"
    "\n"
    "  -h, --help             this text\n"
    "\n"
    "VALUE is TYPE:TEXT, a TEXT alone is a string, and `none` is no value:\n"
    "  string:text  int:-5  double:1.5  bool:true  email:a@b.c  dns:svc.local  uri:http://x/\n"
    "  ip:10.1.2.3  ip:2001:db8::1  ip:hex:0a010203  timestamp:2019-03-16T01:02:03.5Z\n"
    "  duration:1h2m3.5s (Go's notation: ns us ms s m h)\n"
    "\n"
    "Exit status: 0 every call was answered OK, 1 some calls were not, 64 wrong arguments,\n"
    "69 no call reached an adapter.\n";

static void
set_defaults(struct send_options *options)
{
    *options = (struct send_options){
        .address = "localhost:8000",
        .name = "i1metric.instance.istio-system",
        .value = {.kind = SEND_VALUE_INT64, .integer = 1},
        .instances = 1,
        .count = 1,
        .connections = 1,
        .in_flight = 1,
        .timeout_ms = 5000,
    };
}

static int
set_number(const struct option_rule *rule, uint64_t *field, const char *text,
           struct complaint *complaint)
{
    if (number_parse(field, text, rule->number_max) == 0)
        return 0;
    return complain(complaint, EX_USAGE, "--%s %s: not a whole number from 1 to %" PRIu64,
                    rule->name, text, rule->number_max);
}

static bool
has_dimension(const struct send_options *options, const char *key)
{
    for (size_t i = 0; i < options->dimension_count; i++)
        if (strcmp(options->dimensions[i].key, key) == 0)
            return true;
    return false;
}

static int
add_dimension(struct send_options *options, const char *text, struct complaint *complaint)
{
    const char *equals = strchr(text, '=');
    if (equals == NULL || equals == text)
        return complain(complaint, EX_USAGE, "--dimension %s: not KEY=VALUE", text);

    size_t count = options->dimension_count;
    if (ARRAY_RESERVE(options->dimensions, options->dimension_capacity, count + 1) != 0)
        return complain(complaint, EX_OSERR, OUT_OF_MEMORY, text);

    struct send_value value;
    const char *why;
    if (send_value_parse(&value, equals + 1, &why) != 0)
        return complain(complaint, EX_USAGE, "--dimension %s: %s", text, why);
    char *key = strndup(text, (size_t)(equals - text));
    if (key == NULL)
        return complain(complaint, EX_OSERR, OUT_OF_MEMORY, text);
    if (has_dimension(options, key)) {
        free(key);
        return complain(complaint, EX_USAGE, "--dimension %s: the key is given twice", text);
    }
    options->dimensions[count] = (struct send_dimension){.key = key, .value = value};
    options->dimension_count = count + 1;
    return 0;
}

static int
set_value(struct send_value *field, const char *text, struct complaint *complaint)
{
    const char *why;
    if (send_value_parse_measure(field, text, &why) != 0)
        return complain(complaint, EX_USAGE, "--value %s: %s", text, why);
    return 0;
}

static int
apply_rule(struct send_options *options, const struct option_rule *rule, const char *text,
           struct complaint *complaint)
{
    void *field = (char *)options + rule->field;
    switch (rule->kind) {
    case OPTION_SWITCH:
        *(bool *)field = true;
        return 0;
    case OPTION_TEXT:
        *(const char **)field = text;
        return 0;
    case OPTION_NUMBER:
        return set_number(rule, field, text, complaint);
    case OPTION_VALUE:
        return set_value(field, text, complaint);
    case OPTION_DIMENSION:
        return add_dimension(options, text, complaint);
    }
    return 0;
}

/* Which of the options belong together, once all are read. `shaping` is one that shapes the
 * request, NULL if none. */
static int
check_together(const struct send_options *options, const struct option_rule *shaping,
               struct complaint *complaint)
{
    if (options->address[0] == '\0')
        return complain(complaint, EX_USAGE, "--address: is empty");
    if (options->request_file != NULL && shaping != NULL)
        return complain(complaint, EX_USAGE,
                        "--request %s: is sent as it is, --%s cannot change it",
                        options->request_file, shaping->name);
    if (options->no_config && options->file_path != NULL)
        return complain(complaint, EX_USAGE,
                        "--file-path %s: cannot be sent together with --no-config",
                        options->file_path);
    if (options->unique && has_dimension(options, SEND_UNIQUE_KEY))
        return complain(complaint, EX_USAGE, "--dimension %s: --unique adds this dimension itself",
                        SEND_UNIQUE_KEY);
    if (options->connections * options->in_flight > SEND_CALLS_AT_ONCE_MAX)
        return complain(complaint, EX_USAGE,
                        "--in-flight %" PRIu64 ": on %" PRIu64
                        " connections that is more than %d calls at once",
                        options->in_flight, options->connections, SEND_CALLS_AT_ONCE_MAX);
    return 0;
}

static void
fill_long_options(struct option long_options[RULE_COUNT + 1])
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        long_options[i] = (struct option){
            .name = rules[i].name,
            .has_arg = rules[i].kind == OPTION_SWITCH ? no_argument : required_argument,
            .val = FIRST_RULE + (int)i,
        };
    long_options[RULE_COUNT] = (struct option){0};
}

/* What getopt_long() did not like about argv[optind - 1]. */
static int
complain_about_option(int problem, char **argv, struct complaint *complaint)
{
    if (problem == ':')
        return complain(complaint, EX_USAGE, "%s: needs a value", argv[optind - 1]);
    if (optopt >= FIRST_RULE)
        return complain(complaint, EX_USAGE, "%s: takes no value", argv[optind - 1]);
    if (optopt != 0)
        return complain(complaint, EX_USAGE, "-%c: no such option, " SEE_HELP, optopt);
    return complain(complaint, EX_USAGE, "%s: no such option, " SEE_HELP, argv[optind - 1]);
}

int
send_options_parse(struct send_options *options, int argc, char **argv, struct complaint *complaint)
{
    const struct option_rule *shaping = NULL;
    struct option long_options[RULE_COUNT + 1];
    fill_long_options(long_options);
    set_defaults(options);

    optind = 0; /* makes glibc start afresh */
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (found == '?' || found == ':')
            return complain_about_option(found, argv, complaint);
        const struct option_rule *rule = &rules[found == 'h' ? RULE_HELP : found - FIRST_RULE];
        int status = apply_rule(options, rule, optarg, complaint);
        if (status != 0)
            return status;
        if (rule->shapes_request)
            shaping = rule;
    }
    if (options->help)
        return 0;
    if (optind < argc)
        return complain(complaint, EX_USAGE, "%s: not an option, " SEE_HELP, argv[optind]);
    return check_together(options, shaping, complaint);
}

void
send_options_close(struct send_options *options)
{
    for (size_t i = 0; i < options->dimension_count; i++)
        free(options->dimensions[i].key);
    free(options->dimensions);
    options->dimensions = NULL;
    options->dimension_count = 0;
    options->dimension_capacity = 0;
}

void
send_options_print_help(FILE *out)
{
    (void)fputs(help_text, out);
}
