#include "bn/exact/nearest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "bn/exact/int128.hpp"
#include "bn/exact/wide.hpp"

namespace bn {
namespace {

// Non-negative values of a format are numbered by their bits: 0, 1, 2, ... up to infinity, which
// stands where the next finite value would.
using Index = std::uint64_t;

Index infinity(const Format& format) {
  return static_cast<Index>(format.highest - format.digits - format.lowest + 2)
         << (format.digits - 1);
}

// The midpoint between value number k - 1 and value number k, k > 0.
Dyadic midpoint_below(Index k, const Format& format) {
  const Index hidden = Index{1} << (format.digits - 1);
  const Index below = k - 1;
  const Index binade = below / hidden;
  const Index significand = binade == 0 ? below : below % hidden + hidden;
  const int exponent = format.lowest + std::max(static_cast<int>(binade) - 1, 0);
  return {Integer(2 * significand + 1), exponent - 1};
}

int sign(const Dyadic& value) { return value.integer().sign(); }

// floor(log2 |value|), value != 0
int log2_floor(const Dyadic& value) {
  return static_cast<int>(boost::multiprecision::msb(abs(value.integer()))) + value.exponent();
}

// The sign of a - b, both > 0.
int compare(const Dyadic& a, const Dyadic& b) {
  Dyadic difference = a;
  difference -= b;
  return sign(difference);
}

// The sign of offset + numerator / sqrt(radicand) - q: that of numerator / sqrt(radicand) - t with
// t = q - offset, both of which are squared where their signs agree.
int compare(const ExactResult& result, const Dyadic& q) {
  Dyadic t = q;
  t -= Dyadic(result.offset);
  const int of_numerator = sign(result.numerator);
  const int of_t = sign(t);
  if (of_numerator != of_t) return of_numerator > of_t ? 1 : -1;
  if (of_t == 0) return 0;
  // Numbers of very different sizes need no products: |numerator|^2 lies in 2^a * [1, 4), and
  // t^2 * radicand in 2^b * [1, 8).
  const int a = 2 * log2_floor(result.numerator);
  const int b = 2 * log2_floor(t) + log2_floor(result.radicand);
  if (a >= b + 3) return of_t;
  if (b >= a + 2) return -of_t;
  return of_t * compare(result.numerator * result.numerator, t * t * result.radicand);
}

// The number of the value that is nearest to a positive result, found by comparing the result with
// midpoints: the greatest k such that it lies above the midpoint below value number k, or on it if
// k is even. The first ones that are tried are those at the guess.
Index search(const ExactResult& positive, const Format& format, Index guess) {
  const auto reaches = [&](Index k) {
    const int compared = compare(positive, midpoint_below(k, format));
    return compared > 0 || (compared == 0 && k % 2 == 0);
  };
  Index low = 0;                      // reached
  Index high = infinity(format) + 1;  // not reached
  guess = std::clamp<Index>(guess, 1, high - 1);
  const bool up = reaches(guess);
  (up ? low : high) = guess;
  Index step = 1;
  while (high - low > 1) {
    // Away from the guess in steps that double, and when it has been passed by halves.
    const bool passed = up ? high <= infinity(format) : low > 0;
    Index k = low + (high - low) / 2;
    if (!passed && step < high - low) {
      k = up ? low + step : high - step;
      step *= 2;
    }
    (reaches(k) ? low : high) = k;
  }
  return low;
}

// |approximate| in units of 2^(exponent - kPoint), and how far from the result that may be.
struct Interval {
  static constexpr int kPoint = 105;
  Uint128 magnitude = 0;
  Uint128 error = 0;
  int exponent = 0;
};

// The number of the value nearest to a magnitude, ties upwards.
Index round_half_up(Uint128 magnitude, int exponent, const Format& format) {
  // Below a power of two the values are closer than above it.
  if (magnitude < Uint128{1} << Interval::kPoint) {
    magnitude <<= 1;
    --exponent;
  }
  const int lowest_binade = format.lowest + format.digits - 1;
  const int binade = std::max(exponent, lowest_binade);
  const int dropped = binade - format.digits + 1 - (exponent - Interval::kPoint);
  if (dropped > 126) return 0;  // less than an eighth of the last bit
  const Uint128 half = Uint128{1} << (dropped - 1);
  const auto rounded = static_cast<Index>((magnitude + half) >> dropped);
  const auto binades = static_cast<Index>(std::min(binade, format.highest) - lowest_binade);
  return std::min((binades << (format.digits - 1)) + rounded, infinity(format));
}

Interval interval(const Wide& approximate, int largest_exponent) {
  const double sign = approximate.significand.hi < 0 ? -1 : 1;
  const auto hi = static_cast<std::uint64_t>(std::ldexp(sign * approximate.significand.hi, 52));
  const auto lo = static_cast<std::int64_t>(std::ldexp(sign * approximate.significand.lo, 105));
  // 2^-97 of the largest term, and the bits that lo may have below.
  const int error = Interval::kPoint - 97 + largest_exponent - approximate.exponent;
  return {(Uint128{hi} << 53) + static_cast<Uint128>(static_cast<Int128>(lo)),
          Uint128{1} << std::clamp(error, 1, 100), approximate.exponent};
}

// The larger exponent of two terms of which not both are 0.
int larger_exponent(const Wide& a, const Wide& b) {
  if (a.is_zero()) return b.exponent;
  return b.is_zero() ? a.exponent : std::max(a.exponent, b.exponent);
}

Nearest value(bool negative, Index index, const Format& format, bool by_comparison) {
  const Index sign = negative ? Index{1} << (format.bits - 1) : 0;
  return {sign | index, index == infinity(format), by_comparison};
}

// Whether every number within `error` of a rounds to a.hi.
bool rounds_surely(DoubleDouble a, double error) {
  return a.hi + (a.lo + error) == a.hi && a.hi + (a.lo - error) == a.hi;
}

}  // namespace

Nearest nearest(const ExactResult& result, const Format& format) {
  const Wide offset = wide(result.offset);
  const Wide term = result.numerator.integer().is_zero()
                        ? Wide{}
                        : wide(result.numerator) * inverse_sqrt(wide(result.radicand));
  if (term.is_zero() && offset.is_zero()) {
    return value(std::signbit(result.offset), 0, format, false);
  }

  const Wide sum = offset + term;
  Index guess = 0;
  if (!sum.is_zero()) {
    const Interval near = interval(sum, larger_exponent(offset, term));
    // An interval as short as this lies in one binade or ends in the next one before its first
    // midpoint.
    constexpr Uint128 kShort = Uint128{1} << 48;
    const Index low = round_half_up(near.magnitude - near.error, near.exponent, format);
    const Index high = round_half_up(near.magnitude + near.error, near.exponent, format);
    if (low == high && near.error <= kShort) {
      return value(sum.significand.hi < 0, low, format, false);
    }
    guess = round_half_up(near.magnitude, near.exponent, format);
  }

  const int sign_of_result = compare(result, Dyadic());
  if (sign_of_result == 0) return value(false, 0, format, true);
  if (sign_of_result > 0) return value(false, search(result, format, guess), format, true);
  const ExactResult positive{-result.offset, -result.numerator, result.radicand};
  return value(true, search(positive, format, guess), format, true);
}

double nearest_double(const ExactResult& result) {
  return std::bit_cast<double>(nearest(result, kBinary64).bits);
}

double quotient(const Dyadic& numerator, std::uint64_t a, std::uint64_t b) {
  // Most quotients need no root of a square: two divisions with errors of 2^-101, where nothing
  // under- or overflows.
  constexpr std::uint64_t kExactDouble = std::uint64_t{1} << 53;
  constexpr int kFar = 800;
  const Wide wide_numerator = wide(numerator);
  if (a <= kExactDouble && b <= kExactDouble && std::abs(wide_numerator.exponent) <= kFar) {
    const DoubleDouble result =
        wide_numerator.significand / static_cast<double>(a) / static_cast<double>(b);
    if (rounds_surely(result, 0x1p-99 * std::abs(result.hi))) {
      return std::ldexp(result.hi, wide_numerator.exponent);
    }
  }
  const Dyadic denominator(Integer(a) * b, 0);
  return nearest_double({0, numerator, denominator * denominator});
}

}  // namespace bn
