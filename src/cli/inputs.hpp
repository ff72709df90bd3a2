// The inputs of stats and calibrate: arrays and PART files in any mixture.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
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

/// Hands the exact sums of one input after the other to `use`. The axis of the arrays is that of
/// the flag or else the state's; all inputs have as many channels as `state`, which may be null
/// where there is a flag, and as each other. Throws io::Error.
void for_each_input(const std::vector<std::string>& paths, std::optional<std::ptrdiff_t> axis_flag,
                    const io::State* state, Report& report,
                    const std::function<void(const Input&)>& use);

/// The exact sums of all inputs together.
[[nodiscard]] Sums pool_inputs(const std::vector<std::string>& paths,
                               std::optional<std::ptrdiff_t> axis_flag, const io::State* state,
                               Report& report);

}  // namespace bn::cli
