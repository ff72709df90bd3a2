// One channel's statistics from its exact sums.
#pragma once

#include <cstdint>

#include "bn/exact/dyadic.hpp"

namespace bn {

struct ChannelStatistics {
  DoubleDouble mean;
  DoubleDouble var;         ///< biased
  double var_unbiased = 0;  ///< NaN where m = 1
  bool constant = false;    ///< all values are the same
};

/// mean = S/m, var = (m Q - S^2)/m^2, var_unbiased = (m Q - S^2)/(m (m - 1)) for S = sum x and
/// Q = sum x^2: exact integers, each rounded once. count = m > 0.
[[nodiscard]] ChannelStatistics channel_statistics(const Dyadic& sum, const Dyadic& sum_squares,
                                                   std::uint64_t count);

}  // namespace bn
