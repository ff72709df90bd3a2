// Statistics that were summed with too few digits.
#pragma once

#include <optional>

#include "bn/diagnosis/readings.hpp"

namespace bn {

/// The statistics that the claim suggests, where they differ from the right ones as
///
///   var = sum x^2 / m - (sum x / m)^2
///
/// does in arithmetic of so many binary digits: by errors that grow with mean^2 / var. For y and
/// the running statistics in train mode; none where other errors are seen.
[[nodiscard]] std::optional<Reading> reading_of_low_precision(const Evidence& evidence, int bits,
                                                              int digits);

}  // namespace bn
