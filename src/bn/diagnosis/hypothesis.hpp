// Mistakes held against a claim.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bn/diagnosis/evidence.hpp"
#include "bn/diagnosis/mistakes.hpp"
#include "bn/diagnosis/readings.hpp"

namespace bn {

/// What may have been done: everything right but how the arrays were read, and these mistakes.
struct Hypothesis {
  const Reading* reading = nullptr;
  std::vector<const Mistake*> mistakes;
  std::optional<double> value;  ///< of the mistake that goes with one
};

/// How far the claim is from what a hypothesis yields.
struct Residual {
  double largest = 0;  ///< ulp at the size of what was added up
  bool within = true;  ///< the limit of every channel
  /// Of each channel that was looked at: the sum of squares of differences, not in ulp.
  std::vector<double> squares = {};
};

/// Over everything that was sampled.
[[nodiscard]] Residual whole_residual(const Evidence& evidence, const Hypothesis& hypothesis);
/// The same, but over less of it where that is beyond the limits already.
[[nodiscard]] Residual residual(const Evidence& evidence, const Hypothesis& hypothesis);

/// The value with which the hypothesis comes nearest to the claim; a short decimal number where one
/// comes about as near. `digits`: how many it has; none for a long one.
struct FoundValue {
  double value = 0;
  std::optional<int> digits;
};
[[nodiscard]] FoundValue find_value(const Evidence& evidence, Hypothesis hypothesis);

/// The names of its mistakes.
[[nodiscard]] std::vector<std::string> names(const Hypothesis& hypothesis);

}  // namespace bn
