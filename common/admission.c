/* admission.c -- a hash table in shared memory, under a lock that survives the death of who holds
 * it. Runs in workers; made by the master.
 *
 * Crash contract: a worker killed while it enters a name may leave some of the name's directories
 * entered and not the name. That costs room, and a refusal of a file of a directory's name.
 */
#include "common/admission.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <xxhash.h>

#include "base/invariant.h"

/* Places for each name: itself and some directories. */
#define PLACES_PER_NAME 8

/* What a name was accepted as. */
enum usage { USAGE_FILE, USAGE_DIRECTORY };

struct admission {
    pthread_mutex_t lock;
    uint32_t names_max;
    uint32_t names;

    /* How many places the table has, and how many are taken. */
    uint32_t places;
    uint32_t occupied;

    /* Hash and usage of a name; 0 in a free place. */
    uint64_t table[];
};

static size_t
bytes_of(uint32_t places)
{
    return sizeof(struct admission) + places * sizeof(uint64_t);
}

int
admission_open(struct admission **out, uint32_t names_max)
{
    uint32_t places = (names_max + 1) * PLACES_PER_NAME;
    void *memory =
        mmap(NULL, bytes_of(places), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    struct admission *admission = memory;
    admission->names_max = names_max;
    admission->places = places;
    pthread_mutexattr_t shared;
    int error = pthread_mutexattr_init(&shared);
    if (error == 0)
        error = pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    if (error == 0)
        error = pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST);
    if (error == 0)
        error = pthread_mutex_init(&admission->lock, &shared);
    (void)pthread_mutexattr_destroy(&shared);
    if (error != 0)
        admission_close(&admission);
    *out = admission;
    return -error;
}

void
admission_close(struct admission **ap)
{
    if (*ap == NULL)
        return;
    (void)munmap(*ap, bytes_of((*ap)->places));
    *ap = NULL;
}

/* What a path of `size` bytes is entered as: never 0, its usage in the lowest bit. */
static uint64_t
key_of(const char *name, size_t size, enum usage usage)
{
    uint64_t hash = XXH3_64bits(name, size) | 2;
    return usage == USAGE_FILE ? hash | 1 : hash & ~UINT64_C(1);
}

/* The place of a key, or the free one where it belongs. There always is a free one. */
static uint64_t *
find_place(struct admission *admission, uint64_t key)
{
    uint64_t at = key % admission->places;
    while (admission->table[at] != 0 && admission->table[at] != key)
        at = (at + 1) % admission->places;
    return &admission->table[at];
}

static bool
is_entered(struct admission *admission, uint64_t key)
{
    return *find_place(admission, key) == key;
}

static void
enter(struct admission *admission, uint64_t key)
{
    uint64_t *place = find_place(admission, key);
    if (*place == key)
        return;
    *place = key;
    admission->occupied++;
    INVARIANT(admission->occupied < admission->places);
}

/* Whether the name is entered as a directory, or a directory of it as a file. Counts its
 * directories. */
static bool
conflicts(struct admission *admission, const char *name, uint32_t *directories_r)
{
    *directories_r = 0;
    if (is_entered(admission, key_of(name, strlen(name), USAGE_DIRECTORY)))
        return true;
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        if (is_entered(admission, key_of(name, (size_t)(slash - name), USAGE_FILE)))
            return true;
        ++*directories_r;
    }
    return false;
}

static int
admit_locked(struct admission *admission, const char *name)
{
    uint32_t directories;
    uint64_t key = key_of(name, strlen(name), USAGE_FILE);
    if (is_entered(admission, key))
        return 0;
    if (conflicts(admission, name, &directories))
        return -EEXIST;
    if (admission->names >= admission->names_max)
        return -EUSERS;
    /* One place at least stays free: find_place() ends there. */
    if (admission->occupied + directories + 1 >= admission->places)
        return -EMLINK;
    for (const char *slash = strchr(name, '/'); slash != NULL; slash = strchr(slash + 1, '/'))
        enter(admission, key_of(name, (size_t)(slash - name), USAGE_DIRECTORY));
    enter(admission, key);
    admission->names++;
    return 1;
}

int
admission_admit(struct admission *admission, const char *name)
{
    int error = pthread_mutex_lock(&admission->lock);
    if (error == EOWNERDEAD)
        error = pthread_mutex_consistent(&admission->lock);
    if (error != 0)
        return -error;
    int result = admit_locked(admission, name);
    (void)pthread_mutex_unlock(&admission->lock);
    return result;
}

uint32_t
admission_count(const struct admission *admission)
{
    return admission == NULL ? 0 : __atomic_load_n(&admission->names, __ATOMIC_RELAXED);
}
