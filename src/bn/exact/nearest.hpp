// Correct rounding: what offset + numerator / sqrt(radicand), a real number given exactly, is in a
// floating-point format. Every result of the formulas is such a number.
#pragma once

#include <cstdint>

#include "bn/exact/dyadic.hpp"

namespace bn {

/// A binary floating-point format of IEEE 754: integers of up to `digits` bits times powers of two
/// from 2^lowest on, of a magnitude below 2^highest; infinities; signed zeros.
struct Format {
  int digits;   ///< of a significand, the hidden bit included
  int lowest;   ///< exponent of the last bit of subnormal values
  int highest;  ///< every finite magnitude is less than 2^highest
  int bits;     ///< of a stored value: its sign is the first of them
};
inline constexpr Format kBinary16{11, -24, 16, 16};
inline constexpr Format kBinary32{24, -149, 128, 32};
inline constexpr Format kBinary64{53, -1074, 1024, 64};

/// offset + numerator / sqrt(radicand), radicand > 0.
struct ExactResult {
  double offset = 0;
  Dyadic numerator;
  Dyadic radicand;
};

/// A value of a format.
struct Nearest {
  std::uint64_t bits = 0;
  bool infinite = false;
  bool by_comparison = false;  ///< an approximation to about 100 bits was not enough to tell
};

/// The value of the format that is nearest to the result, of two the even one: infinite from the
/// midpoint beyond the largest finite value on. Where the numerator is 0, the offset keeps its sign
/// even if it is 0; any other result of 0 is +0, and one that only rounds to 0 keeps its sign.
[[nodiscard]] Nearest nearest(const ExactResult& result, const Format& format);

/// The same for doubles.
[[nodiscard]] double nearest_double(const ExactResult& result);

/// numerator / (a * b) as the nearest double. a, b > 0.
[[nodiscard]] double quotient(const Dyadic& numerator, std::uint64_t a, std::uint64_t b = 1);

}  // namespace bn
