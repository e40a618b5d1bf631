/* send_value.c -- the table of value types, and how the text of each is read.
 *
 * Runs in the process of `mygrpcadapter send`. A further kind of value is one more line in the
 * table, one function of the shape of parse_int64(), and a case in send_instance.c.
 */
#include "commands/send/send_value.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "commands/send/send_time.h"

/* Each reads what stands behind the type. Returns NULL, or what is wrong. */
typedef const char *value_parser(struct send_value *out, const char *text);

static const char *
parse_text(struct send_value *out, const char *text)
{
    out->text = text;
    return NULL;
}

static const char *
parse_int64(struct send_value *out, const char *text)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || isspace((unsigned char)*text))
        return "not a whole number";
    if (errno == ERANGE)
        return "does not fit an int64";
    out->integer = number;
    return NULL;
}

static const char *
parse_double(struct send_value *out, const char *text)
{
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    if (end == text || *end != '\0' || isspace((unsigned char)*text))
        return "not a number";
    /* ERANGE alone also comes with the very small numbers that a double holds less exactly. */
    if (errno == ERANGE && isinf(number))
        return "does not fit a double";
    out->number = number;
    return NULL;
}

static const char *
parse_bool(struct send_value *out, const char *text)
{
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return "neither true nor false";
    out->integer = strcmp(text, "true") == 0;
    return NULL;
}

static int
hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static const char *
parse_hex_address(struct send_value *out, const char *text)
{
    size_t length = strlen(text);
    if (length % 2 != 0)
        return "an odd number of hexadecimal digits";
    if (length / 2 > sizeof(out->address))
        return "more than 64 bytes";
    for (size_t i = 0; i < length / 2; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return "not hexadecimal digits";
        out->address[i] = (uint8_t)(high * 16 + low);
    }
    out->address_size = length / 2;
    return NULL;
}

static const char *
parse_ip_address(struct send_value *out, const char *text)
{
    if (strncmp(text, "hex:", 4) == 0)
        return parse_hex_address(out, text + 4);
    if (inet_pton(AF_INET, text, out->address) == 1) {
        out->address_size = 4;
        return NULL;
    }
    if (inet_pton(AF_INET6, text, out->address) == 1) {
        out->address_size = 16;
        return NULL;
    }
    return "neither an IPv4 nor an IPv6 address, nor hex: and bytes";
}

static const char *
parse_timestamp(struct send_value *out, const char *text)
{
    switch (send_time_parse_timestamp(text, &out->integer, &out->nanos)) {
    case 0:
        return NULL;
    case -ERANGE:
        return "not within the years 1 to 9999";
    default:
        return "not an RFC 3339 time such as 2019-03-16T01:02:03.5Z";
    }
}

static const char *
parse_duration(struct send_value *out, const char *text)
{
    switch (send_time_parse_duration(text, &out->integer, &out->nanos)) {
    case 0:
        return NULL;
    case -ERANGE:
        return "longer than 292 years";
    default:
        return "not a duration such as 1h2m3.5s or 12ms";
    }
}

static const struct value_type {
    const char *prefix;
    enum send_value_kind kind;
    value_parser *parse;
} value_types[] = {
    {"string:", SEND_VALUE_STRING, parse_text},
    {"int:", SEND_VALUE_INT64, parse_int64},
    {"double:", SEND_VALUE_DOUBLE, parse_double},
    {"bool:", SEND_VALUE_BOOL, parse_bool},
    {"ip:", SEND_VALUE_IP_ADDRESS, parse_ip_address},
    {"timestamp:", SEND_VALUE_TIMESTAMP, parse_timestamp},
    {"duration:", SEND_VALUE_DURATION, parse_duration},
    {"email:", SEND_VALUE_EMAIL_ADDRESS, parse_text},
    {"dns:", SEND_VALUE_DNS_NAME, parse_text},
    {"uri:", SEND_VALUE_URI, parse_text},
};

static int
parse_as(struct send_value *out, enum send_value_kind kind, value_parser *parse, const char *text,
         const char **why_r)
{
    *out = (struct send_value){.kind = kind};
    *why_r = parse(out, text);
    return *why_r == NULL ? 0 : -EINVAL;
}

int
send_value_parse(struct send_value *out, const char *text, const char **why_r)
{
    if (strcmp(text, "none") == 0) {
        *out = (struct send_value){.kind = SEND_VALUE_NONE};
        return 0;
    }
    for (size_t i = 0; i < sizeof(value_types) / sizeof(value_types[0]); i++) {
        size_t length = strlen(value_types[i].prefix);
        if (strncmp(text, value_types[i].prefix, length) == 0)
            return parse_as(out, value_types[i].kind, value_types[i].parse, text + length, why_r);
    }
    return parse_as(out, SEND_VALUE_STRING, parse_text, text, why_r);
}

static bool
is_whole_number(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

int
send_value_parse_measure(struct send_value *out, const char *text, const char **why_r)
{
    if (is_whole_number(text))
        return parse_as(out, SEND_VALUE_INT64, parse_int64, text, why_r);
    return send_value_parse(out, text, why_r);
}
