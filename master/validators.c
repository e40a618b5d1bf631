/* validators.c -- asks those who will use an address or a path. Runs in the master before it
 * forks, and in the commands. */
#include "master/validators.h"

#include <stddef.h>

#include "master/admin_socket.h"
#include "master/listener.h"

static const char *
refuse_address(const char *text)
{
    return listener_address_is_valid(text) ? NULL : "is not a numeric IPv4 or IPv6 address";
}

static const char *
refuse_relative(const char *text)
{
    return text[0] == '/' ? NULL : "is not an absolute path";
}

static const char *
refuse_relative_unless_empty(const char *text)
{
    return text[0] == '\0' ? NULL : refuse_relative(text);
}

const struct config_validators master_validators = {
    .refusal =
        {
            [CONFIG_SHAPE_ADDRESS] = refuse_address,
            [CONFIG_SHAPE_PATH] = refuse_relative,
            [CONFIG_SHAPE_PATH_OR_EMPTY] = refuse_relative_unless_empty,
            [CONFIG_SHAPE_ADMIN_ADDRESS] = admin_socket_refusal,
        },
};
