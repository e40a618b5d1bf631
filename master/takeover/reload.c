/* reload.c -- from the wish for another program to its execution. Runs in the master. */
#include "master/takeover/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/invariant.h"
#include "base/log.h"
#include "master/service_manager.h"
#include "master/takeover/handover.h"
#include "master/takeover/rehearsal.h"

#define OWN_PROGRAM "/proc/self/exe"

/* What is said of each kind of change. */
static const struct {
    const char *signal;
    const char *begun;
    const char *accepted;
    const char *refused;
    /* To the service manager, before the reason. */
    const char *refused_status;
} words[] = {
    [RELOAD_SETTINGS] = {.signal = "HUP",
                         .begun = "checking the new configuration",
                         .accepted = "the new configuration is accepted; going over to it",
                         .refused = "the reload is refused; everything goes on as it was",
                         .refused_status = "reload refused"},
    [RELOAD_PROGRAM] = {.signal = "USR2",
                        .begun = "checking the new program",
                        .accepted = "the new program is accepted; going over to it",
                        .refused = "the new program is refused; the running one goes on",
                        .refused_status = "upgrade refused"},
};

_Static_assert(sizeof(words) / sizeof(words[0]) == RELOAD_KINDS, "each kind has its words");

/* IDLE --begin--> CHECKING --the rehearsal accepts--> ACCEPTED --the execution fails--> IDLE
 *                          --it refuses--> IDLE */
enum reload_phase {
    RELOAD_IDLE,
    RELOAD_CHECKING,
    RELOAD_ACCEPTED,
};

struct reload {
    struct sd_event *loop;
    struct handover *handover;
    char *const *argv;
    uint64_t limit_ms;
    reload_complete complete;
    void *context;
    enum reload_phase phase;
    /* What is under way; RELOAD_NONE while IDLE. */
    enum reload_kind kind;
    /* What is wanted after that. */
    enum reload_kind wanted;
    /* While CHECKING, and until reload_advance() is called next. */
    struct rehearsal *rehearsal;
};

static const char *
path_of(const struct reload *reload)
{
    INVARIANT(reload->phase != RELOAD_IDLE);
    return reload->kind == RELOAD_PROGRAM ? reload->handover->texts[HANDOVER_TEXT_PROGRAM_PATH]
                                          : OWN_PROGRAM;
}

static void
drop_settings(struct reload *reload)
{
    descriptor_close(&reload->handover->fds[HANDOVER_FD_SETTINGS]);
}

/* CHECKING or ACCEPTED becomes IDLE: nothing has changed, and nothing will. */
static void
give_up(struct reload *reload, const char *reason)
{
    INVARIANT(reload->phase != RELOAD_IDLE && reload->kind != RELOAD_NONE);
    log_write(LOG_LEVEL_ERROR, words[reload->kind].refused,
              LOG_FIELDS(log_string("reason", reason)));
    service_manager_tell_ready();
    service_manager_tell_status("%s: %s", words[reload->kind].refused_status, reason);
    reload->phase = RELOAD_IDLE;
    reload->kind = RELOAD_NONE;
    drop_settings(reload);
}

/* CHECKING becomes ACCEPTED, or IDLE. */
static void
on_rehearsal_ended(void *context, const char *refusal)
{
    struct reload *reload = context;
    INVARIANT(reload->phase == RELOAD_CHECKING);
    if (refusal == NULL)
        reload->phase = RELOAD_ACCEPTED;
    else
        give_up(reload, refusal);
}

/* IDLE becomes CHECKING. */
static void
begin(struct reload *reload)
{
    struct handover *handover = reload->handover;
    int32_t *settings_fd = &handover->fds[HANDOVER_FD_SETTINGS];
    INVARIANT(reload->phase == RELOAD_IDLE && reload->rehearsal == NULL && *settings_fd < 0);
    reload->phase = RELOAD_CHECKING;
    reload->kind = reload->wanted;
    reload->wanted = RELOAD_NONE;
    log_write(LOG_LEVEL_INFO, words[reload->kind].begun,
              LOG_FIELDS(log_string("signal", words[reload->kind].signal),
                         log_string("program", path_of(reload))));
    service_manager_tell_reloading();
    *settings_fd = memfd_create("mygrpcadapter-settings", MFD_CLOEXEC);
    int result = *settings_fd < 0 ? -errno : 0;
    if (result == 0)
        result = reload->complete(reload->context, handover);
    if (result == 0)
        result = rehearsal_start(&reload->rehearsal, reload->loop, path_of(reload), reload->argv,
                                 handover, reload->limit_ms, on_rehearsal_ended, reload);
    if (result != 0)
        give_up(reload, strerrordesc_np(-result));
}

/* Does not return unless it failed; then all is as before, and the negative errno is returned. */
static int
execute(const struct reload *reload)
{
    struct handover *handover = reload->handover;
    INVARIANT(reload->phase == RELOAD_ACCEPTED && handover->fds[HANDOVER_FD_SETTINGS] >= 0);
    int result = reload->complete(reload->context, handover);
    int fd = result == 0 ? handover_write(handover) : result;
    if (fd < 0)
        return fd;
    result = handover_keep_descriptors(handover, true);
    if (result == 0)
        result = handover_announce(fd);
    if (result == 0) {
        log_write(LOG_LEVEL_INFO, words[reload->kind].accepted,
                  LOG_FIELDS(log_string("program", path_of(reload))));
        (void)execv(path_of(reload), reload->argv);
        result = -errno;
    }
    (void)handover_keep_descriptors(handover, false);
    (void)handover_announce(-1);
    (void)close(fd);
    return result;
}

void
reload_advance(struct reload *reload)
{
    if (reload->phase == RELOAD_CHECKING)
        return;
    rehearsal_close(&reload->rehearsal);
    if (reload->phase == RELOAD_ACCEPTED)
        give_up(reload, strerrordesc_np(-execute(reload)));
    else if (reload->wanted != RELOAD_NONE)
        begin(reload);
}

void
reload_want(struct reload *reload, enum reload_kind kind)
{
    if (reload->wanted < kind)
        reload->wanted = kind;
}

int
reload_open(struct reload **out, struct sd_event *loop, struct handover *handover,
            char *const argv[], uint64_t limit_ms, reload_complete complete, void *context)
{
    struct reload *reload = calloc(1, sizeof(*reload));
    if (reload == NULL)
        return -ENOMEM;
    reload->loop = loop;
    reload->handover = handover;
    reload->argv = argv;
    reload->limit_ms = limit_ms;
    reload->complete = complete;
    reload->context = context;
    *out = reload;
    return 0;
}

void
reload_close(struct reload **rp)
{
    if (*rp == NULL)
        return;
    rehearsal_close(&(*rp)->rehearsal);
    drop_settings(*rp);
    free(*rp);
    *rp = NULL;
}
