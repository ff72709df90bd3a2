// Where the elements of a channel are seen from when its mean is taken off them.
#pragma once

#include <cstdint>
#include <limits>

#include "bn/arrays/elements.hpp"
#include "bn/channel_statistics.hpp"
#include "bn/exact/dyadic.hpp"

namespace bn {

/// Where a channel's elements are seen from, and their mean seen from there.
struct Centre {
  Origin origin;
  DoubleDouble mean;
};

/// A multiplier that may have underflowed.
inline double not_zero(double multiplier) {
  return multiplier == 0 ? std::numeric_limits<double>::min() : multiplier;
}

/// The centre of a batch of x's dtype with these sums and statistics; `multiplier` is what the
/// elements less their mean will be multiplied by, not 0 merely because it underflows.
[[nodiscard]] Centre batch_centre(Dtype x, const Dyadic& sum, std::uint64_t count,
                                  const ChannelStatistics& statistics, double multiplier);

/// The centre for a running mean, which is taken as exact.
[[nodiscard]] Centre running_centre(Dtype x, double running_mean);

}  // namespace bn
