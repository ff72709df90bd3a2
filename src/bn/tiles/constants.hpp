// The constants that the kernels compute results with, and the bounds of their errors, all made of
// the exact formulas of the channels.
#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/exact/exact_channel.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {

/// The constants for results of a dtype, each of shape (C,): for float64 those of twice the
/// precision.
class ChannelConstants {
 public:
  ChannelConstants(std::size_t channels, std::size_t operands, Dtype results);

  /// Of a channel whose x lie about the pivot, which decides how often double arithmetic is enough
  /// and nothing else. Called from several threads, each with other channels.
  void set(std::size_t channel, const ExactChannel& exact, double pivot);

  using OfChannels = std::vector<double>;
  using Any = std::variant<kernels::Affine<OfChannels>, kernels::Gradient<OfChannels>,
                           kernels::AffinePair<OfChannels>, kernels::GradientPair<OfChannels>>;
  [[nodiscard]] const Any& of_channels() const { return constants_; }

 private:
  Any constants_;
};

}  // namespace bn
