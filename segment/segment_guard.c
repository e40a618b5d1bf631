/* segment_guard.c -- a signal handler that puts a page of memory in the place of one that cannot be
 * had; segment_guard.h. Runs in a worker. */
#include "segment/segment_guard.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/invariant.h"

/* A worker has the segment that is written, the next one, and those that are being sealed. */
#define GUARDS_MAX 16

static struct segment_guard guards[GUARDS_MAX];
static pthread_mutex_t guards_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t page_bytes;

/* The guard of an address; NULL if there is none. */
static struct segment_guard *
find_guard(uintptr_t at)
{
    for (size_t i = 0; i < GUARDS_MAX; i++) {
        uintptr_t from = atomic_load(&guards[i].from);
        if (from != 0 && at >= from && at < atomic_load(&guards[i].end))
            return &guards[i];
    }
    return NULL;
}

/* Has the store made again, to a page of its own, or without a handler, which ends the process. */
static void
on_bus_error(int number, siginfo_t *info, void *context)
{
    (void)context;
    uintptr_t at = (uintptr_t)info->si_addr;
    struct segment_guard *guard = info->si_code > 0 ? find_guard(at) : NULL;
    if (guard != NULL) {
        atomic_store(&guard->faulted, true);
        void *page = (char *)info->si_addr - at % page_bytes;
        if (mmap(page, page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                 -1, 0) != MAP_FAILED)
            return;
    }
    (void)signal(number, SIG_DFL);
    if (info->si_code <= 0)
        (void)raise(number); /* somebody sent it */
}

/* Each time: somebody else may have handled the signal since. */
static void
install(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)sigemptyset(&action.sa_mask);
    int result = sigaction(SIGBUS, &action, NULL);
    INVARIANT(result == 0);
}

struct segment_guard *
segment_guard_open(const void *memory, size_t size)
{
    struct segment_guard *guard = NULL;
    (void)pthread_mutex_lock(&guards_lock);
    install();
    for (size_t i = 0; i < GUARDS_MAX && guard == NULL; i++) {
        if (atomic_load(&guards[i].from) == 0)
            guard = &guards[i];
    }
    if (guard != NULL) {
        atomic_store(&guard->faulted, false);
        atomic_store(&guard->end, (uintptr_t)memory + size);
        atomic_store(&guard->from, (uintptr_t)memory);
    }
    (void)pthread_mutex_unlock(&guards_lock);
    return guard;
}

void
segment_guard_close(struct segment_guard **gp)
{
    if (*gp != NULL)
        atomic_store(&(*gp)->from, 0);
    *gp = NULL;
}
