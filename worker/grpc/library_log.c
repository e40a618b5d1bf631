/* library_log.c -- a line of gRPC becomes a line of ours. Runs in a worker, in whatever thread gRPC
 * has something to say. */
#include "worker/grpc/library_log.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/quote.h"

#define QUOTED_BYTES 512

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_brake brake;

static void
take_line(gpr_log_func_args *line)
{
    char text[QUOTED_BYTES];
    (void)quote_bytes(text, sizeof(text), (struct bytes){line->message, strlen(line->message)},
                      QUOTE_PLAIN);
    (void)pthread_mutex_lock(&lock);
    log_write_braked(&brake, clock_monotonic_ms(), LOG_LEVEL_WARNING, "gRPC reports",
                     LOG_FIELDS(log_string("message", text)));
    (void)pthread_mutex_unlock(&lock);
}

void
library_log_take(void)
{
    gpr_set_log_function(take_line);
}
