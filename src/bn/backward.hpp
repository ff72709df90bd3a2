// Batch normalisation, backward: x, dy = dloss/dy -> dx, dgamma, dbeta.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/statistics.hpp"
#include "bn/tiles/checksum.hpp"
#include "bn/tiles/counts.hpp"

namespace bn {

struct BackwardResult {
  std::vector<double> dgamma;    ///< shape (C,)
  std::vector<double> dbeta;     ///< shape (C,)
  Counts counts;                 ///< of dx
  std::uint64_t x_checksum = 0;  ///< as of forward_train(); see Checksum

  /// The first channel whose value is beyond the range of double, and infinite here, although x and
  /// dy are finite.
  std::optional<std::size_t> dgamma_overflow;
  std::optional<std::size_t> dbeta_overflow;
  /// Throw RangeError if there is such a channel.
  void check_dgamma() const;
  void check_dbeta() const;
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
/// Every dx, dgamma and dbeta is the real number that these formulas give for the bits of the
/// inputs, rounded once to nearest, ties to even, as forward_train() does it with y. With sums
/// given they are taken as those of x.
///
/// m = 0: dgamma and dbeta are zero. Throws NonFiniteError and SingleValueError (m = 1); dx is then
/// unspecified. Throws std::invalid_argument for a gamma or sums of another shape and
/// for an eps that is not positive and finite.
BackwardResult backward_train(const View& view, Source& x, Source& dy, const Sums* batch,
                              std::span<const double> gamma, double eps, Sink* dx,
                              const Execution& execution = {}, Checksum checksum = Checksum::none);

/// The gradients of forward_test(): dbeta and dgamma as above with the running statistics, and
/// dx = gamma * inv_std * dy. Rounding and shapes as backward_train(), but one value per channel
/// will do, and NaN and infinity follow IEEE 754: they reach the elements and the channels that
/// they stand in.
BackwardResult backward_test(const View& view, Source& x, Source& dy,
                             std::span<const double> running_mean,
                             std::span<const double> running_var, std::span<const double> gamma,
                             double eps, Sink* dx, const Execution& execution = {},
                             Checksum checksum = Checksum::none);

}  // namespace bn
