// The inputs of stats and calibrate: arrays and PART files in any mixture.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "bn/statistics.hpp"
#include "cli/report.hpp"
#include "io/documents/state.hpp"

namespace bn::cli {

struct Input {
  std::string name;  ///< for messages
  Sums sums;
};

/// None of the inputs is the file that `output` leads to, by whatever name: run again, the command
/// would count twice what it has counted. Throws UsageError.
void require_no_input(const std::string& output, const std::vector<std::string>& inputs);

/// Hands the exact sums of one input after the other to `use`. `axis` is that of the arrays; all
/// inputs have as many channels as `state`, which may be null, and as each other. Throws io::Error.
void for_each_input(const std::vector<std::string>& paths, std::ptrdiff_t axis,
                    const io::State* state, Report& report,
                    const std::function<void(const Input&)>& use);

/// The exact sums of all inputs together.
[[nodiscard]] Sums pool_inputs(const std::vector<std::string>& paths, std::ptrdiff_t axis,
                               const io::State* state, Report& report);

}  // namespace bn::cli
