/* grpc_init_delay.c -- preloaded by a test: a worker cannot get through grpc_init() while the file
 * named in GRPC_INIT_DELAY_FILE exists, and so never gets ready. Only the first call of a process
 * waits: the library makes more of them later. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

void grpc_init(void);

void
grpc_init(void)
{
    static atomic_bool passed;
    const char *file = getenv("GRPC_INIT_DELAY_FILE");
    while (!atomic_load(&passed) && file != NULL && access(file, F_OK) == 0)
        (void)usleep(5000);
    atomic_store(&passed, true);
    void (*next)(void) = (void (*)(void))dlsym(RTLD_NEXT, "grpc_init");
    if (next == NULL)
        abort();
    next();
}
