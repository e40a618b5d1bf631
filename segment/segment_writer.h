/* segment_writer.h -- one worker's append-only segment file.
 *
 * Crash contract: what segment_writer_append() has acknowledged is readable after the process dies
 * at any later instruction; a record it has not acknowledged is there whole or not at all. Runs in
 * a worker; one writer per file.
 */
#ifndef MYGRPCADAPTER_SEGMENT_WRITER_H
#define MYGRPCADAPTER_SEGMENT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "segment/segment_format.h"

struct segment_writer;

/* The smallest file that holds one record with such a body. */
uint64_t segment_writer_file_bytes(uint64_t body_bytes);

/* Creates and preallocates a segment of `file_bytes` in `directory_fd`, maps it and locks it, under
 * its ".new" name, by which nobody reads it; its first record will carry `first_sequence`. Returns
 * 0, or a negative errno with nothing left behind (-ENOSPC: no room on the volume; -EDQUOT;
 * -EEXIST: that identity is taken). The caller owns *out. With `durable` all of it is on the disk
 * when it is sealed. */
int segment_writer_prepare(struct segment_writer **out, int directory_fd,
                           const struct segment_identity *identity, uint64_t first_sequence,
                           uint64_t file_bytes, bool durable);

/* Gives a segment that is prepared its ".open" name; only then is it appended to. If it is durable,
 * it is on the disk under this name before this returns. Returns 0, or a negative errno with
 * nothing left behind and *wp NULL. */
int segment_writer_publish(struct segment_writer **wp);

/* Removes a segment that is prepared; sets *wp to NULL; NULL-safe. */
void segment_writer_discard(struct segment_writer **wp);

/* Prepares and publishes, for whoever has nothing to look at in between. */
int segment_writer_create(struct segment_writer **out, int directory_fd,
                          const struct segment_identity *identity, uint64_t first_sequence,
                          uint64_t file_bytes, bool durable);

/* True if a record with such a body still fits, with room for the seal behind it. */
bool segment_writer_fits(const struct segment_writer *writer, uint64_t body_bytes);

/* Appends and publishes a record. The body (name and payload) must not be empty, the name at most
 * SEGMENT_DESTINATION_BYTES_MAX, and it must fit: see segment_writer_fits(). Returns 0, or a
 * negative errno with nothing appended if the file cannot be stored to (-ENOSPC where the file
 * system copies blocks and has no room; -EIO: the disk fails, or somebody cut the file): then the
 * segment is good for segment_writer_abandon() only. */
int segment_writer_append(struct segment_writer *writer, const struct segment_record *record);

/* False if somebody else removed the file or changed its size: what is appended would be lost. */
bool segment_writer_is_intact(const struct segment_writer *writer);

/* Waits until everything appended so far is on the disk (base/disk.h). May be called from another
 * thread than the one that appends. */
void segment_writer_sync(const struct segment_writer *writer);

/* The sequence the next record will carry. */
uint64_t segment_writer_next_sequence(const struct segment_writer *writer);

/* Publishes the seal, renames the file to ".sealed", unlocks and unmaps it; sets *wp to NULL;
 * NULL-safe. A seal or rename that fails is logged and left to the collector, which takes the file
 * over by its lock. */
void segment_writer_seal(struct segment_writer **wp);

/* Lets go of the file as it is, unsealed; sets *wp to NULL; NULL-safe. */
void segment_writer_abandon(struct segment_writer **wp);

#endif
