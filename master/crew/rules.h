/* rules.h -- how long a process of each role may take, and when another one is started in its
 * place: every number about starts, restarts and back-off stands here or in rules.c. Used by the
 * master. */
#ifndef MYGRPCADAPTER_MASTER_CREW_RULES_H
#define MYGRPCADAPTER_MASTER_CREW_RULES_H

#include "common/role.h"

struct settings;
struct slot_rules;

/* The first back-off; each is twice the one before. */
#define RULES_BACKOFF_MS_MIN 100

/* No back-off is longer. Some are bounded more tightly: rules.c. */
#define RULES_BACKOFF_MS_MAX 30000

/* A process that was READY for so long had a good life: the deaths before it are forgotten. */
#define RULES_GOOD_LIFE_MS 60000

/* Two starts in one slot are so far apart, but for the one after the first death: a worker that
 * dies whenever it becomes ready must not make the master do nothing but fork. */
#define RULES_SPACING_MS 20

/* After so many processes in a row that never became ready, a slot that may fail is FAILED. */
#define RULES_START_DEATHS_MAX 6

/* From SIGABRT to SIGKILL: time to write a core. */
#define RULES_ABORT_GRACE_MS 2000

/* The rules for that role, with the times that are settings. */
void rules_make(struct slot_rules *rules_r, enum role role, const struct settings *settings);

#endif
