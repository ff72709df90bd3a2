#include "cli/presets.hpp"

#include <array>

namespace bn::cli {

std::span<const Preset> presets() {
  constexpr auto running = MomentumWeights::running;
  constexpr auto batch = MomentumWeights::batch;
  constexpr auto biased = VarEstimator::biased;
  constexpr auto unbiased = VarEstimator::unbiased;
  // clang-format off
  static constexpr std::array<Preset, 7> table = {{
      {"cs231n",    1e-5, 0.9,  running, biased,    1, 0, 0},  // the course's NumPy code
      {"pytorch",   1e-5, 0.1,  batch,   unbiased,  1, 0, 1},  // torch.nn.BatchNorm1d, 2d, 3d
      {"keras",     1e-3, 0.99, running, biased,   -1, 0, 1},  // Keras 3, and Keras 2 unfused
      {"tf-layers", 1e-3, 0.99, running, unbiased, -1, 0, 1},  // TF1 tf.layers, Keras 2 fused
      {"flax",      1e-5, 0.99, running, biased,   -1, 0, 1},  // flax.linen.BatchNorm
      {"onnx",      1e-5, 0.9,  running, biased,    1, 0, 1},  // BatchNormalization
      {"d2l",       1e-5, 0.9,  running, biased,    1, 0, 1},  // Dive into Deep Learning
  }};
  // clang-format on
  return table;
}

}  // namespace bn::cli
