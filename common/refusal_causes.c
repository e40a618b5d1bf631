/* refusal_causes.c -- the labels of the causes. Used by every process. */
#include "common/refusal_causes.h"

#include "base/invariant.h"

const char *
refusal_cause_label(enum refusal_cause cause)
{
    static const char *const labels[] = {
#define LABEL(name, status, label, when) [REFUSAL_##name] = (label),
        REFUSAL_CAUSES(LABEL)
#undef LABEL
    };
    INVARIANT(cause < REFUSAL_CAUSE_COUNT);
    return labels[cause];
}
