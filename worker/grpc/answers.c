/* answers.c -- the list of answers on their way. In the main thread of a worker; touches no call
 * itself. */
#include "worker/grpc/answers.h"

#include "base/invariant.h"

/* An answer still here after so long makes place for another call. */
#define LATE_MS 200

/* After so long it is cut off. */
#define CUT_MS 20000

void
answers_init(struct answers *answers)
{
    list_init(&answers->list);
    answers->count = 0;
}

void
answers_add(struct answers *answers, struct answer *answer, uint64_t now_ms)
{
    answer->begun_ms = now_ms;
    answer->phase = ANSWER_PROMPT;
    list_append(&answers->list, &answer->link);
    answers->count++;
}

bool
answers_remove(struct answers *answers, struct answer *answer)
{
    INVARIANT(answers->count > 0);
    answers->count--;
    list_remove(&answer->link);
    return answer->phase != ANSWER_PROMPT;
}

static void
look_at(struct answer *answer, bool serving, uint64_t now_ms)
{
    if (answer->phase == ANSWER_PROMPT && serving) {
        answer->phase = ANSWER_LATE;
        answer->make_place(answer);
    }
    if (answer->phase != ANSWER_CUT && now_ms >= answer->begun_ms + CUT_MS) {
        answer->phase = ANSWER_CUT;
        answer->cut(answer);
    }
}

void
answers_look(struct answers *answers, bool serving, uint64_t now_ms)
{
    for (struct list_link *link = answers->list.after; link != &answers->list; link = link->after) {
        struct answer *answer = CONTAINER_OF(link, struct answer, link);
        if (now_ms < answer->begun_ms + LATE_MS)
            return; /* and so are all behind it */
        look_at(answer, serving, now_ms);
    }
}
