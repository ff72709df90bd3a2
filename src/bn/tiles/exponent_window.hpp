// Whether the values of a chunk lie within the window in which the kernels' sums are exact.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "bn/exact/accumulator.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {

/// The bits of infinity: magnitudes with at least these are not finite.
template <class Real>
constexpr auto kInfinityBits =
    std::bit_cast<typename kernels::bits_of<Real>::type>(std::numeric_limits<Real>::infinity());

/// Bits of headroom above the largest exponent seen when the next one is predicted: after a look at
/// a few values, and at a whole chunk.
inline constexpr int kHeadroomOfSample = 2;
inline constexpr int kHeadroomOfChunk = 1;

/// The exponents of the values of a chunk. The kernels are told the highest one before they have
/// seen a value, and say afterwards which there were; see kernels::Grid.
template <class Real>
struct ExponentRange {
  static constexpr int kMantissa = std::numeric_limits<Real>::digits - 1;
  static constexpr int kBias = std::numeric_limits<Real>::max_exponent - 1;
  static constexpr int kWindow = kernels::Grid<Real>::window;

  explicit ExponentRange(kernels::Extremes<Real> extremes)
      : zero(extremes.largest == 0),
        finite(extremes.largest < kInfinityBits<Real>),
        highest(static_cast<int>(extremes.largest >> kMantissa) - kBias),
        // Subnormal values lie on the grid of the smallest normal exponent.
        lowest(std::max(static_cast<int>((extremes.smallest_minus_one + 1) >> kMantissa), 1) -
               kBias) {}

  /// Whether sums with this predicted exponent are exact.
  [[nodiscard]] bool fit(int predicted) const {
    return zero || (highest <= predicted && predicted - lowest <= kWindow);
  }
  /// A prediction for these values and their like, a little higher where the window allows it.
  [[nodiscard]] int predict(int headroom) const {
    return zero ? highest : std::min(highest + headroom, std::max(highest, lowest + kWindow));
  }

  /// Every magnitude is less than 2 to the power of this.
  [[nodiscard]] int below() const { return zero ? Sizes::kNone : highest + 1; }

  /// Whether sums with this predicted exponent lose something of a finite value.
  [[nodiscard]] static bool below_window(Real value, int predicted) {
    const auto bits = std::bit_cast<typename kernels::bits_of<Real>::type>(std::abs(value));
    return bits != 0 && predicted - ExponentRange({bits, bits - 1}).lowest > kWindow;
  }

  bool zero;
  bool finite;
  int highest;  ///< every magnitude is less than 2^(highest + 1)
  int lowest;
};

template <class Real>
[[nodiscard]] const kernels::SumKernels<Real>& sum_kernels() {
  if constexpr (sizeof(Real) == sizeof(float)) {
    return kernels::table().float_sums;
  } else {
    return kernels::table().double_sums;
  }
}

}  // namespace bn
