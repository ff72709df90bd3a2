// The inputs of stats and calibrate: arrays and PART files in any mixture.
#pragma once

#include <cstddef>
#include <cstdint>
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

/// Hands the exact sums of one input after the other to `use`. `axis` is that of the arrays; all
/// inputs have as many channels as `state`, which may be null, and as each other. Throws io::Error.
void for_each_input(const std::vector<std::string>& paths, std::ptrdiff_t axis,
                    const io::State* state, Report& report,
                    const std::function<void(const Input&)>& use);

struct Pool {
  Sums sums;                  ///< the exact sums of all inputs together
  std::uint64_t batches = 0;  ///< how many inputs have values
};

[[nodiscard]] Pool pool_inputs(const std::vector<std::string>& paths, std::ptrdiff_t axis,
                               const io::State* state, Report& report);

}  // namespace bn::cli
