// The elements of y and dx that somebody else computed, held against the formulas.
#pragma once

#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/exact/accumulator.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/formulas.hpp"
#include "bn/passes/execution.hpp"
#include "bn/statistics.hpp"
#include "bn/tiles/errors.hpp"

namespace bn {

/// One channel, as far as right results and the sizes of their terms come from it.
struct HeldChannel {
  ChannelStatistics batch;
  Centre centre;  ///< what normalises, with its mean and inv_std
  double mean = 0;
  double mean_size = 0;  ///< A of verify()
  double inv_std = 0;
  double gamma = 0;
  double beta = 0;
  Sizes sizes;            ///< of x and dy
  bool constant = false;  ///< x - mean is 0

  // Where there is dy:
  Dyadic sum_dy;
  Dyadic covariance;
  double dgamma = 0;
  double dbeta = 0;
  double size_of_dgamma = 0;
  double size_of_dbeta = 0;
};

/// The errors of each channel. The sizes are those of verify(); tolerances: shape (C,).
[[nodiscard]] std::vector<Errors> hold_y(const View& view, Source& x,
                                         std::span<const HeldChannel> channels, Source& claim,
                                         std::span<const double> tolerances,
                                         const Execution& execution);
[[nodiscard]] std::vector<Errors> hold_train_dx(const View& view, Source& x, Source& dy,
                                                std::span<const HeldChannel> channels,
                                                Source& claim, std::span<const double> tolerances,
                                                const Execution& execution);
[[nodiscard]] std::vector<Errors> hold_test_dx(const View& view, Source& dy,
                                               std::span<const HeldChannel> channels, Source& claim,
                                               std::span<const double> tolerances,
                                               const Execution& execution);

}  // namespace bn
