#include "bn/running_statistics.hpp"

#include <cmath>

#include "bn/check.hpp"
#include "bn/error.hpp"

namespace bn {

const std::vector<double>& batch_variance(const Statistics& batch, VarEstimator estimator) {
  return estimator == VarEstimator::unbiased ? batch.var_unbiased : batch.var;
}

RunningWeights running_weights(const Momentum& momentum, std::uint64_t k) {
  if (!momentum.value) {
    const double old = 1 - 1 / static_cast<double>(k);
    return {old, 1 - old};
  }
  const double value = *momentum.value;
  if (momentum.weights == MomentumWeights::running) return {value, 1 - value};
  return {1 - value, value};
}

void check_update(const Statistics& batch, VarEstimator estimator) {
  const std::vector<double>& var = batch_variance(batch, estimator);
  for (std::size_t c = 0; c < var.size(); ++c) {
    if (!std::isfinite(var[c])) throw RangeError("var", c);
  }
}

void update(RunningStatistics& running, const Statistics& batch, const Momentum& momentum) {
  const std::size_t channels = batch.mean.size();
  check_size("running_mean", running.running_mean.size(), channels);
  check_size("running_var", running.running_var.size(), channels);
  check_update(batch, momentum.running_var_estimator);
  const std::vector<double>& var = batch_variance(batch, momentum.running_var_estimator);

  ++running.num_batches_tracked;
  const auto [old_weight, new_weight] = running_weights(momentum, running.num_batches_tracked);
  for (std::size_t c = 0; c < channels; ++c) {
    running.running_mean[c] = old_weight * running.running_mean[c] + new_weight * batch.mean[c];
    running.running_var[c] = old_weight * running.running_var[c] + new_weight * var[c];
  }
}

}  // namespace bn
