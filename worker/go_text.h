/* go_text.h -- a request as Istio's Go walkthrough adapter prints it, byte for byte. Runs in a
 * worker; keeps nothing. */
#ifndef MYGRPCADAPTER_WORKER_GO_TEXT_H
#define MYGRPCADAPTER_WORKER_GO_TEXT_H

struct arena;
struct request;
struct text;

enum go_text_ending {
    GO_TEXT_FOR_FILE,   /* one newline */
    GO_TEXT_FOR_STDOUT, /* two: there the Go adapter prints the text as a line of its own */
};

/* Appends the text of `request`: its Params, then name, value and dimensions of each instance.
 * Dimensions stand in the bytewise order of their keys; of several with one key the last counts.
 * Strings are neither quoted nor escaped. `arena` is the one the request lies in: large maps are
 * sorted in it.
 *
 * Returns 0; -ENOMEM if the arena's limit, -EMSGSIZE if the text's limit was reached: `text` is
 * then of no use. */
int go_text_render(struct text *text, struct arena *arena, const struct request *request,
                   enum go_text_ending ending);

#endif
