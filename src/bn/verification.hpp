// How far what somebody else computed is from the right results.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/conventions.hpp"
#include "bn/passes/execution.hpp"
#include "bn/running_statistics.hpp"
#include "bn/statistics.hpp"
#include "bn/tiles/errors.hpp"
#include "bn/tolerance.hpp"

namespace bn {

/// A layer before the pass whose results are claimed. gamma, beta: shape (C,), finite; eps > 0.
/// The running statistics are those before the pass, shape (C,).
struct LayerBefore {
  Mode mode = Mode::train;
  std::span<const double> gamma;
  std::span<const double> beta;
  double eps = 1e-5;
  Momentum momentum;
  const RunningStatistics& running;
};

/// One number per channel that somebody else computed, kept in this floating dtype.
struct ChannelClaim {
  std::vector<double> values;  ///< shape (C,)
  Dtype dtype = Dtype::float32;
};

/// What somebody else computed; null or none where nothing is claimed. Arrays are of a floating
/// dtype and of the view of x. The gradients need dy.
struct Claims {
  Source* y = nullptr;
  Source* dx = nullptr;
  std::optional<ChannelClaim> running_mean = {};  ///< after the pass
  std::optional<ChannelClaim> running_var = {};   ///< after the pass
  std::optional<std::uint64_t> num_batches_tracked = {};
  std::optional<ChannelClaim> dgamma = {};
  std::optional<ChannelClaim> dbeta = {};
};

/// One claim, held against the exact results.
struct HeldClaim {
  Quantity quantity{};
  Dtype dtype = Dtype::float64;    ///< of the claim; float64 for num_batches_tracked
  Errors all;                      ///< positions: of elements in the array, or channels
  std::vector<Errors> channels;    ///< shape (C,); empty for num_batches_tracked
  std::vector<double> tolerances;  ///< of each channel, ulp at the size of what was added up
  std::vector<double> defaults;    ///< default_tolerance() of each channel

  [[nodiscard]] bool holds() const { return all.beyond == 0; }
};

/// What the data are like, as far as a test with them says little.
struct Blindness {
  bool dy_constant = false;    ///< in every channel: dx is 0 in train mode, whatever the code does
  bool gamma_one = false;      ///< in every channel: a forgotten one is not seen
  bool beta_zero = false;      ///< the same
  bool running_equal = false;  ///< the running statistics are those of the batch
  std::uint64_t count = 0;     ///< m, values per channel
  std::uint64_t zeros_of_x = 0;
  std::uint64_t zeros_of_dy = 0;
};

struct Verification {
  std::vector<HeldClaim> claims;  ///< in the order of Quantity
  Blindness blindness;
  Statistics statistics;  ///< of the batch, in test mode, too; empty for an empty batch

  [[nodiscard]] bool holds() const;
};

/// Holds every claim against the exact results. The measure is the error in ulp of the claim's
/// dtype at the size of what was added up (see errors.hpp). With A = sum |x| / m, and
/// |running_mean| in test mode, the sizes are
///
///   y             the largest of |gamma inv_std x|, |gamma inv_std| A and |beta|
///   dbeta         sum |dy|
///   dgamma        inv_std sum |dy| (|x| + A)
///   dx            |gamma| inv_std times the largest of |dy|, size(dbeta) / m and
///                 (|x_hat| size(dgamma) + |dgamma| inv_std max(|x|, A)) / m; in test mode of
///                 the first alone
///   running_mean  w |old| + (1 - w) A
///   running_var   w |old| + (1 - w) s (s + A), s = sqrt(var_r) + 2^-digits A
///
/// since code knows the mean no better than to an ulp of A. x, dy and the claims are not
/// sequential: they are loaded more than once. `tolerance`: for every claim, or none for
/// default_tolerance(). dy: null where no gradient is claimed. In test mode running statistics are
/// claimed to be as before.
///
/// Throws NonFiniteError for values of x or dy that are not finite, SingleValueError (train, m =
/// 1), std::invalid_argument for shapes and dtypes that do not fit.
[[nodiscard]] Verification verify(const View& view, Source& x, Source* dy, const LayerBefore& layer,
                                  const Claims& claims, std::optional<double> tolerance,
                                  const Execution& execution = {});

}  // namespace bn
