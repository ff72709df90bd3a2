// Batch normalisation, forward: x -> y.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/statistics.hpp"
#include "bn/tiles/checksum.hpp"

namespace bn {

/// The layer's parameters: gamma and beta of shape (C,), eps > 0.
struct Parameters {
  std::span<const double> gamma;
  std::span<const double> beta;
  double eps = 1e-5;
};

struct ForwardResult {
  Sums sums;                     ///< of the batch; empty in test mode
  Statistics statistics;         ///< of the batch; empty in test mode
  std::size_t overflows = 0;     ///< values of y that are not finite although x is
  std::uint64_t x_checksum = 0;  ///< of every value of x and where it stands; see Checksum
};

/// y = gamma * x_hat + beta with x_hat = (x - mean) * inv_std, inv_std = 1 / sqrt(var + eps); mean
/// and the biased var of the batch itself (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1).
///
/// x, y: the same view, of any dtype each (y: floating); y may be x's own memory.
///
/// Error of y, measured in ulp of the largest of gamma * x_hat, beta and y: float16 and float32
/// 0.5001, float64 4, for eps of 1e-290 or more. A constant channel gives beta exactly.
///
/// m = 0: nothing to do. Throws NonFiniteError, SingleValueError (m = 1), RangeError; y is then
/// unspecified. Throws std::invalid_argument for parameters of another shape and for an eps that is
/// not positive and finite.
ForwardResult forward_train(const View& view, Source& x, const Parameters& parameters, Sink& y,
                            const Execution& execution = {}, Checksum checksum = Checksum::none);

/// y = (x - running_mean) * (gamma / sqrt(running_var + eps)) + beta: the running statistics, of
/// shape (C,), are taken as exact. NaN and infinity follow IEEE 754. Errors and shapes as
/// forward_train().
ForwardResult forward_test(const View& view, Source& x, std::span<const double> running_mean,
                           std::span<const double> running_var, const Parameters& parameters,
                           Sink& y, const Execution& execution = {},
                           Checksum checksum = Checksum::none);

}  // namespace bn
