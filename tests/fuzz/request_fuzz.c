/* request_fuzz.c -- fuzzes what a worker does with the bytes of a call: request_decode(), then
 * go_text_render().
 *
 * An input is an encoded HandleMetricRequest and nothing else, so tests/golden/ serves as it is; what
 * has to be chosen (limits, where it is cut) follows from a hash of it. request_mutator.c keeps the
 * lengths right, request.dict knows the tags.
 *
 * Holds for all of them:
 *   - a refusal has a reason: one line of printable ASCII that fits its buffer; a request that is
 *     taken has none;
 *   - "given twice" is said only of requests that are well-formed and give a message twice;
 *   - decoding again, also into an arena that others have used before, gives the same;
 *   - the text begins with the file_path, ends with one newline for a file and two for standard
 *     output, and is otherwise the same; text and memory are bounded by the size of the request;
 *   - what a call needs of the arena and of the text is enough, and any less is refused as too large:
 *     -ENOMEM, -EMSGSIZE, never as malformed, and never with half a text;
 *   - nothing of the received bytes is used after decoding.
 *
 * libprotobuf-c is not instrumented: no coverage guides libFuzzer inside it, and ASan sees there only
 * what goes through malloc, memcpy and the like. The arena is: it poisons what it has not handed out.
 */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "tests/fuzz/request_wire.h"
#include "worker/arena.h"
#include "worker/go_text.h"
#include "worker/request.h"
#include "worker/text.h"

#define ARENA_BYTES ((size_t)8 << 20)
#define TEXT_BYTES ((size_t)2 << 20)
#define KEEP_BYTES ((size_t)16 << 10) /* small, so that resetting gives memory back often */

/* Bounds of what a byte of a request can become; an empty instance of two bytes is the worst. */
#define ARENA_PER_BYTE 128U
#define TEXT_PER_BYTE 32U
#define FIXED_BYTES 1024U

#define HEAD "HandleMetric invoked with:\n  Adapter config: &Params{FilePath:"

static struct arena *arena;
static struct text *text;

/* What became of a request. */
struct outcome {
    int decoded;
    int rendered; /* 0 if it was not decoded */
    char reason[REQUEST_REASON_BYTES];
    size_t decoded_bytes; /* of the arena */
    size_t arena_bytes;
    struct bytes file_path;
    struct bytes text;
};

static void
check_reason(const struct outcome *outcome)
{
    const char *end = memchr(outcome->reason, '\0', sizeof(outcome->reason));
    FUZZ_CHECK(end != NULL);
    FUZZ_CHECK((end == outcome->reason) == (outcome->decoded == 0));
    for (const char *at = outcome->reason; at < end; at++)
        FUZZ_CHECK(*at >= ' ' && *at < 0x7f);
}

/* Decodes and renders with buffers of the caller's. The wire is a copy that is gone before
 * rendering. */
static void
run(struct outcome *outcome, struct arena *in, struct text *out, struct bytes wire,
    enum go_text_ending ending)
{
    struct request request;
    char *copy = malloc(wire.size > 0 ? wire.size : 1);
    FUZZ_CHECK(copy != NULL);
    if (wire.size > 0)
        memcpy(copy, wire.data, wire.size);
    memset(outcome, 0, sizeof(*outcome));
    memset(outcome->reason, 'x', sizeof(outcome->reason));
    outcome->decoded =
        request_decode(&request, in, (struct bytes){copy, wire.size}, outcome->reason);
    free(copy);
    FUZZ_CHECK(outcome->decoded == 0 || outcome->decoded == -EBADMSG ||
               outcome->decoded == -ENOMEM);
    FUZZ_CHECK(arena_exhausted(in) == (outcome->decoded == -ENOMEM));
    FUZZ_CHECK(arena_used_bytes(in) <= arena_limit_bytes(in));
    outcome->decoded_bytes = arena_used_bytes(in);
    check_reason(outcome);
    if (outcome->decoded == 0) {
        outcome->file_path = request.file_path;
        outcome->rendered = go_text_render(out, in, &request, ending);
        FUZZ_CHECK(outcome->rendered == 0 || outcome->rendered == -ENOMEM ||
                   outcome->rendered == -EMSGSIZE);
        if (outcome->rendered == 0)
            outcome->text = text_bytes(out);
    }
    outcome->arena_bytes = arena_used_bytes(in);
}

/* The same with buffers of these sizes, made for it. Returns what came of it, first error first; with
 * `expected` also checks that it is the same text. */
static int
run_limited(struct bytes wire, size_t arena_limit, size_t text_limit, const struct bytes *expected)
{
    struct outcome outcome;
    struct arena *small_arena = NULL;
    struct text *small_text = NULL;
    FUZZ_CHECK(arena_open(&small_arena, arena_limit, KEEP_BYTES) == 0);
    FUZZ_CHECK(text_open(&small_text, text_limit, KEEP_BYTES) == 0);
    char *end = small_text->base + text_limit;
    size_t behind = small_text->mapped_bytes - text_limit;
    ASAN_POISON_MEMORY_REGION(end, behind);
    run(&outcome, small_arena, small_text, wire, GO_TEXT_FOR_FILE);
    if (expected != NULL)
        FUZZ_CHECK(bytes_equal(outcome.text, *expected));
    arena_reset(small_arena);
    text_reset(small_text);
    FUZZ_CHECK(arena_used_bytes(small_arena) == 0 && !arena_exhausted(small_arena));
    FUZZ_CHECK(text_bytes(small_text).size == 0);
    ASAN_UNPOISON_MEMORY_REGION(end, behind);
    arena_close(&small_arena);
    text_close(&small_text);
    FUZZ_CHECK(small_arena == NULL && small_text == NULL);
    return outcome.decoded != 0 ? outcome.decoded : outcome.rendered;
}

static void
check_refusal(const struct outcome *outcome, struct bytes wire)
{
    static const char too_large[] = "the request needs more than ";
    static const char shown_type[] = "adapter_config is of type \""; /* may say anything */
    bool is_too_large = strncmp(outcome->reason, too_large, strlen(too_large)) == 0;
    FUZZ_CHECK(is_too_large == (outcome->decoded == -ENOMEM));
    if (strstr(outcome->reason, "a message is given twice") == NULL ||
        strncmp(outcome->reason, shown_type, strlen(shown_type)) == 0)
        return;
    FUZZ_CHECK(strncmp(outcome->reason, "adapter_config", strlen("adapter_config")) != 0);
    FUZZ_CHECK(wire_gives_twice((const uint8_t *)wire.data, wire.size, WIRE_REQUEST));
}

static void
check_text(const struct outcome *outcome, struct bytes wire)
{
    const char *at = outcome->text.data;
    size_t size = outcome->text.size;
    size_t head = strlen(HEAD);
    size_t path = outcome->file_path.size;
    FUZZ_CHECK(size > head + path && memcmp(at, HEAD, head) == 0);
    FUZZ_CHECK(path == 0 || memcmp(at + head, outcome->file_path.data, path) == 0);
    FUZZ_CHECK(at[size - 1] == '\n');
    FUZZ_CHECK(at[size - 2] != '\n'); /* an instance ends with "}", none with "Instances: " */
    FUZZ_CHECK(size <= wire.size * TEXT_PER_BYTE + FIXED_BYTES);
    FUZZ_CHECK(outcome->arena_bytes <= wire.size * ARENA_PER_BYTE + FIXED_BYTES);
}

/* A number that follows from the input. */
static size_t
choose(struct bytes wire, size_t end)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < wire.size; i++)
        hash = (hash ^ (unsigned char)wire.data[i]) * UINT64_C(1099511628211);
    return (size_t)(hash >> 16) % end;
}

static void
check_limits(const struct outcome *outcome, struct bytes wire)
{
    size_t arena_needed = outcome->arena_bytes;
    size_t text_needed = outcome->text.size;
    FUZZ_CHECK(run_limited(wire, arena_needed, text_needed, &outcome->text) == 0);
    FUZZ_CHECK(run_limited(wire, arena_needed, text_needed - 1, NULL) == -EMSGSIZE);
    FUZZ_CHECK(run_limited(wire, arena_needed, 1 + choose(wire, text_needed - 1), NULL) ==
               -EMSGSIZE);
    FUZZ_CHECK(run_limited(wire, arena_needed - 1, text_needed, NULL) == -ENOMEM);
    FUZZ_CHECK(run_limited(wire, 1 + choose(wire, arena_needed - 1), text_needed, NULL) == -ENOMEM);
}

/* The same request again, for standard output. */
static void
check_stdout(const struct outcome *outcome, struct bytes wire)
{
    struct outcome second;
    char *copy = malloc(outcome->text.size);
    FUZZ_CHECK(copy != NULL);
    memcpy(copy, outcome->text.data, outcome->text.size);
    arena_reset(arena);
    text_reset(text);
    run(&second, arena, text, wire, GO_TEXT_FOR_STDOUT);
    FUZZ_CHECK(second.decoded == 0 && second.rendered == 0);
    FUZZ_CHECK(second.decoded_bytes == outcome->decoded_bytes);
    FUZZ_CHECK(second.arena_bytes == outcome->arena_bytes);
    FUZZ_CHECK(second.text.size == outcome->text.size + 1);
    FUZZ_CHECK(memcmp(second.text.data, copy, outcome->text.size) == 0);
    FUZZ_CHECK(second.text.data[outcome->text.size] == '\n');
    free(copy);
}

/* A refused request is refused again for the same reason, or, where memory is short, for that. */
static void
check_refused_again(const struct outcome *outcome, struct bytes wire)
{
    struct outcome second;
    arena_reset(arena);
    text_reset(text);
    run(&second, arena, text, wire, GO_TEXT_FOR_STDOUT);
    FUZZ_CHECK(second.decoded == outcome->decoded);
    FUZZ_CHECK(strcmp(second.reason, outcome->reason) == 0);
    FUZZ_CHECK(second.decoded_bytes == outcome->decoded_bytes);
    if (outcome->decoded == -ENOMEM)
        return;
    size_t needed = outcome->decoded_bytes;
    FUZZ_CHECK(run_limited(wire, needed > 0 ? needed : 1, 1, NULL) == outcome->decoded);
    if (needed > 1)
        FUZZ_CHECK(run_limited(wire, 1 + choose(wire, needed - 1), 1, NULL) == -ENOMEM);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome outcome;
    struct bytes wire = {(const char *)data, size};
    arena_reset(arena);
    text_reset(text);
    run(&outcome, arena, text, wire, GO_TEXT_FOR_FILE);
    if (outcome.decoded != 0) {
        check_refusal(&outcome, wire);
        check_refused_again(&outcome, wire);
        return 0;
    }
    if (outcome.rendered != 0) {
        FUZZ_CHECK(size > TEXT_BYTES / TEXT_PER_BYTE / 2);
        return 0; /* the input is larger than the buffers are meant for */
    }
    check_text(&outcome, wire);
    check_limits(&outcome, wire);
    check_stdout(&outcome, wire);
    return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_CHECK(arena_open(&arena, ARENA_BYTES, KEEP_BYTES) == 0);
    FUZZ_CHECK(text_open(&text, TEXT_BYTES, KEEP_BYTES) == 0);
    return 0;
}
