// Batch normalisation, forward: x -> y.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/statistics.hpp"
#include "bn/tiles/checksum.hpp"
#include "bn/tiles/counts.hpp"

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
  Counts counts;                 ///< of y
  std::uint64_t x_checksum = 0;  ///< of every value of x and where it stands; see Checksum
};

/// Throws what speaks against a batch's statistics.
using AcceptStatistics = std::function<void(const Statistics&)>;

/// y = gamma * x_hat + beta with x_hat = (x - mean) * inv_std, inv_std = 1 / sqrt(var + eps); mean
/// and the biased var of the batch itself (Ioffe and Szegedy 2015, arXiv:1502.03167, algorithm 1).
///
/// x, y: the same view, of any dtype each (y: floating); y may be x's own memory.
///
/// Every y is the real number that these formulas give for the bits of the inputs, rounded once to
/// nearest, ties to even, in y's dtype: subnormal results too, and infinite ones from the midpoint
/// beyond the largest finite value on. Where gamma * (x - mean) is 0, y is beta, its sign included;
/// any other result of 0 is +0, and one that only rounds to 0 keeps its sign.
///
/// `accept`, if given, is called with the batch's statistics before any y leaves through a stream:
/// what it throws ends the run.
///
/// m = 0: nothing to do. Throws NonFiniteError and SingleValueError (m = 1); y is then unspecified.
/// A variance beyond the range of double is infinite in `statistics`; y needs none. Throws
/// std::invalid_argument for parameters of another shape or not finite and for an eps that is not
/// positive and finite.
ForwardResult forward_train(const View& view, Source& x, const Parameters& parameters, Sink& y,
                            const Execution& execution = {}, Checksum checksum = Checksum::none,
                            const AcceptStatistics& accept = {});

/// y = (x - running_mean) * (gamma / sqrt(running_var + eps)) + beta: the running statistics, of
/// shape (C,), are taken as exact. NaN and infinity follow IEEE 754. Rounding and shapes as
/// forward_train().
ForwardResult forward_test(const View& view, Source& x, std::span<const double> running_mean,
                           std::span<const double> running_var, const Parameters& parameters,
                           Sink& y, const Execution& execution = {},
                           Checksum checksum = Checksum::none);

}  // namespace bn
