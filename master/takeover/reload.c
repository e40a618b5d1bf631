/* reload.c -- from the wish for another program to its execution. Runs in the master. */
#include "master/takeover/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "master/takeover/handover.h"
#include "master/takeover/rehearsal.h"
#include "master/service_manager.h"

#define OWN_PROGRAM "/proc/self/exe"

struct reload {
    struct sd_event *loop;
    struct handover *handover;
    char *const *argv;
    uint64_t limit_ms;
    reload_complete complete;
    void *context;
    enum reload_kind wanted; /* after what is under way */
    enum reload_kind under_way;
    bool accepted; /* the rehearsal of what is under way */
    struct rehearsal *rehearsal;
};

static const char *
path_of(const struct reload *reload)
{
    return reload->under_way == RELOAD_PROGRAM ? reload->handover->texts[HANDOVER_TEXT_PROGRAM_PATH]
                                               : OWN_PROGRAM;
}

static void
drop_settings(struct reload *reload)
{
    int32_t *fd = &reload->handover->fds[HANDOVER_FD_SETTINGS];
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Nothing has changed, and nothing will. */
static void
give_up(struct reload *reload, const char *why)
{
    bool program = reload->under_way == RELOAD_PROGRAM;
    log_write(LOG_LEVEL_ERROR,
              program ? "the new program is refused; the running one goes on"
                      : "the reload is refused; everything goes on as it was",
              LOG_FIELDS(log_string("why", why)));
    service_manager_tell_ready();
    service_manager_tell_status("%s refused: %s", program ? "upgrade" : "reload", why);
    reload->under_way = RELOAD_NONE;
    reload->accepted = false;
    drop_settings(reload);
}

static void
on_rehearsal_ended(void *context, const char *refusal)
{
    struct reload *reload = context;
    if (refusal == NULL)
        reload->accepted = true;
    else
        give_up(reload, refusal);
}

static void
begin(struct reload *reload)
{
    struct handover *handover = reload->handover;
    reload->under_way = reload->wanted;
    reload->wanted = RELOAD_NONE;
    log_write(LOG_LEVEL_INFO, "rehearsing",
              LOG_FIELDS(log_string("signal", reload->under_way == RELOAD_PROGRAM ? "USR2" : "HUP"),
                         log_string("program", path_of(reload))));
    service_manager_tell_reloading();
    handover->fds[HANDOVER_FD_SETTINGS] = memfd_create("mygrpcadapter-settings", MFD_CLOEXEC);
    int result = handover->fds[HANDOVER_FD_SETTINGS] < 0 ? -errno : 0;
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
    int result = reload->complete(reload->context, handover);
    int fd = result == 0 ? handover_write(handover) : result;
    if (fd < 0)
        return fd;
    result = handover_keep_descriptors(handover, true);
    if (result == 0)
        result = handover_announce(fd);
    if (result == 0) {
        log_write(LOG_LEVEL_INFO, "giving place to the program that was rehearsed",
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
    if (reload->under_way == RELOAD_NONE && reload->wanted != RELOAD_NONE)
        begin(reload);
    if (reload->under_way == RELOAD_NONE || reload->accepted)
        rehearsal_close(&reload->rehearsal);
    if (reload->accepted)
        give_up(reload, strerrordesc_np(-execute(reload)));
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
