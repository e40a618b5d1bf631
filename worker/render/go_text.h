/* go_text.h -- a request as Istio's Go walkthrough adapter prints it, byte for byte. Runs in a
 * worker; keeps nothing. */
#ifndef MYGRPCADAPTER_WORKER_RENDER_GO_TEXT_H
#define MYGRPCADAPTER_WORKER_RENDER_GO_TEXT_H

#include <stdbool.h>

struct call_refusal;
struct request;
struct text;

enum go_text_ending {
    /* One newline. */
    GO_TEXT_FOR_FILE,
    /* Two: there the Go adapter prints the text as a line of its own. */
    GO_TEXT_FOR_STDOUT,
};

/* Appends the text of `request`, which request_begin() has begun: its Params, then name, value
 * and dimensions of each instance, which are read on the way. Dimensions stand in the bytewise
 * order of their keys; of several with one key the last counts. Strings are neither quoted nor
 * escaped.
 *
 * Returns true, or false and why the call is refused: an instance is (request.h), or the text's
 * limit, workers.max_text_bytes, was reached. `text` is of no use then. */
bool go_text_render(struct text *text, struct request *request, enum go_text_ending ending,
                    struct call_refusal *refusal_r);

#endif
