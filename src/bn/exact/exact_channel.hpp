// A channel's formula with nothing in it rounded: what its results are before they are.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "bn/exact/dyadic.hpp"

namespace bn {

/// result = offset + factor * sum_k weight_k (count * operand_k - sum_k) / sqrt(variance^power)
///
/// for operands {x}, {dy} or {x, dy}. Every formula of batch normalisation has this form; see
/// bn/formulas.hpp.
struct ExactChannel {
  struct Term {
    Dyadic weight;
    Dyadic sum;
  };
  double offset = 0;
  double factor = 0;
  std::uint64_t count = 1;
  std::array<Term, 2> terms;
  Dyadic variance;  ///< > 0
  int power = 1;    ///< 1 or 3

  /// variance^power.
  [[nodiscard]] Dyadic radicand() const;
  /// What stands over the root for operands of these values.
  [[nodiscard]] Dyadic numerator(std::span<const Dyadic> operands) const;
};

}  // namespace bn
