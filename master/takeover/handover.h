/* handover.h -- all that a master leaves to the program it executes in its own place.
 *
 * On HUP and USR2 the master executes a program (itself, or the file that has taken its place)
 * without ending: same pid, same parent, same children, same descriptors. What the new program
 * cannot find out by itself stands in a memfd, whose number is in the environment;
 * handover_write() and handover_receive() are the two sides of it. The same memfd is given to the
 * rehearsal, a trial run of that program beside the running master, which says whether it could
 * take over.
 *
 * Two releases agree if the layout has the same version; if not, the rehearsal refuses. Used by
 * the master.
 */
#ifndef MYGRPCADAPTER_MASTER_TAKEOVER_HANDOVER_H
#define MYGRPCADAPTER_MASTER_TAKEOVER_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "master/crew/succession.h"

struct complaint;
struct settings;

/* FD(name, variable): the descriptors that cross the execution, all owned by who holds the struct.
 * Their order is that of the layout. `variable` is for whoever fills the array from this list: one
 * that was forgotten is a name that the compiler does not know. */
#define HANDOVER_FD_LIST(FD)                                                                       \
    FD(LISTENER, listener)                                                                         \
    FD(ROOT, root)                                                                                 \
    FD(SEGMENTS, segments)                                                                         \
    /* The lock of the segment directory. */                                                       \
    FD(LOCK, lock)                                                                                 \
    /* The lock of output.root. */                                                                 \
    FD(ROOT_LOCK, root_lock)                                                                       \
    FD(LIFE_READ, life_read)                                                                       \
    /* While it is open the children know that the master lives. */                                \
    FD(LIFE_WRITE, life_write)                                                                     \
    FD(COLLECTOR_WAKEUP, collector_wakeup)                                                         \
    /* The listening socket of admin.address; -1 if there is none. */                              \
    FD(ADMIN, admin)                                                                               \
    /* A memfd, or -1 while there is no rehearsal. The rehearsal writes the settings into it. */   \
    /* They are what the new program runs with, whatever its files say by then. */                 \
    FD(SETTINGS, settings)

/* clang-format off */
enum handover_fd {
#define HANDOVER_FD_ENUMERATOR(name, variable) HANDOVER_FD_##name,
    HANDOVER_FD_LIST(HANDOVER_FD_ENUMERATOR)
#undef HANDOVER_FD_ENUMERATOR
    /* How many there are. */
    HANDOVER_FDS,
};
/* clang-format on */

/* Texts, allocated. Their order is that of the layout. */
enum handover_text {
    /* The program's file, as it was started: an absolute path, symbolic links and all. */
    HANDOVER_TEXT_PROGRAM_PATH,
    /* What cannot change while the adapter runs. */
    HANDOVER_TEXT_LISTEN_ADDRESS,
    HANDOVER_TEXT_SEGMENTS_DIRECTORY,
    HANDOVER_TEXT_OUTPUT_ROOT,
    /* What the admin socket is bound to; "" if there is none. */
    HANDOVER_TEXT_ADMIN_ADDRESS,
    /* How many there are. */
    HANDOVER_TEXTS,
};

struct handover {
    int32_t fds[HANDOVER_FDS];
    char *texts[HANDOVER_TEXTS];
    /* It cannot change while the adapter runs, either. */
    int64_t listen_port;
    /* The children there are, and the next incarnation. */
    struct succession succession;
};

/* Writes it into a new memfd, close-on-exec. Returns the descriptor, owned by the caller, or a
 * negative errno. */
int handover_write(const struct handover *handover);

/* Has that memfd cross the next execution and names it in the environment (`fd` >= 0), or takes the
 * name out again (-1). Returns 0 or a negative errno. */
int handover_announce(int fd);

/* Takes the handover that the environment tells of, and forgets it there. *out is NULL if there
 * is none; else the caller owns it until handover_free(). Returns 0, or fills *complaint and
 * returns EX_SOFTWARE: it is of another version, or no handover. */
int handover_receive(struct handover **out, struct complaint *complaint);

/* The path at which the settings of the rehearsal can be read (NUL-terminated, for as long as
 * *handover lives unchanged). */
#define HANDOVER_SETTINGS_PATH_BYTES 32
void handover_settings_path(const struct handover *handover,
                            char path[HANDOVER_SETTINGS_PATH_BYTES]);

/* Has the descriptors (those that are not -1) cross the next execution, or not. Returns 0 or a
 * negative errno. */
int handover_keep_descriptors(const struct handover *handover, bool keep);

/* Whether the adapter may go on with `settings`: 0, or fills *complaint with the setting that
 * cannot change and returns EX_CONFIG. */
int handover_check_settings(const struct handover *handover, const struct settings *settings,
                            struct complaint *complaint);

/* For the rehearsal: writes the settings, and with its last line that it could take over. Returns
 * 0, or fills *complaint and returns EX_IOERR. */
int handover_accept(const struct handover *handover, const struct settings *settings,
                    struct complaint *complaint);

/* For the master that waits for it: whether the rehearsal has written that line. */
bool handover_is_accepted(int settings_fd);

/* Frees the memory, not the descriptors; NULL-safe; sets *hp to NULL. */
void handover_free(struct handover **hp);

#endif
