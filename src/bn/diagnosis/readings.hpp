// Mistakes about which elements belong together: other cells than the channels, other channels'
// parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bn/diagnosis/evidence.hpp"
#include "bn/diagnosis/other_view.hpp"

namespace bn {

/// A way to read the arrays: which cell each sampled value belongs to.
struct Reading {
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};

  std::string mistake;  ///< stable name; empty for the right reading
  std::string sentence;
  std::optional<double> value;
  std::vector<Cell> cells;
  /// Of each sampled channel and value; none where the sample does not say. Empty: the cells are
  /// the channels.
  std::vector<std::vector<std::uint32_t>> of_values;
};

[[nodiscard]] Reading right_reading(const Evidence& evidence);

/// Elements of a wrong view taken for channels: with the parameters that belong to the elements
/// and, where it has as many channels, with those of the wrong ones.
[[nodiscard]] std::vector<Reading> readings_of(const OtherView& other,
                                               const std::vector<Cell>& cells,
                                               const Evidence& evidence);

/// Parameters or statistics in another order, as the claim suggests it: readings with those
/// permutations of the channels that do not hold that come nearest. For y, dx and claims per
/// channel.
[[nodiscard]] std::vector<Reading> permuted_readings(const Evidence& evidence);

}  // namespace bn
