// The statistics of a batch as they stand in JSON: what the cache and PART files have in common.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "bn/statistics.hpp"
#include "io/documents/json.hpp"
#include "io/documents/json_text.hpp"

namespace bn::io {

/// The statistics of a batch, which its exact sums determine.
struct BatchStatistics {
  std::vector<double> mean;  ///< empty, as var, where the count is 0
  std::vector<double> var;
  Sums sums;
};

/// Appends `count`, `mean` and `var` (null where there are no values), and the exact sums as
/// strings like "0x1a2bp-149": `sum`, `sum_squares`.
void append_batch_statistics(json::Members& members, const Sums& sums,
                             const std::vector<double>& mean, const std::vector<double>& var);

/// Reads them. Throws Error (input), also where mean and var are not those of the sums, or
/// no values have sums other than 0: nobody should be able to change the ones that people read
/// without changing what counts.
[[nodiscard]] BatchStatistics read_batch_statistics(const json::Document& document,
                                                    std::string_view file, std::size_t channels);

}  // namespace bn::io
