// Per-channel statistics from exact sums: mean and variance.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/exact/sums.hpp"
#include "bn/passes/execution.hpp"

namespace bn {

/// One channel's statistics.
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

/// mean = (1/m) sum x, var = (1/m) sum (x - mean)^2 and its unbiased form sum (x - mean)^2 / (m -
/// 1), each of shape (C,), each the exact value of the input bits rounded once to the nearest
/// double (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1).
struct Statistics {
  Statistics() = default;
  explicit Statistics(std::size_t channels);

  std::vector<double> mean;
  std::vector<double> mean_lo;       ///< mean + mean_lo is the mean to about 100 bits
  std::vector<double> var;           ///< biased: this one normalises
  std::vector<double> var_unbiased;  ///< NaN where m = 1

  void set(std::size_t channel, const ChannelStatistics& of_channel);
  /// Throws RangeError for the first channel whose variance is beyond the range of double.
  void check_range() const;
};

/// Exact sums of every channel of x. Throws NonFiniteError.
[[nodiscard]] Sums sums(const View& view, Source& x, const Execution& execution = {});

/// The statistics of exact sums. Throws RangeError where a variance exceeds the range of double;
/// std::invalid_argument for count = 0.
[[nodiscard]] Statistics statistics(const Sums& sums);

}  // namespace bn
