/* handover.c -- writes, reads and checks what one program leaves to the next. Runs in the master,
 * and in the rehearsal.
 *
 * The memfd holds a head of fixed size, the elders, then the texts, each ended by a NUL. Numbers
 * are the machine's own: nobody else reads it.
 */
#include "master/takeover/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/complaint.h"
#include "base/invariant.h"
#include "common/role.h"
#include "common/settings.h"
#include "master/config/config.h"

#define HANDOVER_VARIABLE "MYGRPCADAPTER_HANDOVER"
#define HANDOVER_MAGIC UINT64_C(0x6f686370726779) /* "ygrpcho" */
#define HANDOVER_VERSION 1
#define HANDOVER_BYTES_MAX (1U << 20)

static const char accepted_line[] =
    "# the program of version " MYGRPCADAPTER_VERSION " accepts the handover\n";
static const char accepted_end[] = " accepts the handover\n";

struct head {
    uint64_t magic;
    uint32_t version;
    uint32_t elder_count;
    /* Of the whole. */
    uint64_t bytes;
    uint64_t next_incarnation;
    int64_t listen_port;
    int32_t fds[HANDOVER_FDS];
};

_Static_assert(sizeof(struct elder) == 40, "changes with HANDOVER_VERSION");
_Static_assert(sizeof(struct head) == 80, "changes with HANDOVER_VERSION");
_Static_assert(HANDOVER_TEXTS == 5, "changes with HANDOVER_VERSION");
_Static_assert(ROLE_WORKER == 0 && ROLE_COLLECTOR == 1 && ROLE_ADMIN == 2,
               "changes with HANDOVER_VERSION");

/* ---- leaving */

static bool
write_all(int fd, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, (const char *)data + done, size - done);
        if (written <= 0)
            return false;
        done += (size_t)written;
    }
    return true;
}

/* All but the size of the whole. */
static struct head
make_head(const struct handover *handover)
{
    struct head head;
    memset(&head, 0, sizeof(head));
    head.magic = HANDOVER_MAGIC;
    head.version = HANDOVER_VERSION;
    head.elder_count = (uint32_t)handover->succession.elder_count;
    head.next_incarnation = handover->succession.next_incarnation;
    head.listen_port = handover->listen_port;
    memcpy(head.fds, handover->fds, sizeof(head.fds));
    return head;
}

int
handover_write(const struct handover *handover)
{
    size_t elder_bytes = handover->succession.elder_count * sizeof(struct elder);
    struct head head = make_head(handover);
    head.bytes = sizeof(head) + elder_bytes;
    for (size_t i = 0; i < HANDOVER_TEXTS; i++) {
        INVARIANT(handover->texts[i] != NULL);
        head.bytes += strlen(handover->texts[i]) + 1;
    }
    if (head.bytes > HANDOVER_BYTES_MAX)
        return -E2BIG;

    int fd = memfd_create("mygrpcadapter-handover", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    bool whole = write_all(fd, &head, sizeof(head)) &&
                 write_all(fd, handover->succession.elders, elder_bytes);
    for (size_t i = 0; i < HANDOVER_TEXTS && whole; i++)
        whole = write_all(fd, handover->texts[i], strlen(handover->texts[i]) + 1);
    if (whole)
        return fd;
    int error = errno;
    (void)close(fd);
    return -error;
}

int
handover_announce(int fd)
{
    char number[16];
    if (fd < 0)
        return unsetenv(HANDOVER_VARIABLE) == 0 ? 0 : -errno;
    if (fcntl(fd, F_SETFD, 0) != 0)
        return -errno;
    (void)snprintf(number, sizeof(number), "%d", fd);
    return setenv(HANDOVER_VARIABLE, number, 1) == 0 ? 0 : -errno;
}

static int
set_close_on_exec(int fd, bool on)
{
    if (fd < 0)
        return 0;
    return fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) == 0 ? 0 : -errno;
}

int
handover_keep_descriptors(const struct handover *handover, bool keep)
{
    int result = 0;
    for (size_t i = 0; i < HANDOVER_FDS && result == 0; i++)
        result = set_close_on_exec(handover->fds[i], !keep);
    return result;
}

/* ---- taking over */

/* Reads the whole memfd. Returns NULL if it is no file of a size that can be. */
static char *
read_whole(int fd, size_t *size_r)
{
    struct stat status;
    if (fstat(fd, &status) != 0 || status.st_size < (off_t)sizeof(struct head) ||
        status.st_size > HANDOVER_BYTES_MAX)
        return NULL;
    size_t size = (size_t)status.st_size;
    char *data = malloc(size);
    if (data == NULL || pread(fd, data, size, 0) != (ssize_t)size) {
        free(data);
        return NULL;
    }
    *size_r = size;
    return data;
}

/* The texts at the end. True if all are there, and nothing behind them. */
static bool
copy_texts(struct handover *handover, const char *at, const char *end)
{
    for (size_t i = 0; i < HANDOVER_TEXTS; i++) {
        size_t length = strnlen(at, (size_t)(end - at));
        if (at + length == end)
            return false;
        handover->texts[i] = strdup(at);
        if (handover->texts[i] == NULL)
            return false;
        at += length + 1;
    }
    return at == end;
}

/* A program of another version may know more roles. No process but a child is ever sent a signal.
 */
static bool
is_elder(const struct elder *elder)
{
    return elder->pid > 1 && elder->pid <= INT32_MAX && elder->role < ROLES;
}

static bool
copy_elders(struct succession *succession, const char *at, size_t count)
{
    succession->elders = calloc(count + 1, sizeof(struct elder));
    if (succession->elders == NULL)
        return false;
    memcpy(succession->elders, at, count * sizeof(struct elder));
    succession->elder_count = count;
    for (size_t i = 0; i < count; i++) {
        if (!is_elder(&succession->elders[i]))
            return false;
    }
    return true;
}

static struct handover *
parse(const char *data, size_t size)
{
    struct head head;
    memcpy(&head, data, sizeof(head));
    if (head.magic != HANDOVER_MAGIC || head.version != HANDOVER_VERSION || head.bytes != size ||
        head.elder_count > (size - sizeof(head)) / sizeof(struct elder))
        return NULL;
    struct handover *handover = calloc(1, sizeof(*handover));
    if (handover == NULL)
        return NULL;
    memcpy(handover->fds, head.fds, sizeof(head.fds));
    handover->listen_port = head.listen_port;
    handover->succession.next_incarnation = head.next_incarnation;
    const char *elders = data + sizeof(head);
    if (!copy_elders(&handover->succession, elders, head.elder_count) ||
        !copy_texts(handover, elders + head.elder_count * sizeof(struct elder), data + size))
        handover_free(&handover);
    return handover;
}

int
handover_receive(struct handover **out, struct complaint *complaint)
{
    *out = NULL;
    const char *number = getenv(HANDOVER_VARIABLE);
    if (number == NULL)
        return 0;
    char *end = NULL;
    long fd = strtol(number, &end, 10);
    size_t size = 0;
    char *data = *number != '\0' && *end == '\0' && fd > STDERR_FILENO && fd <= INT32_MAX
                     ? read_whole((int)fd, &size)
                     : NULL;
    if (data != NULL)
        (void)close((int)fd);
    (void)handover_announce(-1);
    *out = data == NULL ? NULL : parse(data, size);
    free(data);
    if (*out == NULL)
        return complain(
            complaint, EX_SOFTWARE,
            "what the running adapter hands over is not what version " MYGRPCADAPTER_VERSION
            " can take; restart it instead");
    return 0;
}

void
handover_settings_path(const struct handover *handover, char path[HANDOVER_SETTINGS_PATH_BYTES])
{
    (void)snprintf(path, HANDOVER_SETTINGS_PATH_BYTES, "/proc/self/fd/%" PRId32,
                   handover->fds[HANDOVER_FD_SETTINGS]);
}

void
handover_free(struct handover **hp)
{
    struct handover *handover = *hp;
    if (handover == NULL)
        return;
    *hp = NULL;
    for (size_t i = 0; i < HANDOVER_TEXTS; i++)
        free(handover->texts[i]);
    free(handover->succession.elders);
    free(handover);
}

/* ---- the rehearsal */

static int
refuse(struct complaint *complaint, const char *setting, const char *now, const char *then)
{
    return complain(complaint, EX_CONFIG,
                    "%s cannot change while the adapter runs: it is \"%s\", not \"%s\"; restart it "
                    "instead",
                    setting, now, then);
}

int
handover_check_settings(const struct handover *handover, const struct settings *settings,
                        struct complaint *complaint)
{
    const struct {
        enum handover_text text;
        const char *setting;
        const char *then;
    } fixed[] = {
        {HANDOVER_TEXT_LISTEN_ADDRESS, "listen.address", settings->listen_address},
        {HANDOVER_TEXT_SEGMENTS_DIRECTORY, "segments.directory", settings->segments_directory},
        {HANDOVER_TEXT_OUTPUT_ROOT, "output.root", settings->output_root},
    };
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        const char *now = handover->texts[fixed[i].text];
        if (strcmp(now, fixed[i].then) != 0)
            return refuse(complaint, fixed[i].setting, now, fixed[i].then);
    }
    if (handover->listen_port != settings->listen_port) {
        char now[24];
        char then[24];
        (void)snprintf(now, sizeof(now), "%" PRId64, handover->listen_port);
        (void)snprintf(then, sizeof(then), "%" PRId64, settings->listen_port);
        return refuse(complaint, "listen.port", now, then);
    }
    return 0;
}

int
handover_accept(const struct handover *handover, const struct settings *settings,
                struct complaint *complaint)
{
    FILE *stream = fdopen(handover->fds[HANDOVER_FD_SETTINGS], "w");
    if (stream == NULL)
        return complain(complaint, EX_IOERR, "cannot write the settings: %s",
                        strerrordesc_np(errno));
    config_print(settings, stream);
    bool written = fputs(accepted_line, stream) >= 0;
    if (fclose(stream) != 0 || !written)
        return complain(complaint, EX_IOERR, "cannot write the settings: %s",
                        strerrordesc_np(errno));
    return 0;
}

bool
handover_is_accepted(int settings_fd)
{
    const size_t length = sizeof(accepted_end) - 1;
    char end[sizeof(accepted_end)];
    struct stat status;
    return fstat(settings_fd, &status) == 0 && status.st_size >= (off_t)length &&
           pread(settings_fd, end, length, status.st_size - (off_t)length) == (ssize_t)length &&
           memcmp(end, accepted_end, length) == 0;
}
