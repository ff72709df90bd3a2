// Pairs of elements, counted as far as that can be done without looking at each by itself.
#pragma once

#include "bn/kernels/rounding.hpp"
#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// The number of the value of Coarse that is nearest, counted from 0 on, without its sign.
template <class Coarse>
BN_INLINE Words number_among(Doubles v) {
  if constexpr (sizeof(Coarse) == sizeof(double)) {
    return bits_of_doubles(absolute(v));
  } else if constexpr (sizeof(Coarse) == sizeof(float)) {
    using Bits = typename result_vector<float>::bits;
    return __builtin_convertvector((Bits)to_floats(absolute(v)), Words);
  } else {
    return __builtin_convertvector(to_halves(to_odd_floats(absolute(v))), Words);
  }
}

// Everything that is computed here is less than 2^-50 of itself beside the truth, or something was
// too small, so what lies within kAlmost of a limit is left to a closer look.
template <class Coarse>
class DifferenceScanner {
 public:
  explicit DifferenceScanner(const DifferenceLimits& limits) : k_(limits) {}

  BN_INLINE void take(Doubles x, Doubles y) {
    constexpr double kAlmost = 1 - 0x1p-48;
    constexpr double kTiny = 0x1p-900;
    const Doubles difference = x - y;
    const Doubles size = absolute(difference);
    const Doubles reference = absolute(y);
    const Words unequal = (Words)(x != y);
    const Words other_sign = (Words)((Integers)(bits_of_doubles(x) ^ bits_of_doubles(y)) < 0);
    different_ -= unequal;

    Words closer = ~(Words)(absolute(x) + reference < __builtin_inf());
    closer |= ~unequal & other_sign;  // zeros
    Words suspect = (Words)(size < kTiny) | (Words)(size > k_.absolute);
    suspect |= (Words)(reference < kTiny) & (Words)(reference > 0.0);
    // What the difference has lost to its rounding.
    const Doubles y_part = x - difference;
    const Words inexact = (Words)((x - (difference + y_part)) + (y_part - y) != 0.0);
    const Words near = (Words)(size > reference * (k_.relative * kAlmost));
    if (any(near & unequal)) {
      const Words larger = (Words)(size / reference > k_.relative);
      suspect |= near & (larger | inexact) & (Words)(reference > 0.0);
    }

    const Doubles by_rtol = reference * k_.rtol;
    if (k_.rtol == 0) {
      // As large as the largest, and perhaps only by its rounding.
      suspect |= (Words)(size >= k_.absolute) & inexact;
    } else {
      suspect |= (Words)(size - by_rtol * kAlmost > k_.excess * kAlmost);
    }

    const Words x_number = number_among<Coarse>(x);
    const Words y_number = number_among<Coarse>(y);
    const Words apart = x_number > y_number ? x_number - y_number : y_number - x_number;
    const Words steps = (other_sign & (x_number + y_number)) | (~other_sign & apart);
    suspect |= (Words)(steps > k_.ulp);

    const Words by_ulp = (Words{} - uint64_t{k_.by_ulp}) & (Words)(steps <= k_.ulp_tolerance);
    const Doubles allowed = by_rtol + k_.atol;
    const Words surely_beyond = (Words)(size * kAlmost > allowed);
    const Words perhaps_beyond = (Words)(size >= allowed * kAlmost);
    suspect |= perhaps_beyond & ~surely_beyond & ~by_ulp;
    beyond_ -= unequal & surely_beyond & ~by_ulp;
    closer_ |= closer | (unequal & suspect);
  }

  [[nodiscard]] DifferenceScan result() const {
    DifferenceScan result{};
    result.closer = any(closer_);
    for (size_t l = 0; l < kLanes; ++l) {
      result.different += different_[l];
      result.beyond += beyond_[l];
    }
    return result;
  }

 private:
  const DifferenceLimits k_;
  Words different_ = {};
  Words beyond_ = {};
  Words closer_ = {};
};

template <class In, class Coarse>
DifferenceScan scan_differences(const In* a, const In* b, size_t n,
                                const DifferenceLimits& limits) {
  DifferenceScanner<Coarse> scanner(limits);
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) scanner.take(load(a + i), load(b + i));
  if (i < n) {
    In rest[2][kLanes] = {};  // zeros are equal
    for (size_t l = 0; i + l < n; ++l) {
      rest[0][l] = a[i + l];
      rest[1][l] = b[i + l];
    }
    scanner.take(load(rest[0]), load(rest[1]));
  }
  return scanner.result();
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
