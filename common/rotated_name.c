/* rotated_name.c -- recognises the names of rotated files. Runs in workers and in the collector. */
#include "common/rotated_name.h"

#include <string.h>

#include "common/settings.h"

bool
rotated_name_is_in_use(const struct settings *settings)
{
    return settings->output_rotate_bytes > 0 || settings->output_rotate_seconds > 0;
}

static bool
is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* Whether one component of `size` bytes is such a name. */
static bool
component_is_rotated(const char *component, size_t size)
{
    size_t digits = 0;
    while (digits < size && is_digit(component[size - 1 - digits]))
        digits++;
    return digits > 0 && size >= digits + 2 && component[size - digits - 1] == '.' &&
           component[size - digits] != '0';
}

bool
rotated_name_ends(const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *last = slash == NULL ? name : slash + 1;
    return component_is_rotated(last, strlen(last));
}

bool
rotated_name_is_within(const char *name)
{
    const char *component = name;
    for (;;) {
        size_t size = strcspn(component, "/");
        if (component_is_rotated(component, size))
            return true;
        if (component[size] == '\0')
            return false;
        component += size + 1;
    }
}
