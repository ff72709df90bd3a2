// What is taken off the elements of a channel: the mean, after a rescaling where double arithmetic
// would lose digits.
#pragma once

#include <cstdint>
#include <limits>

#include "bn/arrays/elements.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/statistics.hpp"

namespace bn {

/// A channel's rescaling, and the mean of its rescaled elements.
struct Centring {
  Rescaling rescaling;
  DoubleDouble mean;
};

/// The multiplier, or the least normal double where it underflowed to 0.
inline double not_zero(double multiplier) {
  return multiplier == 0 ? std::numeric_limits<double>::min() : multiplier;
}

/// The centring of a batch of x's dtype with these sums and statistics; `multiplier` is what the
/// elements less their mean will be multiplied by, not 0 merely because it underflows.
[[nodiscard]] Centring batch_centring(Dtype x, const Dyadic& sum, std::uint64_t count,
                                      const ChannelStatistics& statistics, double multiplier);

/// The centring for a running mean, which is taken as exact.
[[nodiscard]] Centring running_centring(Dtype x, double running_mean);

}  // namespace bn
