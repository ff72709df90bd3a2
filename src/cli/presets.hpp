// The conventions of the frameworks, as `bn init` fills them in.
#pragma once

#include <span>
#include <string_view>

#include "bn/conventions.hpp"

namespace bn::cli {

struct Preset {
  std::string_view name;
  double eps;
  double momentum;
  MomentumWeights momentum_weights;
  VarEstimator running_var_estimator;
  int axis;
  double running_mean;  ///< initial value, every channel
  double running_var;   ///< initial value, every channel
};

/// All presets; the first one is the default.
[[nodiscard]] std::span<const Preset> presets();

}  // namespace bn::cli
