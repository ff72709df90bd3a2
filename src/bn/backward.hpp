// Batch normalisation, backward: x, dy = dloss/dy -> dx, dgamma, dbeta.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/statistics.hpp"
#include "bn/tiles/checksum.hpp"

namespace bn {

struct BackwardResult {
  std::vector<double> dgamma;    ///< shape (C,)
  std::vector<double> dbeta;     ///< shape (C,)
  std::size_t overflows = 0;     ///< values of dx that are not finite although x and dy are
  std::uint64_t x_checksum = 0;  ///< as of forward_train(); see Checksum
};

/// The gradients of forward_train():
///
///   dbeta = sum dy                 dgamma = sum dy * x_hat
///   dx = gamma * inv_std / m * (m * dy - dbeta - x_hat * dgamma)
///
/// with the batch's own mean and biased var (Ioffe and Szegedy 2015, arXiv:1502.03167, section 3).
///
/// x, dy: the same view, of any dtype each. gamma: shape (C,). batch: the exact sums of x from the
/// forward pass, or null to compute them here. dx: floating, may be dy's or x's own memory, or
/// null.
///
/// Error: dbeta correctly rounded, dgamma 1 ulp; dx, in ulp of the largest of its three terms and
/// itself: float16 and float32 0.5001, float64 4; for eps of 1e-290 or more
/// and gamma * inv_std of 1e-290 or more (or 0).
///
/// m = 0: dgamma and dbeta are zero. Throws NonFiniteError, SingleValueError (m = 1), RangeError;
/// dx is then unspecified. Throws std::invalid_argument for a gamma or sums of another shape and
/// for an eps that is not positive and finite.
BackwardResult backward_train(const View& view, Source& x, Source& dy, const Sums* batch,
                              std::span<const double> gamma, double eps, Sink* dx,
                              const Execution& execution = {}, Checksum checksum = Checksum::none);

/// The gradients of forward_test(): dbeta and dgamma as above with the running statistics, and
/// dx = gamma * inv_std * dy. Errors and shapes as backward_train(), but one value per channel will
/// do, and NaN and infinity follow IEEE 754: they reach the elements and the channels that they
/// stand in.
BackwardResult backward_test(const View& view, Source& x, Source& dy,
                             std::span<const double> running_mean,
                             std::span<const double> running_var, std::span<const double> gamma,
                             double eps, Sink* dx, const Execution& execution = {},
                             Checksum checksum = Checksum::none);

}  // namespace bn
