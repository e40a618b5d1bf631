/* go_double.cc -- the fewest digits that read back as the same double, in the form that Go's rule
 * asks for.
 *
 * Runs in a worker. C++ for std::to_chars, which prints what has an exponent; no C library in
 * Debian prints the fewest digits of every double, and trying "%.17g" and fewer misses powers of
 * two such as 2^-44. Where there is no exponent, numbers are small enough for exact integers, and
 * so for a way that costs half.
 */
#include "worker/render/go_double.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "worker/render/digits.h"

namespace
{

/* From the first on, and below the second, the text has no exponent. */
constexpr double plain_min = 1e-4;
constexpr double plain_end = 1e6;
constexpr int whole_digits_max = 6;

constexpr int mantissa_bits = 52;
constexpr int exponent_bias = 1023;

__extension__ typedef unsigned __int128 uint128;

constexpr int places_max = 20;

struct powers_of_ten {
    uint128 at[places_max + 1];

    constexpr powers_of_ten() : at()
    {
        uint128 power = 1;
        for (uint128 &place : at) {
            place = power;
            power *= 10;
        }
    }
};

constexpr powers_of_ten power_of_ten;

constexpr uint64_t ten_to_8 = 100000000;
constexpr uint64_t ten_to_16 = ten_to_8 * ten_to_8;

/* digits / 10^places; 10 <= places <= 20, and the digits may end in zeros. */
struct decimal {
    uint64_t digits;
    int places;
};

/* Of the decimals that read back as `size`, the one with the fewest digits; of several such the
 * nearest, and of two that are equally near the even one. `size` is at least plain_min, below
 * plain_end, and not whole.
 *
 * `size` is mantissa / 2^shift, 33 <= shift <= 66, and what reads back lies within half the way
 * to its neighbours. That interval, 1 / 2^shift wide, is looked at times 10^places, for the
 * least `places` that make it wider than 1: it then holds a whole number at least and at most
 * one that ends in 0, since it is narrower than 10. If it holds such a one, that is what is left
 * when digits are dropped; else it is the whole number before or behind `size`. This is
 * Schubfach (Raffaello Giulietti, "The Schubfach way to render doubles"), but with so few
 * exponents nothing needs to be rounded: counted in halves of 1 / 2^shift, all is below 2^53 *
 * 10 * 2^66 * 2 < 2^125.
 *
 * The neighbour before a power of two is nearer. But those that come here, 2^-1 to 2^-13, have
 * 13 decimals at most and are themselves such a whole number. */
decimal
shortest(double size)
{
    uint64_t bits;
    std::memcpy(&bits, &size, sizeof(bits));
    const uint64_t hidden_bit = uint64_t{1} << mantissa_bits;
    const uint64_t mantissa = (bits & (hidden_bit - 1)) | hidden_bit;
    const int shift = exponent_bias + mantissa_bits - static_cast<int>(bits >> mantissa_bits);
    const int places = shift * 1233 / 4096 + 1; /* the least above shift * log10(2) */

    const uint128 one = static_cast<uint128>(2) << shift;
    const uint128 room = power_of_ten.at[places]; /* on either side */
    const uint128 value = mantissa * room * 2;
    const bool ends_read_back = mantissa % 2 == 0; /* reading rounds to even */
    const auto within = [room, ends_read_back](uint128 distance) {
        return ends_read_back ? distance <= room : distance < room;
    };

    const auto whole = static_cast<uint64_t>(value >> (shift + 1));
    const uint128 rest = value & (one - 1);
    const uint64_t last_digit = whole % 10;
    const uint128 from_ten = one * last_digit + rest;
    if (within(from_ten))
        return {whole - last_digit, places};
    if (within(one * 10 - from_ten))
        return {whole - last_digit + 10, places};
    const bool is_next_nearer = rest * 2 > one || (rest * 2 == one && whole % 2 == 1);
    return {whole + is_next_nearer, places};
}

void
write_eight_digits(char *out, uint32_t number)
{
    const uint32_t upper = number / 10000;
    const uint32_t lower = number % 10000;
    digits_put_two(out, upper / 100);
    digits_put_two(out + 2, upper % 100);
    digits_put_two(out + 4, lower / 100);
    digits_put_two(out + 6, lower % 100);
}

/* Writes a fraction of rest / 10^places, which is not 0: as 8 or 16 digits behind the zeros that
 * it may begin with, and takes those back that are zeros at its end. */
char *
write_fraction(char *out, uint64_t rest, int places)
{
    for (int zeros = places - 17; zeros > 0; zeros--)
        *out++ = '0';
    if (places > 16)
        *out++ = static_cast<char>('0' + rest / ten_to_16);
    else
        rest *= static_cast<uint64_t>(power_of_ten.at[16 - places]);
    const uint64_t last_eight = rest % ten_to_8;
    write_eight_digits(out, static_cast<uint32_t>(rest % ten_to_16 / ten_to_8));
    out += 8;
    if (last_eight != 0) {
        write_eight_digits(out, static_cast<uint32_t>(last_eight));
        out += 8;
    }
    while (out[-1] == '0')
        out--;
    return out;
}

/* The digits before the point are those of the whole part of `size`, and need not be taken from the
 * shortest decimal that reads back as it. The two could differ only if a whole number lay between
 * them; but that would be a double itself, and nearer to the decimal. */
char *
write_plain(char *out, double size)
{
    const auto whole = static_cast<uint32_t>(size);
    char *end = std::to_chars(out, out + whole_digits_max, whole).ptr;
    if (size == whole)
        return end;
    const decimal number = shortest(size);
    *end++ = '.';
    const uint128 before = whole * power_of_ten.at[number.places];
    return write_fraction(end, number.digits - static_cast<uint64_t>(before), number.places);
}

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
    char *end = out;
    if (!plain) {
        end =
            std::to_chars(out, out + GO_DOUBLE_BYTES_MAX, value, std::chars_format::scientific).ptr;
    } else {
        if (std::signbit(value))
            *end++ = '-';
        end = write_plain(end, size);
    }
    return static_cast<size_t>(end - out);
}
