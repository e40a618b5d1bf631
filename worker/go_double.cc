/* go_double.cc -- shortest digits by std::to_chars, laid out by Go's rule.
 *
 * Runs in a worker. C++ for this one function: no C library in Debian prints the fewest digits of
 * every double, and trying "%.17g" and fewer misses powers of two such as 2^-44.
 */
#include "worker/go_double.h"

#include <charconv>
#include <cmath>
#include <cstring>

namespace
{

/* With a decimal exponent outside these the text has an exponent. */
constexpr int exponent_min = -4;
constexpr int exponent_max = 5;

size_t
copy(char *out, const char *text, size_t size)
{
    std::memcpy(out, text, size);
    return size;
}

/* "D.DDDe-XX" without its sign: the digits without the point, and the number after the 'e'. */
struct decimal {
    char digits[GO_DOUBLE_BYTES_MAX];
    size_t count;
    int exponent;
};

decimal
parse(const char *at, const char *end)
{
    decimal result = {};
    for (; at < end && *at != 'e'; at++) {
        if (*at != '.')
            result.digits[result.count++] = *at;
    }
    const char *number = at + 1 < end && at[1] == '+' ? at + 2 : at + 1;
    (void)std::from_chars(number, end, result.exponent);
    return result;
}

/* The digits with the point where the exponent puts it. */
char *
write_plain(char *at, const decimal &number)
{
    if (number.exponent < 0) {
        *at++ = '0';
        *at++ = '.';
        for (int place = -1; place > number.exponent; place--)
            *at++ = '0';
        return at + copy(at, number.digits, number.count);
    }
    const size_t whole = static_cast<size_t>(number.exponent) + 1;
    for (size_t i = 0; i < whole; i++)
        *at++ = i < number.count ? number.digits[i] : '0';
    if (number.count > whole) {
        *at++ = '.';
        at += copy(at, number.digits + whole, number.count - whole);
    }
    return at;
}

} // namespace

extern "C" size_t
go_double_format(double value, char out[GO_DOUBLE_BYTES_MAX])
{
    if (std::isnan(value))
        return copy(out, "NaN", 3);
    if (std::isinf(value))
        return copy(out, value < 0 ? "-Inf" : "+Inf", 4);
    char shortest[GO_DOUBLE_BYTES_MAX];
    const char *end =
        std::to_chars(shortest, shortest + sizeof(shortest), value, std::chars_format::scientific)
            .ptr;
    const char *unsigned_start = shortest[0] == '-' ? shortest + 1 : shortest;
    const decimal number = parse(unsigned_start, end);
    if (number.exponent < exponent_min || number.exponent > exponent_max)
        return copy(out, shortest, static_cast<size_t>(end - shortest));
    char *at = out;
    if (shortest[0] == '-')
        *at++ = '-';
    return static_cast<size_t>(write_plain(at, number) - out);
}
