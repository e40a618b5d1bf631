/* descriptors.h -- what proto/ defines, as protoc described it when the program was built, to be
 * looked up. Runs in a worker, for server reflection. */
#ifndef MYGRPCADAPTER_WORKER_SERVICES_DESCRIPTORS_H
#define MYGRPCADAPTER_WORKER_SERVICES_DESCRIPTORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

#define DESCRIPTORS_FILES_MAX 32U
#define DESCRIPTORS_NONE SIZE_MAX

/* A serialized google.protobuf.FileDescriptorSet, each file after those it imports; the Makefile
 * has it made of proto/. */
extern const unsigned char descriptors_set[];
extern const size_t descriptors_set_size;

struct descriptors;

/* Takes a set apart, which is kept by reference. Returns 0, -ENOMEM, or -EBADMSG if it is none; the
 * caller owns *out. */
int descriptors_open(struct descriptors **out, struct bytes set);

/* Frees; NULL-safe; sets *dp to NULL. */
void descriptors_close(struct descriptors **dp);

/* The index of the file of that name, the one that defines `symbol` (a full name), or the one
 * that extends the message `type` by `number` (extensions beside messages, not in them);
 * DESCRIPTORS_NONE if there is none. */
size_t descriptors_find_file(const struct descriptors *descriptors, const char *name);
size_t descriptors_find_symbol(const struct descriptors *descriptors, const char *symbol);
size_t descriptors_find_extension(const struct descriptors *descriptors, const char *type,
                                  int32_t number);

/* Up to `max` numbers by which the message `type` is extended. Returns how many. */
size_t descriptors_extensions(const struct descriptors *descriptors, const char *type,
                              int32_t *numbers, size_t max);

/* A file and all that it imports, itself first. Returns how many. */
size_t descriptors_closure(const struct descriptors *descriptors, size_t file,
                           struct bytes out[static DESCRIPTORS_FILES_MAX]);

/* The package and the name of service number `n` among all; -ENOENT if there are fewer. */
int descriptors_service(const struct descriptors *descriptors, size_t n, const char **package_r,
                        const char **name_r);

#endif
