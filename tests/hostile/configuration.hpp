// Small batches that are made to be nasty: to every rounding, range and cancellation there is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/arrays/view.hpp"
#include "data.hpp"

namespace hostile {

/// Where a result goes: into memory of its own, or over an operand of the same dtype.
enum class Over { nothing, x, dy };

struct Configuration {
  bn::View view;
  data::Array x, dy;
  bool training = true;
  bn::Dtype y_dtype{}, dx_dtype{};
  std::vector<double> gamma{}, beta{}, running_mean{}, running_var{};
  double eps = 1e-5;

  // How it is run.
  Over y_over = Over::nothing;
  Over dx_over = Over::nothing;
  bool cached = false;      ///< backward is given the sums of the forward pass
  bool copies = false;      ///< sources and sinks copy tiles, as files do
  bool many_tiles = false;  ///< two threads on a machine without caches
};

/// The configuration of this number under a seed: the same on every machine.
[[nodiscard]] Configuration make(std::uint64_t seed, std::uint64_t number);

/// All there is to know about it, bit by bit.
[[nodiscard]] std::string text(const Configuration& configuration);

}  // namespace hostile
