// Mistakes about which samples of the batch belong together.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "bn/diagnosis/readings.hpp"

namespace bn {

/// Statistics per k samples of the batch, the last ones being fewer: k = 1 is instance
/// normalisation. For y and dx. None where the sample does not hold one such group.
[[nodiscard]] std::optional<Reading> reading_of_groups(const Evidence& evidence, std::size_t k);
/// The k that are worth trying: usual ones, and those that explain some values of the first group.
[[nodiscard]] std::vector<std::size_t> group_sizes(const Evidence& evidence);

/// The statistics of the batch as the mean of those of shards of k samples, for every k that is
/// worth trying. For running statistics; none where not every value is in the sample.
[[nodiscard]] std::vector<Reading> readings_of_shards(const Evidence& evidence);

}  // namespace bn
