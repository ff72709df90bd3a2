// What forward and backward take from a state file, with the flags' overrides and the defaults.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "cli/report.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/state.hpp"

namespace bn::cli {

/// The flag's mode or the state's. Throws UsageError where neither says one.
[[nodiscard]] Mode effective_mode(const io::State& state, std::optional<Mode> flag);

/// The values or, where there are none, `value` for every channel.
[[nodiscard]] std::vector<double> or_filled(const std::optional<std::vector<double>>& values,
                                            std::size_t channels, double value);

/// The state's running statistics, for test mode, where a state without them is an error that says
/// how to get them. Warns where they are hardly what was meant.
[[nodiscard]] RunningStatistics trained_statistics(const io::State& state, std::size_t channels,
                                                   double eps, Report& report);

/// Warns of batches whose statistics say little.
void warn_of_small_batch(const io::ArrayReader& x, const View& view, Report& report);

/// Warns of results that became infinite in a file's dtype; `array` is what it holds: "y".
void warn_of_overflows(std::size_t overflows, const std::string& array, const std::string& file,
                       Dtype dtype, Report& report);

/// What an array is written as: what --dtype names or the input's dtype, float64 for integers.
[[nodiscard]] Dtype output_dtype(std::optional<Dtype> flag, Dtype input);

}  // namespace bn::cli
