/* request_fuzz.c -- fuzzes what a worker does with the bytes of a call: request_begin(), then
 * go_text_render().
 *
 * An input is an encoded HandleMetricRequest and nothing else, so tests/golden/ serves as it is;
 * where the text is cut follows from a hash of it. request_mutator.c keeps the lengths right,
 * request.dict knows the tags.
 *
 * Holds for all of them:
 *   - a refusal has a cause and a text, one line of printable ASCII that fits its buffer; a request
 *     that is taken has none;
 *   - nothing outside the received bytes is read, nor outside the text written;
 *   - reading again, whatever was read in between, gives the same;
 *   - the text begins with the file_path, ends with one newline for a file and two for standard
 *     output, and is otherwise the same;
 *   - room for the text is enough, and any less is refused as too large;
 *   - what protobuf-c takes is taken, its text is bounded by its size, and it has the same text
 *     after protobuf-c has read and written it; but protobuf-c merges messages that a decoder for
 *     Go replaces, ends strings at a NUL byte, and takes fields of negative numbers and bools of
 *     any wire type.
 *
 * libprotobuf-c is not instrumented: it is not what is tested.
 */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sanitizer/asan_interface.h>

#include "tests/fuzz/request_tree.h"
#include "tests/protobuf_c.h"
#include "worker/call_refusal.h"
#include "worker/render/go_text.h"
#include "worker/decode/request.h"
#include "worker/render/text.h"

#define REQUEST_BYTES ((size_t)1 << 20)
#define TEXT_BYTES ((size_t)8 << 20)
#define KEEP_BYTES ((size_t)16 << 10) /* small, so that resetting gives memory back often */

/* Bounds of what a byte of a request can become; an empty instance of two bytes is the worst. */
#define TEXT_PER_BYTE 32U
#define FIXED_BYTES 1024U

#define HEAD "HandleMetric invoked with:\n  Adapter config: &Params{FilePath:"

static struct request *request;
static struct text *text;

/* What became of a request. */
struct outcome {
    bool accepted;

    /* If it is not. */
    struct call_refusal refusal;

    /* A string that is looked at has a NUL byte. */
    bool has_nul;

    /* To be freed. */
    struct bytes text;
};

static bool
is_malformed(const struct outcome *outcome)
{
    return !outcome->accepted && outcome->refusal.cause == REFUSAL_MALFORMED;
}

static bool
is_too_large(const struct outcome *outcome)
{
    return !outcome->accepted && outcome->refusal.cause == REFUSAL_TOO_LARGE;
}

/* Nobody else fills a refusal: what is not refused has none. */
static void
check_refusal(const struct outcome *outcome)
{
    const char *text_of = outcome->refusal.text;
    const char *end = memchr(text_of, '\0', sizeof(outcome->refusal.text));
    if (outcome->accepted) {
        FUZZ_CHECK(end == NULL);
        return;
    }
    FUZZ_CHECK(is_malformed(outcome) || is_too_large(outcome));
    FUZZ_CHECK(end != NULL && end > text_of);
    for (const char *at = text_of; at < end; at++)
        FUZZ_CHECK(*at >= ' ' && *at < 0x7f);
}

static void
check_head(struct bytes made, struct bytes file_path)
{
    size_t head = strlen(HEAD);
    FUZZ_CHECK(made.size > head + file_path.size && memcmp(made.data, HEAD, head) == 0);
    FUZZ_CHECK(file_path.size == 0 ||
               memcmp(made.data + head, file_path.data, file_path.size) == 0);
}

/* Decodes and renders a copy of the bytes into `out`. */
static void
run(struct outcome *outcome, struct text *out, struct bytes wire, enum go_text_ending ending)
{
    char *copy = malloc(wire.size > 0 ? wire.size : 1);
    FUZZ_CHECK(copy != NULL);
    if (wire.size > 0)
        memcpy(copy, wire.data, wire.size);
    memset(outcome, 0, sizeof(*outcome));
    memset(&outcome->refusal, 'x', sizeof(outcome->refusal));
    text_reset(out);
    outcome->accepted =
        request_begin(request, (struct bytes){copy, wire.size}, &outcome->refusal) &&
        go_text_render(out, request, ending, &outcome->refusal);
    check_refusal(outcome);
    if (outcome->accepted) {
        struct bytes made = text_bytes(out);
        check_head(made, request->file_path);
        char *kept = malloc(made.size);
        FUZZ_CHECK(kept != NULL);
        memcpy(kept, made.data, made.size);
        outcome->text = (struct bytes){kept, made.size};
        struct bytes type_url = request->config_type_url;
        outcome->has_nul = memchr(made.data, '\0', made.size) != NULL ||
                           memchr(type_url.data, '\0', type_url.size) != NULL;
    }
    free(copy);
}

static void
outcome_free(struct outcome *outcome)
{
    free(bytes_unconst(outcome->text.data));
}

/* The same with a text of this limit, made for it. Expects the same text, or, with NULL, that it is
 * refused as too large. */
static void
run_limited(struct bytes wire, size_t text_limit, const struct bytes *expected)
{
    struct outcome outcome;
    struct text *small = NULL;
    FUZZ_CHECK(text_open(&small, text_limit, KEEP_BYTES) == 0);
    char *end = small->base + text_limit;
    size_t behind = small->mapped_bytes - text_limit;
    ASAN_POISON_MEMORY_REGION(end, behind);
    run(&outcome, small, wire, GO_TEXT_FOR_FILE);
    if (expected != NULL)
        FUZZ_CHECK(outcome.accepted && bytes_equal(outcome.text, *expected));
    else
        FUZZ_CHECK(is_too_large(&outcome));
    text_reset(small);
    FUZZ_CHECK(text_bytes(small).size == 0);
    ASAN_UNPOISON_MEMORY_REGION(end, behind);
    text_close(&small);
    FUZZ_CHECK(small == NULL);
    outcome_free(&outcome);
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
    size_t needed = outcome->text.size;
    run_limited(wire, needed, &outcome->text);
    run_limited(wire, needed - 1, NULL);
    run_limited(wire, 1 + choose(wire, needed - 1), NULL);
}

/* The same request again, for standard output. */
static void
check_again(const struct outcome *outcome, struct bytes wire)
{
    struct outcome second;
    size_t size = outcome->text.size;
    run(&second, text, wire, GO_TEXT_FOR_STDOUT);
    FUZZ_CHECK(second.accepted == outcome->accepted);
    if (!outcome->accepted)
        FUZZ_CHECK(second.refusal.cause == outcome->refusal.cause &&
                   strcmp(second.refusal.text, outcome->refusal.text) == 0);
    if (outcome->accepted) {
        FUZZ_CHECK(second.text.size == size + 1);
        FUZZ_CHECK(memcmp(second.text.data, outcome->text.data, size) == 0);
        /* An instance ends with "}", none with "Instances: ". */
        FUZZ_CHECK(memcmp(second.text.data + size - 1, "\n\n", 2) == 0);
        FUZZ_CHECK(second.text.data[size - 2] != '\n');
    }
    outcome_free(&second);
}

/* A request that protobuf-c has taken, and written again. */
static void
check_against_protobuf_c(const struct outcome *outcome, struct bytes wire, struct bytes packed)
{
    struct outcome second;
    if (is_malformed(outcome)) {
        const char *reason = outcome->refusal.text;
        FUZZ_CHECK(strstr(reason, "adapter_config is of type \"") == reason ||
                   strstr(reason, "adapter_config.value") == reason ||
                   strstr(reason, "a field's number is not above 0") != NULL ||
                   strstr(reason, "bool_value: the wire type is not") != NULL);
        return;
    }
    FUZZ_CHECK(outcome->accepted);
    FUZZ_CHECK(outcome->text.size <= wire.size * TEXT_PER_BYTE + FIXED_BYTES);
    if (outcome->has_nul || tree_gives_twice((const uint8_t *)wire.data, wire.size, TREE_REQUEST))
        return;
    run(&second, text, packed, GO_TEXT_FOR_FILE);
    FUZZ_CHECK(second.accepted && bytes_equal(second.text, outcome->text));
    outcome_free(&second);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome outcome;
    struct bytes wire = {(const char *)data, size};
    struct bytes packed;
    if (size > REQUEST_BYTES)
        return 0;
    run(&outcome, text, wire, GO_TEXT_FOR_FILE);
    if (protobuf_c_repack(wire, &packed)) {
        check_against_protobuf_c(&outcome, wire, packed);
        free(bytes_unconst(packed.data));
    }
    if (outcome.accepted)
        check_limits(&outcome, wire);
    check_again(&outcome, wire);
    outcome_free(&outcome);
    return 0;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    FUZZ_CHECK(request_open(&request, REQUEST_BYTES) == 0);
    FUZZ_CHECK(text_open(&text, TEXT_BYTES, KEEP_BYTES) == 0);
    return 0;
}
