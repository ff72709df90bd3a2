#include "bn/running_statistics.hpp"

#include <cmath>

#include "bn/check.hpp"
#include "bn/error.hpp"

namespace bn {
namespace {

const std::vector<double>& var_r(const Statistics& batch, VarEstimator estimator) {
  return estimator == VarEstimator::unbiased ? batch.var_unbiased : batch.var;
}

}  // namespace

void check_update(const Statistics& batch, VarEstimator estimator) {
  const std::vector<double>& var = var_r(batch, estimator);
  for (std::size_t c = 0; c < var.size(); ++c) {
    if (!std::isfinite(var[c])) throw RangeError("var", c);
  }
}

void update(RunningStatistics& running, const Statistics& batch, const Momentum& momentum) {
  const std::size_t channels = batch.mean.size();
  check_size("running_mean", running.running_mean.size(), channels);
  check_size("running_var", running.running_var.size(), channels);
  check_update(batch, momentum.running_var_estimator);
  const std::vector<double>& var = var_r(batch, momentum.running_var_estimator);

  ++running.num_batches_tracked;
  double old_weight = 0;
  double new_weight = 0;
  if (!momentum.value) {
    old_weight = 1 - 1 / static_cast<double>(running.num_batches_tracked);
    new_weight = 1 - old_weight;
  } else if (momentum.weights == MomentumWeights::running) {
    old_weight = *momentum.value;
    new_weight = 1 - *momentum.value;
  } else {
    old_weight = 1 - *momentum.value;
    new_weight = *momentum.value;
  }
  for (std::size_t c = 0; c < channels; ++c) {
    running.running_mean[c] = old_weight * running.running_mean[c] + new_weight * batch.mean[c];
    running.running_var[c] = old_weight * running.running_var[c] + new_weight * var[c];
  }
}

}  // namespace bn
