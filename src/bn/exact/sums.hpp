// Exact sums of a batch: what all of its statistics come from.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/exact/dyadic.hpp"

namespace bn {

/// The exact sums of every channel; all statistics come from these. Mergeable: the sums of two sets
/// of values add up to the sums of their union, whatever the order.
struct Sums {
  std::uint64_t count = 0;          ///< m, values per channel
  std::vector<Dyadic> sum;          ///< sum x, shape (C,)
  std::vector<Dyadic> sum_squares;  ///< sum x^2, shape (C,)

  /// Throws std::invalid_argument when the numbers of channels differ or the count overflows.
  Sums& operator+=(const Sums& other);
  friend bool operator==(const Sums&, const Sums&) = default;
};

}  // namespace bn
