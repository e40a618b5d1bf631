/* aside_store.c -- names, counts and puts back what was set aside. Runs in the collector, and in
 * the process of `mygrpcadapter segments`. */
#include "segment/aside_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/crash_point.h"
#include "base/disk.h"
#include "base/rename.h"
#include "segment/segment_directory.h"
#include "segment/segment_name.h"

#define SUFFIX ".segment"

/* So much of an output's name is in that of its file. */
#define OUTPUT_BYTES_MAX 120

/* So many files of one output and millisecond are told apart. */
#define COPIES_MAX 1000U

int
aside_store_open(int segments_fd)
{
    return segment_directory_open(segments_fd, SEGMENT_DIRECTORY_ASIDE);
}

bool
aside_name_is(const char *name)
{
    size_t length = strlen(name);
    return length > strlen(SUFFIX) && strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

int
aside_store_identify(int fd, struct segment_identity *identity_r)
{
    struct segment_header header;
    ssize_t got = pread(fd, &header, sizeof(header), 0);
    if (got < 0)
        return -errno;
    if (got != (ssize_t)sizeof(header))
        return -EBADMSG;
    *identity_r = (struct segment_identity){le32_get(header.slot), le64_get(header.incarnation),
                                            le64_get(header.number)};
    return identity_r->slot == SEGMENT_SLOT_ASIDE ? 0 : -EBADMSG;
}

static int
read_facts(int fd, struct segment_facts *facts_r, const char **reason_r)
{
    struct segment_identity identity;
    int result = aside_store_identify(fd, &identity);
    if (result == -EBADMSG)
        *reason_r = "it is no segment of records that were set aside";
    return result == 0 ? segment_facts_read(facts_r, fd, &identity, reason_r) : result;
}

int
aside_store_open_file(int aside_fd, const char *name, struct segment_facts *facts_r,
                      const char **reason_r)
{
    *reason_r = NULL;
    int fd = openat(aside_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int result = fd < 0 ? -errno : read_facts(fd, facts_r, reason_r);
    if (result == -ELOOP || result == -ENXIO || result == -EISDIR) {
        *reason_r = "it is not a regular file";
        result = -EBADMSG;
    }
    if (result == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return result;
}

/* The name for people: the output's, but for characters that a shell or a file system might take
 * amiss, and the time. */
static void
format_name(char name[static ASIDE_NAME_BYTES_MAX], const struct segment_identity *identity,
            enum segment_kind kind, struct bytes output, unsigned copy)
{
    char word[OUTPUT_BYTES_MAX + 1] = {0};
    char text[32] = "";
    char number[16] = "";
    time_t seconds = (time_t)(identity->incarnation / 1000);
    struct tm utc;
    if (kind == SEGMENT_STANDARD_OUTPUT)
        output = (struct bytes){"stdout", strlen("stdout")};
    for (size_t i = 0; i < output.size && i < OUTPUT_BYTES_MAX; i++) {
        char at = output.data[i];
        bool plain = (at >= 'a' && at <= 'z') || (at >= 'A' && at <= 'Z') ||
                     (at >= '0' && at <= '9') || at == '_' || (at == '.' && i > 0) ||
                     (at == '-' && i > 0);
        word[i] = '_';
        if (plain)
            word[i] = at;
    }
    if (gmtime_r(&seconds, &utc) != NULL)
        (void)strftime(text, sizeof(text), "%Y%m%dT%H%M%S", &utc);
    if (copy > 0)
        (void)snprintf(number, sizeof(number), "-%u", copy);
    (void)snprintf(name, ASIDE_NAME_BYTES_MAX, "%s-%s.%03uZ%s" SUFFIX, word, text,
                   (unsigned)(identity->incarnation % 1000), number);
}

int
aside_store_keep(int aside_fd, const struct segment_identity *identity, enum segment_kind kind,
                 struct bytes output, bool durable, char name_r[static ASIDE_NAME_BYTES_MAX])
{
    char sealed_name[SEGMENT_NAME_BYTES_MAX];
    segment_name_format(sealed_name, identity, SEGMENT_STATE_SEALED);
    int result = -EEXIST;
    for (unsigned copy = 0; copy < COPIES_MAX && result == -EEXIST; copy++) {
        format_name(name_r, identity, kind, output, copy);
        result = rename_noreplace(aside_fd, sealed_name, aside_fd, name_r);
    }
    crash_point("aside.named");
    if (result == 0 && durable) /* before the ledger forgets the segment */
        disk_sync(aside_fd, SEGMENT_DIRECTORY_ASIDE);
    return result;
}

int
aside_store_put_back(int segments_fd, const char *name, const char **reason_r)
{
    struct segment_facts facts;
    char sealed_name[SEGMENT_NAME_BYTES_MAX];
    *reason_r = "no file whose name ends in .segment; the adapter names the others when it starts";
    if (!aside_name_is(name))
        return -EBADMSG; /* it need not count */
    *reason_r = NULL;
    int aside_fd = aside_store_open(segments_fd);
    if (aside_fd < 0)
        return aside_fd;
    int fd = aside_store_open_file(aside_fd, name, &facts, reason_r);
    int result = fd < 0 ? fd : 0;
    if (result == 0) {
        (void)close(fd);
        segment_name_format(sealed_name, &facts.identity, SEGMENT_STATE_SEALED);
        result = rename_noreplace(aside_fd, name, segments_fd, sealed_name);
    }
    if (result == 0) {
        disk_sync(segments_fd, "segments.directory");
        disk_sync(aside_fd, SEGMENT_DIRECTORY_ASIDE);
    }
    (void)close(aside_fd);
    return result;
}
