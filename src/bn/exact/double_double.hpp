// Arithmetic on pairs of doubles: for the few values that have to be better known than a double can
// say. T. J. Dekker, "A floating-point technique for extending the available precision" (1971).
//
// Not for users: the same inline functions compiled with their flags could round differently.
#pragma once

#include <cmath>

namespace bn {

/// hi + lo, where hi is the value rounded to the nearest double.
struct DoubleDouble {
  double hi = 0;
  double lo = 0;
};

/// a + b, exactly.
inline DoubleDouble two_sum(double a, double b) {
  const double s = a + b;
  const double b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

/// a * b, exactly unless it underflows.
inline DoubleDouble two_prod(double a, double b) {
  const double p = a * b;
  return {p, std::fma(a, b, -p)};
}

/// hi + lo, the lesser one second.
inline DoubleDouble fast_two_sum(double hi, double lo) {
  const double s = hi + lo;
  return {s, lo - (s - hi)};
}

// The operations below have an error of less than 2^-101 of their result or, for sums and
// differences, of their larger operand, as long as nothing under- or overflows.

inline DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble s = two_sum(a.hi, b.hi);
  return two_sum(s.hi, s.lo + (a.lo + b.lo));
}

inline DoubleDouble operator/(DoubleDouble a, double b) {
  const double q = a.hi / b;
  return fast_two_sum(q, (std::fma(-q, b, a.hi) + a.lo) / b);
}

inline DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
  const DoubleDouble p = two_prod(a.hi, b.hi);
  return fast_two_sum(p.hi, p.lo + (a.hi * b.lo + a.lo * b.hi));
}

/// 1 / sqrt(v), v in [1, 4).
inline DoubleDouble inverse_sqrt(DoubleDouble v) {
  // One Newton step, r + r * (1 - v * r^2) / 2, doubles the digits of r.
  const double r = 1 / std::sqrt(v.hi);
  const DoubleDouble v_r2 = v * two_prod(r, r);
  const double residual = (1 - v_r2.hi) - v_r2.lo;
  return fast_two_sum(r, r * residual / 2);
}

}  // namespace bn
