#include "bn/tolerance.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "bn/arrays/elements.hpp"

namespace bn {

std::string_view name(Quantity quantity) {
  constexpr std::array<std::string_view, 7> kNames{
      "y", "running_mean", "running_var", "num_batches_tracked", "dx", "dgamma", "dbeta"};
  return kNames[static_cast<std::size_t>(quantity)];
}

// With s the error of a sum, ulp at its size:
//
//   the mean is off by s + 1 ulp at A, which moves x - mean for every element;
//   the variance by s ulp for its own sum, and by the square of the mean's error; its root halves
//   that, and it matters as far as x - mean is as large as x and A are;
//   a running average by 1/2 ulp of 1 - w where that is computed, which a small weight magnifies.
//
// What is left is the arithmetic of one element, as measured (see kCarefulTolerance).
double default_tolerance(Quantity quantity, const Circumstances& of) {
  if (quantity == Quantity::num_batches_tracked) return 0;
  constexpr double kHalvesPerFloat = 8192;
  const double unit = unit_of(of.dtype);
  const double sum =
      static_cast<double>(of.count) / 2 / (of.dtype == Dtype::float16 ? kHalvesPerFloat : 1);
  const bool train = of.mode == Mode::train;
  const double mean = sum + 1;
  const double size = of.mean_size;
  const double squared = of.var + of.eps;
  const double of_var = sum + 4 * unit * mean * mean * (size / squared) * size;
  const double of_inv_std = size == 0 ? 0 : std::min(0.5, 2 * std::sqrt(squared) / size);
  const double of_weight = of.batch_weight > 0 ? 0.5 / of.batch_weight : 0;
  const double through_var = of_inv_std * std::min(of_var, 1 / unit);
  switch (quantity) {
    case Quantity::y:
      return train ? 8 + mean + through_var : 10;
    case Quantity::running_mean:
      return train ? 2 + mean + of_weight : 1;
    case Quantity::running_var: {
      if (!train) return 1;
      const double deviation = std::sqrt(of.var) + unit * size;
      const double ratio = size == 0 ? 0 : std::min(size / deviation, 1 / unit);
      const double of_size = size == 0 ? 0 : size / (deviation + size) * ratio;
      return 4 + of_weight + sum + 4 * unit * mean * mean * of_size;
    }
    case Quantity::dx:
      return train ? 8 + 4 * sum + 2 * std::min(of_var, 1 / unit) : 8;
    case Quantity::dgamma:
      return 5 + 3 * sum + (train ? through_var : 0);
    case Quantity::dbeta:
      return 2 + sum;
    case Quantity::num_batches_tracked:
      break;
  }
  return 0;
}

double unit_of(Dtype dtype) { return std::ldexp(1.0, -format_of(dtype).digits); }

}  // namespace bn
