// The running statistics of a layer, and the rule by which a batch changes them.
#pragma once

#include <cstdint>
#include <vector>

#include "bn/conventions.hpp"
#include "bn/statistics.hpp"

namespace bn {

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
/// Throws std::invalid_argument when shapes differ; RangeError as check_update().
void update(RunningStatistics& running, const Statistics& batch, const Momentum& momentum);

/// The weights of the old running statistics and of the batch: w and 1 - w, where `k` is
/// num_batches_tracked after the batch.
struct RunningWeights {
  double old = 0;
  double batch = 0;
};
[[nodiscard]] RunningWeights running_weights(const Momentum& momentum, std::uint64_t k);

/// var_r.
[[nodiscard]] const std::vector<double>& batch_variance(const Statistics& batch,
                                                        VarEstimator estimator);

/// Throws RangeError where var_r has no value (m = 1) or is beyond the range of double.
void check_update(const Statistics& batch, VarEstimator estimator);

}  // namespace bn
