/* rules.c -- what differs from role to role. Runs in the master. */
#include "master/crew/rules.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/invariant.h"
#include "common/settings.h"
#include "master/crew/slot.h"

struct role_rules {
    /* It counts as stalled after so many times workers.stall_timeout_ms without a heartbeat. */
    uint64_t stall_factor;
    /* The longest back-off after the death of a process that was READY. */
    uint64_t ready_backoff_ms_max;
    /* Whether it may be given up. */
    bool may_fail;
};

static const struct role_rules worker_rules = {
    .stall_factor = 1, .ready_backoff_ms_max = RULES_BACKOFF_MS_MAX, .may_fail = true};

/* A stalled collector holds up nobody's call, and a slow disk is no reason to kill it. Nobody can
 * stand in for it, and each of its lives merges something: it is never kept waiting for long. */
static const struct role_rules collector_rules = {
    .stall_factor = 6, .ready_backoff_ms_max = 1000, .may_fail = false};

/* Nobody waits for it, and it may mend. */
static const struct role_rules admin_rules = {
    .stall_factor = 1, .ready_backoff_ms_max = RULES_BACKOFF_MS_MAX, .may_fail = false};

static const struct role_rules *const role_rules[ROLES] = {
#define RULES(name, number, word, ...) [number] = &word##_rules,
    ROLE_LIST(RULES)
#undef RULES
};

void
rules_make(struct slot_rules *rules_r, enum role role, const struct settings *settings)
{
    INVARIANT((unsigned)role < ROLES);
    const struct role_rules *own = role_rules[role];
    *rules_r = (struct slot_rules){
        .start_limit_ms = (uint64_t)settings->workers_start_timeout_ms,
        .stall_limit_ms = (uint64_t)settings->workers_stall_timeout_ms * own->stall_factor,
        .abort_grace_ms = RULES_ABORT_GRACE_MS,
        .backoff_ms_min = RULES_BACKOFF_MS_MIN,
        .backoff_ms_max = RULES_BACKOFF_MS_MAX,
        .ready_backoff_ms_max = own->ready_backoff_ms_max,
        .spacing_ms = RULES_SPACING_MS,
        .good_life_ms = RULES_GOOD_LIFE_MS,
        .start_deaths_max = RULES_START_DEATHS_MAX,
        .may_fail = own->may_fail,
    };
}
