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
  double mean = 0;
  double var = 0;           ///< biased
  double var_unbiased = 0;  ///< NaN where m = 1
};

/// m Q - S^2 = m sum (x - mean)^2 for S = sum x and Q = sum x^2.
[[nodiscard]] Dyadic deviation(const Dyadic& sum, const Dyadic& sum_squares, std::uint64_t count);

/// mean = S/m, var = deviation/m^2, var_unbiased = deviation/(m (m - 1)), each rounded once:
/// infinite beyond the range of double. count = m > 0.
[[nodiscard]] ChannelStatistics channel_statistics(const Dyadic& sum, const Dyadic& deviation,
                                                   std::uint64_t count);

/// mean = (1/m) sum x, var = (1/m) sum (x - mean)^2 and its unbiased form sum (x - mean)^2 / (m -
/// 1), each of shape (C,), each the exact value of the input bits rounded once to the nearest
/// double (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1), infinite beyond the range of
/// double.
struct Statistics {
  Statistics() = default;
  explicit Statistics(std::size_t channels);

  std::vector<double> mean;
  std::vector<double> var;           ///< biased: this one normalises
  std::vector<double> var_unbiased;  ///< NaN where m = 1

  void set(std::size_t channel, const ChannelStatistics& of_channel);
  /// Throws RangeError for the first channel whose mean or biased variance is infinite.
  void check_range() const;
};

/// Exact sums of every channel of x. Throws NonFiniteError.
[[nodiscard]] Sums sums(const View& view, Source& x, const Execution& execution = {});

/// The statistics of exact sums. Throws RangeError where a mean or biased variance exceeds the
/// range of double; std::invalid_argument for count = 0.
[[nodiscard]] Statistics statistics(const Sums& sums);

}  // namespace bn
