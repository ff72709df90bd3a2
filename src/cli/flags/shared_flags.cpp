#include "cli/flags/shared_flags.hpp"

#include <algorithm>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/values.hpp"

namespace bn::cli {

void add_inputs(Command& command, InputNames& inputs) {
  command.positionals(
      "INPUT", "files of one or more arrays, .npy, - for standard input, and files of bn stats",
      inputs.operands);
  command.flag("--files0-from", "FILE",
               "read the names of the inputs, each ended by NUL, from FILE, - for standard input",
               inputs.list);
}

void add_mode(Command& command, std::optional<Mode>& mode) {
  command.flag("--mode", "train|test", "default: the state's", mode, parse_mode);
}

void add_axis(Command& command, std::optional<std::ptrdiff_t>& axis) {
  command.flag("--axis", "N", "channel axis, negative from the end (default: the state's, or 1)",
               axis, parse_axis);
}

void add_eps(Command& command, std::optional<double>& eps) {
  command.flag("--eps", "NUMBER", "greater than 0 (default: the state's, or 1e-5)", eps, parse_eps);
}

void add_momentum(Command& command, std::optional<std::optional<double>>& momentum) {
  command.flag("--momentum", "NUMBER|null",
               "0 to 1, or null for the cumulative average (default: the state's,\nor 0.9)",
               momentum, parse_momentum);
}

void add_dtype(Command& command, std::optional<Dtype>& dtype) {
  command.flag("--dtype", "float16|float32|float64",
               "of the outputs (default: that of the input, float64 for integers and bool)", dtype,
               parse_dtype);
}

void add_verbose(Command& command, RunOptions& run) {
  command.toggle("--verbose", "say on stderr what was done", run.verbose);
}

void add_computing(Command& command, RunOptions& run) {
  command.flag("--threads", "T", "1 to 1024 (default: all usable cores)", run.threads,
               parse_threads);
  command.toggle("--no-progress", "no progress line, which a terminal gets after a second",
                 run.progress, false);
  add_verbose(command, run);
  command.toggle("--quiet", "no warnings, no progress", run.quiet);
}

void add_lock_timeout(Command& command, RunOptions& run) {
  command.flag("--lock-timeout", "SECONDS",
               "how long to wait while another process updates the state (default: 60)",
               run.lock_timeout, parse_seconds);
}

void add_fsync(Command& command, RunOptions& run) {
  command.toggle("--fsync", "outputs are on the disk before bn ends (a state always is)",
                 run.fsync);
}

void add_force(Command& command, RunOptions& run) {
  command.toggle("--force",
                 "replace existing files whatever they are; without it JSON\n"
                 "replaces only its own kind, and an array no JSON",
                 run.force);
}

io::Transaction::Options output_options(const RunOptions& run) {
  using Existing = io::OutputFile::Existing;
  return {.sync = run.fsync, .existing = run.force ? Existing::replace : Existing::own_kind};
}

void require(const std::string& value, const char* what) {
  if (value.empty()) throw UsageError(std::string("missing ") + what);
}

void require_inputs(const InputNames& inputs) {
  const std::vector<std::string>& operands = inputs.operands;
  if (inputs.list && !operands.empty()) {
    throw UsageError("extra operand " + operands.front() +
                     "; file operands cannot be combined with --files0-from");
  }
  if (operands.empty() && !inputs.list) throw UsageError("missing INPUT");
  if (std::count(operands.begin(), operands.end(), "-") > 1) {
    throw UsageError("- is given more than once for standard input");
  }
}

void refuse_dash(const std::string& path, const char* flag) {
  if (path == "-") {
    throw UsageError(std::string(flag) + ": the state has to be a file (./- for one named -)");
  }
}

void require_one_dash_at_most(std::initializer_list<std::optional<std::string>> paths,
                              const char* stream) {
  const auto dashes = std::count(paths.begin(), paths.end(), "-");
  if (dashes > 1) {
    throw UsageError("- is given " + std::to_string(dashes) + " times for " + stream);
  }
}

}  // namespace bn::cli
