// A channel's formula with nothing in it rounded: what its results are before they are.
#pragma once

#include <array>
#include <span>

#include "bn/exact/dyadic.hpp"
#include "bn/exact/nearest.hpp"

namespace bn {

/// result = offset + factor * (slopes[0] * operand_0 + slopes[1] * operand_1 + constant)
///                   / sqrt(variance^power)
///
/// for operands {x}, {dy} or {x, dy}. Every formula of batch normalisation has this form; see
/// forward.cpp and backward.cpp.
struct ExactChannel {
  double offset = 0;
  double factor = 0;
  std::array<Dyadic, 2> slopes;
  Dyadic constant;
  Dyadic variance;  ///< > 0
  int power = 1;    ///< 1 or 3

  /// variance^power.
  [[nodiscard]] Dyadic radicand() const;
  /// The numerator for operands of these values.
  [[nodiscard]] Dyadic numerator(std::span<const Dyadic> operands) const;
};

}  // namespace bn
