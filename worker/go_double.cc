/* go_double.cc -- shortest digits, in the form that Go's rule asks for.
 *
 * Runs in a worker. C++ for this one function: no C library in Debian prints the fewest digits of
 * every double, and trying "%.17g" and fewer misses powers of two such as 2^-44.
 */
#include "worker/go_double.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

namespace
{

/* From the one on, and below the other, the text has no exponent. */
constexpr double plain_min = 1e-4;
constexpr double plain_end = 1e6;

/* Most measured numbers have few decimals. With 9 they are whole numbers below 1e15, which doubles hold exactly,
 * and so is their power of ten: the quotient is then the double nearest to that decimal (IEEE 754 rounds a division
 * correctly), and if it is `size`, the decimal reads back as it. No other decimal of up to 15 digits does, so its
 * digits without trailing zeros are the fewest. Returns 0 for any other double. */
constexpr int decimals_max = 9;
constexpr uint64_t decimals_unit = 1000000000;

size_t
format_decimal(char *out, double size)
{
    const auto scaled = static_cast<uint64_t>(size * decimals_unit + 0.5);
    if (static_cast<double>(scaled) / decimals_unit != size)
        return 0;
    char *end = std::to_chars(out, out + decimals_max, scaled / decimals_unit).ptr;
    uint64_t decimals = scaled % decimals_unit;
    if (decimals == 0)
        return static_cast<size_t>(end - out);
    *end = '.';
    for (int i = decimals_max; i > 0; i--, decimals /= 10)
        end[i] = static_cast<char>('0' + decimals % 10);
    end += decimals_max;
    while (*end == '0')
        end--;
    return static_cast<size_t>(end + 1 - out);
}

size_t
copy(char *out, const char *text, size_t size)
{
    std::memcpy(out, text, size);
    return size;
}

size_t
shortest(char *out, double value, std::chars_format format)
{
    return static_cast<size_t>(std::to_chars(out, out + GO_DOUBLE_BYTES_MAX, value, format).ptr -
                               out);
}

} // namespace

extern "C" size_t
go_double_format(double value, char out[GO_DOUBLE_BYTES_MAX])
{
    if (std::isnan(value))
        return copy(out, "NaN", 3);
    if (std::isinf(value))
        return copy(out, value < 0 ? "-Inf" : "+Inf", 4);
    const double size = std::fabs(value);
    const bool plain = size == 0 || (size >= plain_min && size < plain_end);
    if (!plain)
        return shortest(out, value, std::chars_format::scientific);
    const size_t sign = std::signbit(value) ? copy(out, "-", 1) : 0;
    const size_t decimal = format_decimal(out + sign, size);
    return decimal > 0 ? sign + decimal : shortest(out, value, std::chars_format::fixed);
}
