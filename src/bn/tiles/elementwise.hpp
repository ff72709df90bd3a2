// Results element by element, tile by tile, for every pair of dtypes. The formulas are in
// kernels/element_by_element.hpp; here are the walk over the tile and the conversions around them.
#pragma once

#include <atomic>
#include <cstddef>
#include <vector>

#include "bn/arrays/elements.hpp"
#include "bn/kernels/kernels.hpp"
#include "bn/tiles/channel_sums.hpp"

namespace bn {

/// Where the elements of every channel are seen from: for nearly all arrays from where they are.
class ChannelOrigins {
 public:
  explicit ChannelOrigins(std::size_t channels) : origins_(channels) {}

  /// Of a channel that has none yet; called from several threads, each with other channels.
  void set(std::size_t channel, Origin origin) {
    if (origin == Origin{}) return;
    origins_[channel] = origin;
    moved_ = true;
  }
  /// Whether a channel is seen from anywhere else.
  [[nodiscard]] bool moved() const { return moved_; }
  [[nodiscard]] const std::vector<Origin>& of_channels() const { return origins_; }

 private:
  std::vector<Origin> origins_;
  std::atomic<bool> moved_{false};
};

/// Constants of every channel, each of shape (C,).
struct AffineChannels {
  explicit AffineChannels(std::size_t channels);
  std::vector<double> mean, mean_lo, scale, beta;
  ChannelOrigins origin;  ///< of x; mean and scale are those of x seen from there
};

struct GradientChannels {
  explicit GradientChannels(std::size_t channels);
  std::vector<double> mean, mean_lo, scale, scale_lo, offset, offset_lo, slope, slope_lo;
  ChannelOrigins origin;  ///< of x; mean and slope are those of x seen from there
};

/// y = ((x - mean) - mean_lo) * scale + beta, computed in double and rounded once to `dtype`.
/// Returns how many results are infinite or NaN although x is not.
[[nodiscard]] std::size_t normalise(const Tile& tile, Block x, const AffineChannels& channels,
                                    Dtype dtype, MutableRows y);

/// dx = scale * dy - offset - ((x - mean) - mean_lo) * slope; for float64 results in twice the
/// precision until the end. Returns how many results are infinite or NaN although x and dy are not.
[[nodiscard]] std::size_t gradient(const Tile& tile, Block x, Block dy,
                                   const GradientChannels& channels, Dtype dtype, MutableRows dx);

}  // namespace bn
