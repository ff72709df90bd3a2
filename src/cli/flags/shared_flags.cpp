#include "cli/flags/shared_flags.hpp"

#include <algorithm>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/values.hpp"

namespace bn::cli {

void add_inputs(Command& command, std::vector<std::string>& inputs) {
  command.positionals("INPUT", "arrays, .npy, - for one on standard input, and files of bn stats",
                      inputs);
}

void add_mode(Command& command, std::optional<Mode>& mode) {
  command.flag("--mode", "train|test", "default: the state's", mode, parse_mode);
}

void add_axis(Command& command, std::optional<std::ptrdiff_t>& axis) {
  command.flag("--axis", "N", "channel axis, negative from the end (default: the state's, or 1)",
               axis, parse_axis);
}

void add_dtype(Command& command, std::optional<Dtype>& dtype) {
  command.flag("--dtype", "float16|float32|float64",
               "of the outputs (default: that of the input, float64 for integers)", dtype,
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

void require_inputs(const std::vector<std::string>& inputs) {
  if (inputs.empty()) throw UsageError("missing INPUT");
  if (std::count(inputs.begin(), inputs.end(), "-") > 1) {
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
