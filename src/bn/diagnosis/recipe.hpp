// How results are computed, step by step, so that any step can be got wrong.
#pragma once

#include <cstdint>

#include "bn/diagnosis/evidence.hpp"

namespace bn {

/// What x - mean is divided by.
enum class Deviation : std::uint8_t {
  root_of_sum,     ///< sqrt(var + eps), as it is right
  root_plus_eps,   ///< sqrt(var) + eps
  root_of_larger,  ///< sqrt(max(var, eps))
  no_root,         ///< var + eps
};

/// One cell's way from statistics to results. Starts as the right one; mistakes change it.
///
///   inv_std = 1 / deviation,  x_hat = (x - mean) inv_std
///   y = gamma inv_std^power (x - mean) + beta
///   dgamma = factor inv_std^power sum dy (x - mean),  dbeta = factor sum dy
///   dx = factor gamma inv_std^power (dy - of_dbeta sum dy / m - of_dgamma x_hat sum(dy x_hat) / m)
///   running = (1 - weight)^updates old + (1 - (1 - weight)^updates) batch
struct Recipe {
  std::uint64_t count = 1;  ///< m
  double mean = 0;
  double var = 0;
  double eps = 0;
  Deviation deviation = Deviation::root_of_sum;
  int power = 1;
  double gamma = 1;
  double beta = 0;

  // Of the gradients:
  double sum_dy = 0;
  double sum_dy_x = 0;  ///< sum dy (x - cell_mean)
  double cell_mean = 0;
  double of_dbeta = 1;
  double of_dgamma = 1;
  double factor = 1;
  bool swapped = false;  ///< dgamma and dbeta

  // Of the running statistics:
  double old_mean = 0;
  double old_var = 0;
  double batch_mean = 0;
  double batch_var = 0;  ///< by the estimator
  double weight = 0;     ///< of the batch
  int updates = 1;

  [[nodiscard]] double inv_std() const;
  /// sum dy (x - mean).
  [[nodiscard]] double covariance() const;
};

/// The right recipe for a cell; in test mode the running statistics normalise.
[[nodiscard]] Recipe right_recipe(const LayerBefore& layer, const Cell& cell);

/// A result, and the size of the largest term that it was added up from, as verify() has it.
struct Predicted {
  double value = 0;
  double size = 0;
};

/// y and dx of many elements of one cell.
class Elementwise {
 public:
  /// quantity: y or dx.
  Elementwise(const Recipe& recipe, Quantity quantity, const MeanSizes& sizes);

  [[nodiscard]] Predicted of(double x, double dy) const;

 private:
  Quantity quantity_;
  double mean_;
  double mean_size_;
  double slope_ = 0;  ///< of x - mean
  double offset_ = 0;
  double largest_ = 0;
  // Of dx:
  double inv_std_ = 0;
  double dgamma_ = 0;  ///< of_dgamma dgamma / m
  double dgamma_size_ = 0;
  double of_dy_ = 0;
};

/// A result per channel: running_mean, running_var, dgamma or dbeta.
[[nodiscard]] Predicted of_channel(const Recipe& recipe, Quantity quantity, const MeanSizes& sizes);

/// claimed - predicted in ulp at the size; infinite where one of them is not finite and the other
/// not the same.
[[nodiscard]] double error_in_ulp(double claimed, double predicted, double ulp, Dtype dtype);

}  // namespace bn
