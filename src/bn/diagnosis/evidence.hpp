// What a diagnosis looks at: the exact statistics of the channels, and a sample of the values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/verification.hpp"

namespace bn {

/// What one channel is computed from, or what somebody took for one: a cell of elements with their
/// statistics, and the channels whose parameters are used.
struct Cell {
  std::uint64_t count = 0;  ///< m
  double mean = 0;
  double var = 0;  ///< biased
  double var_unbiased = 0;
  double sum_dy = 0;
  double sum_dy_x = 0;  ///< sum dy (x - mean)
  std::size_t gamma_of = 0;
  std::size_t beta_of = 0;
  std::size_t running_of = 0;
};

/// Of the values of a channel, as far as they are in the sample: what the sizes of the terms of
/// sums come from, see verify().
struct MeanSizes {
  double x = 0;     ///< sum |x| / m in train mode
  double dy = 0;    ///< sum |dy| / m
  double dy_x = 0;  ///< sum |dy| |x| / m
};

/// Values of one channel: the first ones, and behind these the worst one.
struct SampledChannel {
  std::size_t channel = 0;
  std::vector<std::size_t> index;  ///< of each in the channel, o * inner + i
  std::vector<double> x;
  std::vector<double> dy;  ///< where it is needed
  std::vector<double> claim;
  MeanSizes sizes;
};

/// Of one claim that does not hold, or hardly. A claim per channel has values for every channel
/// instead of a sample.
struct Evidence {
  const LayerBefore& layer;
  const HeldClaim& held;
  bool within = false;  ///< the claim holds, if not as well as it might
  View view;
  std::vector<Cell> cells;         ///< of all channels, as they are right
  std::vector<double> limits;      ///< of all channels: ulp within which results are the same
  std::vector<std::size_t> wrong;  ///< the channels that this is about
  std::vector<SampledChannel> channels = {};  ///< of those
  std::size_t first_values = 0;               ///< how many of each are the first of the channel
  std::optional<std::size_t> values_per_sample = {};  ///< of one channel

  [[nodiscard]] Quantity quantity() const { return held.quantity; }
  /// A claim of y or dx, not one per channel.
  [[nodiscard]] bool of_elements() const {
    return quantity() == Quantity::y || quantity() == Quantity::dx;
  }
  [[nodiscard]] bool train() const { return layer.mode == Mode::train; }
  /// Every value of these channels is in the sample.
  [[nodiscard]] bool whole() const {
    return first_values == view.m() && channels.size() == wrong.size();
  }
};

/// claim = slope (x - mean) + at_mean, by least squares over the sample of a channel.
struct Line {
  double slope = 0;
  double at_mean = 0;
};
[[nodiscard]] Line fit(const SampledChannel& of, double mean);

/// The cells of a view of x, dy being null where it does not matter.
[[nodiscard]] std::vector<Cell> cells_of(const View& view, Source& x, Source* dy,
                                         const Execution& execution);

/// Takes the sample. `claim` is null for a claim per channel.
void take_sample(Evidence& evidence, Source& x, Source* dy, Source* claim,
                 const Execution& execution);

}  // namespace bn
