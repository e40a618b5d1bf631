/* reload.h -- HUP and USR2: another program, or this one with another configuration, takes the
 * place of the master without a call lost.
 *
 *   wanted --rehearsal refused--> said in the log, all goes on as it is
 *          --rehearsal accepted--> executed in place (handover.h): same pid, same listening socket,
 *                                  same children, who serve on until those of the new program do
 *
 * The two signals differ in the file that is executed: HUP, the one that runs; USR2, the one that
 * stands at its path now. Used by the master.
 */
#ifndef MYGRPCADAPTER_MASTER_TAKEOVER_RELOAD_H
#define MYGRPCADAPTER_MASTER_TAKEOVER_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

struct handover;
struct reload;
struct sd_event;

enum reload_kind {
    RELOAD_NONE,
    /* HUP */
    RELOAD_SETTINGS,
    /* USR2 */
    RELOAD_PROGRAM,
    RELOAD_KINDS,
};

/* Completes what is handed over: the processes there are at this moment. 0 or a negative errno. */
typedef int (*reload_complete)(void *context, struct handover *handover);

/* Nothing wanted yet. `handover` (borrowed) holds what does not change in the master's life, and is
 * completed by `complete`; `argv` (borrowed) is the program's command line. A rehearsal may take
 * `limit_ms`. Returns 0 or -ENOMEM; the caller owns *out until reload_close(). */
int reload_open(struct reload **out, struct sd_event *loop, struct handover *handover,
                char *const argv[], uint64_t limit_ms, reload_complete complete, void *context);

/* Notes the wish. Of several that come before it can be followed, one is: the one for a program, if
 * there is one among them. */
void reload_want(struct reload *reload, enum reload_kind kind);

/* Follows it: begins a rehearsal, or executes the program whose rehearsal has accepted. Does not
 * return then, unless that failed. Call it when nothing else is under way. */
void reload_advance(struct reload *reload);

/* Frees; a rehearsal under way is broken off; NULL-safe; sets *rp to NULL. */
void reload_close(struct reload **rp);

#endif
