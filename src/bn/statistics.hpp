// Per-channel statistics: what normalises a batch, and what a running average keeps of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "bn/array.hpp"
#include "bn/channel_statistics.hpp"
#include "bn/dyadic.hpp"

namespace bn {

/// How to run. Nothing here can change a bit of any result.
struct Execution {
  unsigned threads = 0;  ///< 0: every core that the process may use
  /// Whether forward and backward compute the checksum of x. It takes about a third of the time of
  /// the sums.
  bool x_checksum = false;
  /// Called when a tile has been loaded, from any thread, also at the same time: bytes read so far
  /// (not always ascending) and in all; an array that is read twice counts twice.
  std::function<void(std::size_t done, std::size_t total)> progress;
};

/// The exact sums of every channel; all statistics come from these. Mergeable: the sums of two sets
/// of values add up to the sums of their union, whatever the order.
struct Sums {
  std::uint64_t count = 0;          ///< m, values a channel
  std::vector<Dyadic> sum;          ///< sum x, shape (C,)
  std::vector<Dyadic> sum_squares;  ///< sum x^2, shape (C,)

  /// Throws std::invalid_argument when the numbers of channels differ or the count overflows.
  Sums& operator+=(const Sums& other);
  friend bool operator==(const Sums&, const Sums&) = default;
};

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

enum class MomentumWeights : std::uint8_t {
  running,  ///< momentum multiplies the old running value (TensorFlow, CS231n)
  batch,    ///< momentum multiplies the new batch value (PyTorch)
};

enum class VarEstimator : std::uint8_t { biased, unbiased };

/// The convention of a running average.
struct Momentum {
  std::optional<double> value = 0.9;  ///< none: the cumulative average
  MomentumWeights weights = MomentumWeights::running;
  VarEstimator running_var_estimator = VarEstimator::biased;
};

/// The running statistics of a layer, each of shape (C,).
struct RunningStatistics {
  std::vector<double> running_mean;
  std::vector<double> running_var;
  std::uint64_t num_batches_tracked = 0;
};

/// One step of the running averages, in double arithmetic as NumPy computes it, in place:
///
///   running_mean = w * running_mean + (1 - w) * mean
///   running_var  = w * running_var  + (1 - w) * var_r
///
/// w = momentum (weights "running"), 1 - momentum ("batch") or 1 - 1/k without a momentum, k being
/// num_batches_tracked after this batch; var_r as the estimator says.
/// Throws std::invalid_argument when shapes differ; RangeError when var_r has no value (m = 1).
void update(RunningStatistics& running, const Statistics& batch, const Momentum& momentum);

}  // namespace bn
