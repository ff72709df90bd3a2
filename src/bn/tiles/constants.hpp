// The constants that the kernels compute results with, and the bounds of their errors, all made of
// the exact formulas of the channels.
#pragma once

#include <cstddef>
#include <variant>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/exact/accumulator.hpp"
#include "bn/exact/exact_channel.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {

/// The constants for results of a dtype, each of shape (C,): for float64 those of twice the
/// precision.
class ChannelConstants {
 public:
  ChannelConstants(std::size_t channels, std::size_t operands, Dtype results);

  /// Of a channel whose x lie about the pivot, and whose operands are of these sizes if they are
  /// known: both decide how fast results are, and nothing else. Called from several threads, each
  /// with other channels.
  void set(std::size_t channel, const ExactChannel& exact, double pivot, const Sizes* sizes);

  using OfChannels = std::vector<double>;
  /// Those for any operands, and those for bounded ones. Where there is no bound, or none that is
  /// of use, these are 0, and `low` and `high` infinite, which leaves every result uncertain.
  template <template <class> class General, template <class> class Bounded>
  struct Kinds {
    General<OfChannels> general;
    Bounded<OfChannels> bounded;
  };
  using Any = std::variant<Kinds<kernels::Affine, kernels::BoundedAffine>,
                           Kinds<kernels::Gradient, kernels::BoundedGradient>,
                           Kinds<kernels::AffinePair, kernels::BoundedAffinePair>,
                           Kinds<kernels::GradientPair, kernels::BoundedGradientPair>>;
  [[nodiscard]] const Any& of_channels() const { return constants_; }

 private:
  const std::size_t operands_;
  const Dtype results_;
  Any constants_;
};

}  // namespace bn
