/* account.h -- what became of each record that the suite had written, and whether the outputs
 * agree.
 *
 * Lives in memory that the children share, so it outlives whatever they do to themselves.
 */
#ifndef MYGRPCADAPTER_TESTS_CRASH_ACCOUNT_H
#define MYGRPCADAPTER_TESTS_CRASH_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#define ACCOUNT_FILES 3U
#define ACCOUNT_OUTPUTS 4U
/* More than segments.size_bytes, and than a record needs to be written by a system call. */
#define ACCOUNT_TEXT_BYTES_MAX 24576U

/* Rotated files of an output that are looked for. */
#define ACCOUNT_ROTATED_MAX 200

/* The outputs that records go to, beneath the volume: one for each file, and behind them another
 * name of the last file, if there is a link (account_link_names()). */
extern const char *const account_outputs[ACCOUNT_OUTPUTS];

struct account;

/* What must be true of the outputs. */
enum account_rule {
    /* What was acknowledged stands there once, what was refused never, all else at most once: each
     * record whole, those of one journal in order. */
    ACCOUNT_EXACTLY_ONCE,
    /* What was on the disk for sure is as it was; for the last child's records, and for those of
     * durability "machine", the rule above holds. */
    ACCOUNT_SYNCED_PREFIX,
    /* Somebody else has written to the outputs. The first rule holds for our records, and every
     * word of theirs stands there. */
    ACCOUNT_AMONG_STRANGERS,
};

/* Maps an empty account. The caller owns *out for the life of the process. */
void account_open(struct account **out);

/* Forgets everything. */
void account_clear(struct account *account);

/* Records may be set aside and put back: from now on they need not stand in their order, and a part
 * of one may stand where an output was full. Until account_clear(). */
void account_allow_any_order(struct account *account);

/* A new process begins: an order holds only within one journal of one of them. */
void account_begin_child(struct account *account);

/* Gives the last file its other name, in a volume that is empty. */
void account_link_names(const char *volume);

/* Notes that a record is about to be appended by the writer in that slot, with durability "machine"
 * or not; returns its number and in `text` (ACCOUNT_TEXT_BYTES_MAX) its text, which follows from
 * the number. */
uint32_t account_attempt(struct account *account, uint32_t output, uint32_t slot, bool durable,
                         char *text);

/* A client was told that the record is refused. */
void account_refuse(struct account *account, uint32_t number);

/* The record was appended. It is acknowledged at once, or with durability "machine" by
 * account_acknowledge_slot(). */
void account_append(struct account *account, uint32_t number);

/* All that was appended by the slot in this child is acknowledged. */
void account_acknowledge_slot(struct account *account, uint32_t slot);

/* Notes what the outputs beneath `volume` hold, which is on the disk for sure. */
void account_note_synced(struct account *account, const char *volume);

/* Somebody else appends a word of theirs to each output that is there. */
void account_add_strangers(struct account *account, const char *volume);

/* Checks the outputs beneath `volume`. True if the rule holds; else says on standard error what is
 * wrong. */
bool account_check(const struct account *account, const char *volume, enum account_rule rule);

/* How many records were acknowledged. */
uint32_t account_acknowledged(const struct account *account);

#endif
