// Results element by element, tile by tile, for every pair of dtypes. The formulas are in
// kernels/elementwise.hpp, the rounding in kernels/rounding.hpp; here are the walk over the tile
// and the conversions around them.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/arrays/elements.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {

/// The rescaling of every channel's x: for nearly all arrays none.
class ChannelRescalings {
 public:
  explicit ChannelRescalings(std::size_t channels) : rescalings_(channels) {}

  /// Of a channel that has none yet; called from several threads, each with other channels.
  void set(std::size_t channel, Rescaling rescaling) {
    if (rescaling == Rescaling{}) return;
    rescalings_[channel] = rescaling;
    any_ = true;
  }
  [[nodiscard]] bool any() const { return any_; }
  [[nodiscard]] const std::vector<Rescaling>& of_channels() const { return rescalings_; }

 private:
  std::vector<Rescaling> rescalings_;
  std::atomic<bool> any_{false};
};

/// The constants of a formula, each of shape (C,).
template <template <class> class Constants>
struct ChannelConstants {
  explicit ChannelConstants(std::size_t channels)
      : of(kernels::transform(Constants<double>{},
                              [&](double zero) { return std::vector<double>(channels, zero); })),
        rescaling(channels) {}

  Constants<std::vector<double>> of;
  ChannelRescalings rescaling;  ///< of x; the constants are those for the rescaled x
};
using AffineChannels = ChannelConstants<kernels::Affine>;
using GradientChannels = ChannelConstants<kernels::Gradient>;

/// y = ((x - mean) - mean_lo) * scale + beta, computed in double and rounded once to `dtype`.
/// Returns how many results are not finite although x is.
[[nodiscard]] std::size_t normalise(const Tile& tile, Block x, const AffineChannels& channels,
                                    Dtype dtype, MutableRows y);

/// dx = scale * dy - offset - ((x - mean) - mean_lo) * slope; for float64 results in twice the
/// precision until the end. Returns how many results are not finite although x and dy
/// are.
[[nodiscard]] std::size_t gradient(const Tile& tile, Block x, Block dy,
                                   const GradientChannels& channels, Dtype dtype, MutableRows dx);

}  // namespace bn
