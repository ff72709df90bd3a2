// Real numbers to about 100 bits, with exponents that nothing over- or underflows: what is known of
// an exact number before it is decided what it rounds to.
//
// Not for users; see double_double.hpp.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "bn/exact/double_double.hpp"
#include "bn/exact/dyadic.hpp"

namespace bn {

/// significand * 2^exponent, where 1 <= |significand.hi| < 2, or all of it is 0.
struct Wide {
  DoubleDouble significand;
  int exponent = 0;

  [[nodiscard]] bool is_zero() const { return significand.hi == 0; }
};

/// Exactly 2^exponent, from -1022 to 1023. (A call of std::ldexp takes as long as all the
/// arithmetic.)
inline double power_of_two(int exponent) {
  return std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

/// A significand of a size between 2^-1000 and 2^1000 brought between 1 and 2.
inline Wide normalised(DoubleDouble significand, int exponent) {
  if (significand.hi == 0) return {};
  const auto field = static_cast<int>(std::bit_cast<std::uint64_t>(significand.hi) >> 52 & 0x7ff);
  const int shift = field - 1023;
  const double factor = power_of_two(-shift);
  return {{significand.hi * factor, significand.lo * factor}, exponent + shift};
}

/// A double, exactly.
inline Wide wide(double finite) {
  const double size = std::abs(finite);
  if (size < 0x1p-900) return normalised({finite * 0x1p200, 0}, -200);
  if (size > 0x1p900) return normalised({finite * 0x1p-200, 0}, 200);
  return normalised({finite, 0}, 0);
}

/// A dyadic number, with an error of less than 2^-104 of it.
[[nodiscard]] Wide wide(const Dyadic& value);

// The operations below have an error of less than 2^-100 of their result or, for sums, of their
// larger operand.

inline Wide operator*(const Wide& a, const Wide& b) {
  return normalised(a.significand * b.significand, a.exponent + b.exponent);
}

inline Wide operator+(const Wide& a, const Wide& b) {
  if (a.is_zero()) return b;
  if (b.is_zero()) return a;
  const bool a_first = a.exponent >= b.exponent;
  const Wide& larger = a_first ? a : b;
  const Wide& smaller = a_first ? b : a;
  constexpr int kVanishing = 120;
  const int shift = smaller.exponent - larger.exponent;
  if (shift < -kVanishing) return larger;
  const double factor = power_of_two(shift);
  const DoubleDouble aligned{smaller.significand.hi * factor, smaller.significand.lo * factor};
  return normalised(larger.significand + aligned, larger.exponent);
}

/// 1 / sqrt(v), v > 0.
inline Wide inverse_sqrt(const Wide& v) {
  const int odd = v.exponent & 1;
  const double factor = 1 + odd;
  const DoubleDouble scaled{v.significand.hi * factor, v.significand.lo * factor};
  return normalised(inverse_sqrt(scaled), -(v.exponent - odd) / 2);
}

}  // namespace bn
