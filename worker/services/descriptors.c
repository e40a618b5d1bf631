/* descriptors.c -- a set of file descriptors, unpacked once, and walked for each look-up: they are
 * a handful of small files. Runs in a worker. */
#include "worker/services/descriptors.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/invariant.h"
#include "google/protobuf/descriptor.pb-c.h"

typedef Google__Protobuf__FileDescriptorProto file_descriptor;
typedef Google__Protobuf__DescriptorProto message_descriptor;
typedef Google__Protobuf__EnumDescriptorProto enum_descriptor;
typedef Google__Protobuf__FieldDescriptorProto field_descriptor;

/* The tag of FileDescriptorSet.file, the only field of the set. */
#define FILE_TAG 0x0a

struct descriptors {
    size_t count;

    /* Each file as it stands in the set, and unpacked. */
    struct bytes bytes[DESCRIPTORS_FILES_MAX];
    file_descriptor *files[DESCRIPTORS_FILES_MAX];
};

/* Takes a varint from the front. Returns false if there is none. */
static bool
take_varint(struct bytes *wire, uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && wire->size > 0; shift += 7) {
        unsigned char byte = (unsigned char)*wire->data++;
        wire->size--;
        value |= (uint64_t)(byte & 0x7fU) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* Cuts the set into its files. */
static int
split(struct descriptors *descriptors, struct bytes set)
{
    while (set.size > 0) {
        uint64_t tag = 0;
        uint64_t size = 0;
        if (!take_varint(&set, &tag) || tag != FILE_TAG || !take_varint(&set, &size) ||
            size > set.size || descriptors->count == DESCRIPTORS_FILES_MAX)
            return -EBADMSG;
        descriptors->bytes[descriptors->count++] = (struct bytes){set.data, size};
        set.data += size;
        set.size -= size;
    }
    return 0;
}

int
descriptors_open(struct descriptors **out, struct bytes set)
{
    struct descriptors *descriptors = calloc(1, sizeof(*descriptors));
    if (descriptors == NULL)
        return -ENOMEM;
    int result = split(descriptors, set);
    for (size_t i = 0; i < descriptors->count && result == 0; i++) {
        struct bytes wire = descriptors->bytes[i];
        descriptors->files[i] = google__protobuf__file_descriptor_proto__unpack(
            NULL, wire.size, (const uint8_t *)wire.data);
        if (descriptors->files[i] == NULL)
            result = -EBADMSG;
    }
    if (result != 0) {
        descriptors_close(&descriptors);
        return result;
    }
    *out = descriptors;
    return 0;
}

void
descriptors_close(struct descriptors **dp)
{
    if (*dp == NULL)
        return;
    for (size_t i = 0; i < (*dp)->count; i++)
        google__protobuf__file_descriptor_proto__free_unpacked((*dp)->files[i], NULL);
    free(*dp);
    *dp = NULL;
}

size_t
descriptors_find_file(const struct descriptors *descriptors, const char *name)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        if (strcmp(descriptors->files[i]->name, name) == 0)
            return i;
    }
    return DESCRIPTORS_NONE;
}

/* ---- symbols */

/* What follows `prefix` in a dotted name whose first parts it is: "" if nothing does. NULL if
 * they are others. */
static const char *
after(const char *name, const char *prefix)
{
    size_t size = strlen(prefix);
    if (strncmp(name, prefix, size) != 0)
        return NULL;
    if (name[size] == '.')
        return name + size + 1;
    return name[size] == '\0' ? name + size : NULL;
}

static bool
has_enum(enum_descriptor *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->name, name) == 0)
            return true;
        /* Values are siblings of their type. */
        for (size_t j = 0; j < list[i]->n_value; j++) {
            if (strcmp(list[i]->value[j]->name, name) == 0)
                return true;
        }
    }
    return false;
}

static bool
has_field(field_descriptor *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->name, name) == 0)
            return true;
    }
    return false;
}

/* The message that a dotted name begins with, and in *rest_r what follows. */
static const message_descriptor *
find_message(message_descriptor *const *list, size_t count, const char *name, const char **rest_r)
{
    for (size_t i = 0; i < count; i++) {
        *rest_r = after(name, list[i]->name);
        if (*rest_r != NULL)
            return list[i];
    }
    return NULL;
}

static bool
has_message(const file_descriptor *file, const char *name)
{
    const char *rest = name;
    const message_descriptor *message =
        find_message(file->message_type, file->n_message_type, name, &rest);
    while (message != NULL && *rest != '\0') {
        if (has_enum(message->enum_type, message->n_enum_type, rest) ||
            has_field(message->field, message->n_field, rest) ||
            has_field(message->extension, message->n_extension, rest))
            return true;
        message = find_message(message->nested_type, message->n_nested_type, rest, &rest);
    }
    return message != NULL;
}

static bool
has_service(const file_descriptor *file, const char *name)
{
    for (size_t i = 0; i < file->n_service; i++) {
        const Google__Protobuf__ServiceDescriptorProto *service = file->service[i];
        const char *method = after(name, service->name);
        if (method == NULL)
            continue;
        if (*method == '\0')
            return true;
        for (size_t j = 0; j < service->n_method; j++) {
            if (strcmp(service->method[j]->name, method) == 0)
                return true;
        }
    }
    return false;
}

/* The part of a symbol behind the file's package; NULL if it is of another package. */
static const char *
within_package(const file_descriptor *file, const char *symbol)
{
    if (file->package == NULL || file->package[0] == '\0')
        return symbol;
    return after(symbol, file->package);
}

size_t
descriptors_find_symbol(const struct descriptors *descriptors, const char *symbol)
{
    size_t size = strlen(symbol);
    if (size == 0 || symbol[size - 1] == '.') /* no part of a name is empty */
        return DESCRIPTORS_NONE;
    for (size_t i = 0; i < descriptors->count; i++) {
        const file_descriptor *file = descriptors->files[i];
        const char *name = within_package(file, symbol);
        if (name == NULL || *name == '\0')
            continue;
        if (has_service(file, name) || has_message(file, name) ||
            has_enum(file->enum_type, file->n_enum_type, name) ||
            has_field(file->extension, file->n_extension, name))
            return i;
    }
    return DESCRIPTORS_NONE;
}

/* ---- extensions */

static bool
extends(const field_descriptor *extension, const char *type)
{
    /* protoc writes full names with a dot in front. */
    return extension->extendee != NULL && extension->extendee[0] == '.' &&
           strcmp(extension->extendee + 1, type) == 0;
}

size_t
descriptors_find_extension(const struct descriptors *descriptors, const char *type, int32_t number)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        const file_descriptor *file = descriptors->files[i];
        for (size_t j = 0; j < file->n_extension; j++) {
            if (file->extension[j]->number == number && extends(file->extension[j], type))
                return i;
        }
    }
    return DESCRIPTORS_NONE;
}

size_t
descriptors_extensions(const struct descriptors *descriptors, const char *type, int32_t *numbers,
                       size_t max)
{
    size_t count = 0;
    for (size_t i = 0; i < descriptors->count; i++) {
        const file_descriptor *file = descriptors->files[i];
        for (size_t j = 0; j < file->n_extension && count < max; j++) {
            if (extends(file->extension[j], type))
                numbers[count++] = file->extension[j]->number;
        }
    }
    return count;
}

/* ---- what goes out */

size_t
descriptors_closure(const struct descriptors *descriptors, size_t file,
                    struct bytes out[static DESCRIPTORS_FILES_MAX])
{
    INVARIANT(file < descriptors->count);
    bool wanted[DESCRIPTORS_FILES_MAX] = {false};
    size_t count = 0;
    wanted[file] = true;
    /* Backwards: whatever a file imports stands before it. */
    for (size_t i = file + 1; i-- > 0;) {
        if (!wanted[i])
            continue;
        out[count++] = descriptors->bytes[i];
        for (size_t j = 0; j < descriptors->files[i]->n_dependency; j++) {
            size_t found = descriptors_find_file(descriptors, descriptors->files[i]->dependency[j]);
            if (found < i)
                wanted[found] = true;
        }
    }
    return count;
}

int
descriptors_service(const struct descriptors *descriptors, size_t n, const char **package_r,
                    const char **name_r)
{
    for (size_t i = 0; i < descriptors->count; i++) {
        const file_descriptor *file = descriptors->files[i];
        if (n < file->n_service) {
            *package_r = file->package;
            *name_r = file->service[n]->name;
            return 0;
        }
        n -= file->n_service;
    }
    return -ENOENT;
}
