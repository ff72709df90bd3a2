// Real numbers to about 100 bits, with exponents that nothing over- or underflows: what is known of
// an exact number before it is decided what it rounds to.
//
// Not for users; see double_double.hpp.
#pragma once

#include <cmath>

#include "bn/exact/double_double.hpp"
#include "bn/exact/dyadic.hpp"

namespace bn {

/// significand * 2^exponent, where 1 <= |significand.hi| < 2, or all of it is 0.
struct Wide {
  DoubleDouble significand;
  int exponent = 0;

  [[nodiscard]] bool is_zero() const { return significand.hi == 0; }
};

/// A significand brought between 1 and 2.
inline Wide normalised(DoubleDouble significand, int exponent) {
  if (significand.hi == 0) return {};
  const int shift = std::ilogb(significand.hi);
  return {{std::ldexp(significand.hi, -shift), std::ldexp(significand.lo, -shift)},
          exponent + shift};
}

/// A double, exactly.
inline Wide wide(double finite) { return normalised({finite, 0}, 0); }

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
  const DoubleDouble aligned{std::ldexp(smaller.significand.hi, shift),
                             std::ldexp(smaller.significand.lo, shift)};
  return normalised(larger.significand + aligned, larger.exponent);
}

/// 1 / sqrt(v), v > 0.
inline Wide inverse_sqrt(const Wide& v) {
  const int odd = v.exponent & 1;
  const DoubleDouble scaled{std::ldexp(v.significand.hi, odd), std::ldexp(v.significand.lo, odd)};
  return normalised(inverse_sqrt(scaled), -(v.exponent - odd) / 2);
}

}  // namespace bn
