/* go_double.cc -- shortest digits by std::to_chars, in the form that Go's rule asks for.
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

/* From the one on, and below the other, the text has no exponent. */
constexpr double plain_min = 1e-4;
constexpr double plain_end = 1e6;

size_t
copy(char *out, const char *text, size_t size)
{
    std::memcpy(out, text, size);
    return size;
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
    const std::chars_format format =
        plain ? std::chars_format::fixed : std::chars_format::scientific;
    return static_cast<size_t>(std::to_chars(out, out + GO_DOUBLE_BYTES_MAX, value, format).ptr -
                               out);
}
