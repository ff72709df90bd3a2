#include "bn/diagnosis/recipe.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bn/arrays/elements.hpp"

namespace bn {
namespace {

double weight_of_batch(const LayerBefore& layer) {
  if (layer.mode == Mode::test) return 0;
  const Momentum& momentum = layer.momentum;
  if (!momentum.value) return 1 / static_cast<double>(layer.running.num_batches_tracked + 1);
  return momentum.weights == MomentumWeights::running ? 1 - *momentum.value : *momentum.value;
}

double to_the(double base, int power) { return power == 0 ? 1 : power == 1 ? base : base * base; }

}  // namespace

double Recipe::inv_std() const {
  switch (deviation) {
    case Deviation::root_of_sum:
      return 1 / std::sqrt(var + eps);
    case Deviation::root_plus_eps:
      return 1 / (std::sqrt(var) + eps);
    case Deviation::root_of_larger:
      return 1 / std::sqrt(std::max(var, eps));
    case Deviation::no_root:
      return 1 / (var + eps);
  }
  return 0;
}

double Recipe::covariance() const { return sum_dy_x + (cell_mean - mean) * sum_dy; }

Recipe right_recipe(const LayerBefore& layer, const Cell& cell) {
  const RunningStatistics& running = layer.running;
  const bool train = layer.mode == Mode::train;
  Recipe recipe;
  recipe.count = cell.count;
  recipe.old_mean = running.running_mean[cell.running_of];
  recipe.old_var = running.running_var[cell.running_of];
  recipe.mean = train ? cell.mean : recipe.old_mean;
  recipe.var = train ? cell.var : recipe.old_var;
  recipe.eps = layer.eps;
  recipe.gamma = layer.gamma[cell.gamma_of];
  recipe.beta = layer.beta[cell.beta_of];
  recipe.sum_dy = cell.sum_dy;
  recipe.sum_dy_x = cell.sum_dy_x;
  recipe.cell_mean = cell.mean;
  recipe.of_dbeta = train ? 1 : 0;
  recipe.of_dgamma = recipe.of_dbeta;
  recipe.batch_mean = cell.mean;
  recipe.batch_var =
      layer.momentum.running_var_estimator == VarEstimator::biased ? cell.var : cell.var_unbiased;
  recipe.weight = weight_of_batch(layer);
  return recipe;
}

Elementwise::Elementwise(const Recipe& recipe, Quantity quantity, const MeanSizes& sizes)
    : quantity_(quantity),
      mean_(recipe.mean),
      mean_size_(std::max(sizes.x, std::abs(recipe.mean))),
      inv_std_(recipe.inv_std()) {
  const double scale = recipe.factor * recipe.gamma * to_the(inv_std_, recipe.power);
  if (quantity == Quantity::y) {
    slope_ = scale;
    offset_ = recipe.beta;
    largest_ = std::max(std::abs(scale) * mean_size_, std::abs(offset_));
    return;
  }
  const auto count = static_cast<double>(recipe.count);
  of_dy_ = scale;
  offset_ = -recipe.of_dbeta * recipe.sum_dy / count * scale;
  dgamma_ = recipe.of_dgamma * inv_std_ * recipe.covariance() / count;
  dgamma_size_ = std::abs(recipe.of_dgamma * inv_std_) * (sizes.dy_x + mean_size_ * sizes.dy);
  largest_ = std::abs(recipe.of_dbeta * sizes.dy * scale);
}

Predicted Elementwise::of(double x, double dy) const {
  const double centred = x - mean_;
  if (quantity_ == Quantity::y) {
    return {slope_ * centred + offset_, std::max(largest_, std::abs(slope_ * x))};
  }
  const double x_hat = centred * inv_std_;
  const double third = std::abs(x_hat) * dgamma_size_ +
                       std::abs(dgamma_ * inv_std_) * std::max(std::abs(x), mean_size_);
  return {of_dy_ * (dy - x_hat * dgamma_) + offset_,
          std::max(largest_, std::abs(of_dy_) * std::max(std::abs(dy), third))};
}

Predicted of_channel(const Recipe& recipe, Quantity quantity, const MeanSizes& sizes) {
  const double keep = to_the(1 - recipe.weight, recipe.updates);
  const auto average = [&](double old, double batch, double size) -> Predicted {
    // A weight of 0 keeps the old value, whatever the batch.
    if (keep == 1) return {old, std::abs(old)};
    return {keep * old + (1 - keep) * batch, std::abs(keep * old) + std::abs(1 - keep) * size};
  };
  const double x_size = std::max(sizes.x, std::abs(recipe.batch_mean));
  const auto count = static_cast<double>(recipe.count);
  switch (quantity) {
    case Quantity::running_mean:
      return average(recipe.old_mean, recipe.batch_mean, x_size);
    case Quantity::running_var: {
      const double deviation = std::sqrt(std::abs(recipe.batch_var));
      return average(recipe.old_var, recipe.batch_var, deviation * (deviation + x_size));
    }
    case Quantity::dgamma:
    case Quantity::dbeta: {
      const bool dgamma = (quantity == Quantity::dgamma) != recipe.swapped;
      const double scale = recipe.factor * (dgamma ? to_the(recipe.inv_std(), recipe.power) : 1);
      const double mean_size = std::max(sizes.x, std::abs(recipe.mean));
      const double size = count * (dgamma ? sizes.dy_x + mean_size * sizes.dy : sizes.dy);
      return {scale * (dgamma ? recipe.covariance() : recipe.sum_dy), std::abs(scale) * size};
    }
    default:
      return {};
  }
}

double error_in_ulp(double claimed, double predicted, double ulp, Dtype dtype) {
  const double beyond = std::ldexp(1.0, format_of(dtype).highest - 1);  // doubled: out of range
  const auto infinite = [&](double value) { return std::abs(value) / 2 >= beyond; };
  if (std::isnan(claimed) && std::isnan(predicted)) return 0;
  if (std::isinf(claimed) &&
      infinite(predicted * (1 + std::ldexp(1.0, -format_of(dtype).digits)))) {
    return std::signbit(claimed) == std::signbit(predicted)
               ? 0
               : std::numeric_limits<double>::infinity();
  }
  const double error = (claimed - predicted) / ulp;
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

}  // namespace bn
