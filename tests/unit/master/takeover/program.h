/* program.h -- shell scripts that stand in for the program that is to take over. */
#ifndef MYGRPCADAPTER_TESTS_UNIT_MASTER_TAKEOVER_PROGRAM_H
#define MYGRPCADAPTER_TESTS_UNIT_MASTER_TAKEOVER_PROGRAM_H

#include "tests/unit/scratch.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "master/takeover/handover.h"

/* What a program does that accepts: in a rehearsal its arguments are -t and the settings'
 * descriptor. */
#define PROGRAM_ACCEPTS "echo '# the program of version 9 accepts the handover' >/proc/self/fd/$2\n"

/* A script, the handover that it is to take over, and its command line. */
struct program {
    struct scratch scratch;
    char path[96];
    char settings_number[16];
    char *argv[3];
    struct handover handover;
};

static inline void
program_write(struct program *program, const char *script)
{
    char text[1024];
    (void)snprintf(text, sizeof(text), "#!/bin/sh\n%s", script);
    scratch_put(&program->scratch, "program", text, strlen(text));
    assert_int_equal(chmod(program->path, 0700), 0);
}

static inline void
program_open(struct program *program, const char *script)
{
    scratch_open(&program->scratch);
    (void)snprintf(program->path, sizeof(program->path), "%s/program", program->scratch.path);
    program_write(program, script);
    program->argv[0] = bytes_unconst("program");
    program->argv[1] = program->settings_number;
    program->argv[2] = NULL;
    for (size_t i = 0; i < HANDOVER_FDS; i++)
        program->handover.fds[i] = -1;
    for (size_t i = 0; i < HANDOVER_TEXTS; i++)
        program->handover.texts[i] = bytes_unconst("");
    program->handover.texts[HANDOVER_TEXT_PROGRAM_PATH] = program->path;
}

static inline void
program_close(struct program *program)
{
    scratch_close(&program->scratch);
}

#endif
