/* config_draft.c -- finds the rule of each value, has it judged and stored, and remembers where
 * it was given. Runs in the master before it forks. */
#include "master/config/config_draft.h"

#include <stddef.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/complaint.h"
#include "base/invariant.h"
#include "master/config/config_validators.h"
#include "master/config/config_value.h"

int
config_draft_begin(struct config_draft *draft, const struct config_validators *validators,
                   struct complaint *complaint)
{
    *draft = (struct config_draft){.validators = validators};
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        if (config_value_set_default(&draft->settings, &config_rules[i], complaint) != 0)
            return complaint->exit_code;
    }
    return 0;
}

/* Why an address or a path cannot be, or NULL: for any other rule, and for what is no text. */
static const char *
refusal_of(const struct config_draft *draft, const struct config_rule *rule,
           const struct config_given *given)
{
    if (rule->kind != CONFIG_TEXT || given->string == NULL)
        return NULL;
    INVARIANT(draft->validators->refusal[rule->shape] != NULL);
    return draft->validators->refusal[rule->shape](given->string);
}

static int
set(struct config_draft *draft, const struct config_rule *rule, const struct config_given *given,
    const char *place, struct complaint *complaint)
{
    const char *refusal = refusal_of(draft, rule, given);
    if (refusal != NULL)
        return complain(complaint, EX_CONFIG, "%s: \"%s\" %s", place, given->string, refusal);
    return config_value_set(&draft->settings, rule, given, place, complaint);
}

int
config_draft_set(struct config_draft *draft, const char *name, const struct config_given *given,
                 char *place, struct complaint *complaint)
{
    const struct config_rule *rule = config_rule_find(name);
    int result = rule == NULL ? complain(complaint, EX_CONFIG, "%s: unknown setting", place)
                              : set(draft, rule, given, place, complaint);
    if (result != 0) {
        free(place);
        return result;
    }
    char **kept = &draft->places[rule - config_rules];
    free(*kept);
    *kept = place;
    return 0;
}

bool
config_draft_is_given(const struct config_draft *draft, enum config_rule_index index)
{
    return draft->places[index] != NULL;
}

const char *
config_draft_place(const struct config_draft *draft, enum config_rule_index index)
{
    return config_draft_is_given(draft, index) ? draft->places[index] : config_rules[index].name;
}

void
config_draft_end(struct config_draft *draft)
{
    for (size_t i = 0; i < CONFIG_RULE_COUNT; i++) {
        free(draft->places[i]);
        draft->places[i] = NULL;
    }
}
