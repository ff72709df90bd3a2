// The inputs of stats and calibrate: arrays and PART files in any mixture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bn/statistics.hpp"
#include "cli/input_names.hpp"
#include "cli/report.hpp"
#include "io/documents/state.hpp"

namespace bn::cli {

/// The operands or, read from the list, the names in it. Throws io::Error.
[[nodiscard]] std::vector<std::string> input_names(const InputNames& inputs);

/// One array or part.
struct Input {
  std::string name;  ///< for messages
  Sums sums;
};

/// None of the inputs is the file that `output` leads to, by whatever name: run again, the command
/// would count twice what it has counted. Throws UsageError.
void require_no_input(const std::string& output, const std::vector<std::string>& inputs);

/// Hands the exact sums of one array or part after the other to `use`, in an order that is not that
/// of `paths`: parts come first, and all that can be known of files without reading the data of an
/// array - that they are there, sizes, shapes, channels - is checked before any data is read.
/// Pipes, devices and standard input are opened when it is their turn: one process may write to
/// several of them, one after the other. The axis of the arrays is AxisChoice's; all inputs have as
/// many channels as `state`, which may be null where there is a flag, and as each other. Throws
/// io::Error.
void for_each_input(const std::vector<std::string>& paths, std::optional<std::ptrdiff_t> axis_flag,
                    const io::State* state, Report& report,
                    const std::function<void(const Input&)>& use);

struct Pool {
  Sums sums;                  ///< the exact sums of all inputs together
  std::uint64_t batches = 0;  ///< how many arrays and parts have values
};

[[nodiscard]] Pool pool_inputs(const std::vector<std::string>& paths,
                               std::optional<std::ptrdiff_t> axis_flag, const io::State* state,
                               Report& report);

}  // namespace bn::cli
