/* go_text.h -- a request as Istio's Go walkthrough adapter prints it, byte for byte. Runs in a
 * worker; keeps nothing. */
#ifndef MYGRPCADAPTER_WORKER_RENDER_GO_TEXT_H
#define MYGRPCADAPTER_WORKER_RENDER_GO_TEXT_H

#include "worker/decode/request.h"

struct text;

enum go_text_ending {
    GO_TEXT_FOR_FILE,   /* one newline */
    GO_TEXT_FOR_STDOUT, /* two: there the Go adapter prints the text as a line of its own */
};

/* Appends the text of `request`, which request_begin() has begun: its Params, then name, value and
 * dimensions of each instance, which are read on the way. Dimensions stand in the bytewise order of
 * their keys; of several with one key the last counts. Strings are neither quoted nor escaped.
 *
 * Returns 0; -EBADMSG and a reason (request.h) if an instance is malformed; -EMSGSIZE if the text's
 * limit was reached. After an error `text` is of no use. */
int go_text_render(struct text *text, struct request *request, enum go_text_ending ending,
                   char reason[REQUEST_REASON_BYTES]);

#endif
