// The formulas of batch normalisation for one channel, exactly. With S = sum x, B = sum dy and
//
//   V = m^2 (var + eps),   W = m sum (x dy) - S B
//
// they hold nothing but dyadic numbers and one square root:
//
//   train    y  = beta + gamma (m x - S) / sqrt(V)
//            dx = gamma ((m dy - B) V - (m x - S) W) / sqrt(V^3)
//            dgamma = W / sqrt(V)
//   test     the same y and dgamma with m = 1, S = running_mean and V = running_var + eps
//            dx = gamma dy / sqrt(V)
//
// where x_hat = (m x - S) / sqrt(V) and inv_std / m = 1 / sqrt(V).
#pragma once

#include <cstdint>

#include "bn/exact/dyadic.hpp"
#include "bn/exact/exact_channel.hpp"

namespace bn {

/// What x_hat comes from.
struct Centre {
  std::uint64_t count = 1;  ///< m
  Dyadic sum;               ///< S
  Dyadic variance;          ///< V
};

/// Of a batch: `deviation` is m sum x^2 - S^2.
[[nodiscard]] Centre batch_centre(const Dyadic& sum, const Dyadic& deviation, std::uint64_t count,
                                  double eps);
[[nodiscard]] Centre running_centre(double running_mean, double running_var, double eps);

/// y of {x}.
[[nodiscard]] ExactChannel exact_y(const Centre& centre, double gamma, double beta);

/// dx of {x, dy} in train mode; covariance is W.
[[nodiscard]] ExactChannel exact_dx(const Centre& centre, const Dyadic& sum_dy,
                                    const Dyadic& covariance, double gamma);
/// dx of {dy} in test mode.
[[nodiscard]] ExactChannel exact_test_dx(const Centre& centre, double gamma);

/// W = m sum (x dy) - S B.
[[nodiscard]] Dyadic covariance(const Centre& centre, const Dyadic& sum_dy, const Dyadic& sum_dy_x);
/// dgamma, correctly rounded; infinite beyond the range of double.
[[nodiscard]] double dgamma(const Centre& centre, const Dyadic& covariance);

}  // namespace bn
