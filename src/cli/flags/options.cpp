#include "cli/flags/options.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <utility>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/values.hpp"
#include "cli/presets.hpp"

namespace bn::cli {

namespace {

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 2 usage, 3 bad input, 4 the system (files, memory, locks), 70 a bug.\n"
    "After any failure every file is what it was before.";

std::string footer(const std::string& details) { return details + kExitCodes; }

// Flags that several commands share.

void add_axis(Command& command, std::optional<std::ptrdiff_t>& axis) {
  command.flag("--axis", "N", "channel axis, negative from the end (default: the state's, or 1)",
               [&axis](auto flag, auto& text) { axis = parse_axis(flag, text); });
}

void add_mode(Command& command, std::optional<Mode>& mode) {
  command.flag("--mode", "train|test", "default: the state's",
               [&mode](auto flag, auto& text) { mode = parse_mode(flag, text); });
}

void add_dtype(Command& command, std::optional<Dtype>& dtype) {
  command.flag("--dtype", "float16|float32|float64",
               "of the outputs (default: that of the input, float64 for integers)",
               [&dtype](auto flag, auto& text) { dtype = parse_dtype(flag, text); });
}

void add_path(Command& command, const std::string& name, const std::string& type,
              const std::string& help, std::optional<std::string>& path) {
  command.flag(name, type, help, [&path](auto, auto& text) { path = text; });
}

void add_path(Command& command, const std::string& name, const std::string& type,
              const std::string& help, std::string& path) {
  command.flag(name, type, help, [&path](auto, auto& text) { path = text; });
}

void add_verbosity(Command& command, RunOptions& run) {
  command.toggle("--verbose", "say on stderr what was done", [&run] { run.verbose = true; });
  command.toggle("--quiet", "no warnings, no progress", [&run] { run.quiet = true; });
}

void add_computing(Command& command, RunOptions& run) {
  command.flag("--threads", "T", "1 to 1024 (default: all usable cores)",
               [&run](auto flag, auto& text) {
                 run.threads = static_cast<unsigned>(parse_integer(flag, text, 1, 1024));
               });
  command.toggle("--no-progress", "no progress line, which a terminal gets after a second",
                 [&run] { run.progress = false; });
  add_verbosity(command, run);
}

void add_fsync(Command& command, RunOptions& run) {
  command.toggle("--fsync", "outputs are on the disk before bn ends (a state always is)",
                 [&run] { run.fsync = true; });
}

void add_lock_timeout(Command& command, RunOptions& run) {
  command.flag("--lock-timeout", "SECONDS",
               "how long to wait while another process updates the state (default: 60)",
               [&run](auto flag, auto& text) { run.lock_timeout = parse_seconds(flag, text); });
}

// Checks of what was given as a whole.

void require(const std::string& value, const char* what) {
  if (value.empty()) throw UsageError(std::string("missing ") + what);
}

void at_most_one_dash(std::initializer_list<const std::string*> paths, const char* stream) {
  const auto dashes = std::count_if(paths.begin(), paths.end(), [](const std::string* path) {
    return path != nullptr && *path == "-";
  });
  if (dashes > 1) {
    throw UsageError(std::string("- is given ") + std::to_string(dashes) + " times for " + stream);
  }
}

const std::string* pointer(const std::optional<std::string>& path) {
  return path ? &*path : nullptr;
}

void no_dash(const std::string& path, const char* flag) {
  if (path == "-") {
    throw UsageError(std::string(flag) + ": the state has to be a file (./- for one named -)");
  }
}

// The commands. Flags are read in the order in which they are defined here.

void fill_in(InitRequest& request, const Preset& preset) {
  request.axis = preset.axis;
  request.eps = preset.eps;
  request.momentum = {preset.momentum, preset.momentum_weights, preset.running_var_estimator};
  request.running_mean = preset.running_mean;
  request.running_var = preset.running_var;
}

std::string preset_table() {
  std::string table = "Presets:\n";
  const auto column = [](std::string_view word, std::size_t width) {
    return std::string(word).append(width - std::min(width, word.size()), ' ');
  };
  for (const Preset& preset : presets()) {
    table += "  " + column(preset.name, 11) + "eps " + column(text(preset.eps), 7) + "momentum " +
             column(text(preset.momentum), 5) + column(name(preset.momentum_weights), 9) +
             column(name(preset.running_var_estimator), 10) + "axis " +
             column(std::to_string(preset.axis), 4) + "running_var " + text(preset.running_var) +
             "\n";
  }
  return table;
}

Command define(CLI::App& root, InitRequest& request) {
  Command command(
      root,
      {"init", "Writes a state file with every key spelt out.",
       "(--channels C | --gamma F | ...) -o STATE.json",
       footer("Examples:\n"
              "  bn init --preset pytorch --channels 64 -o state.json\n"
              "  bn init --gamma gamma.npy --beta beta.npy --momentum 0.99 -o state.json\n"
              "F is a .npy file of shape (C,), which also gives C, or a number for every channel\n"
              "(write ./1 for a file of that name).\n" +
              preset_table())});
  Words<const Preset*> words;
  std::string list;
  for (const Preset& preset : presets()) {
    words.emplace_back(preset.name, &preset);
    list += (list.empty() ? "" : ", ") + std::string(preset.name);
  }
  fill_in(request, presets().front());
  command.flag("--preset", "NAME", list + " (default: " + words.front().first + ")",
               [&request, words](auto flag, auto& text) {
                 fill_in(request, *parse_word(flag, text, words));
               });
  command.flag("--channels", "C", "number of channels (default: that of the arrays)",
               [&request](auto flag, auto& text) {
                 constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
                 request.channels = static_cast<std::size_t>(parse_integer(flag, text, 0, most));
               });
  const auto values = [&command](const char* name, const char* help, Values& target) {
    command.flag(name, "F", help,
                 [&target](auto flag, auto& text) { target = parse_values(flag, text); });
  };
  values("--gamma", "default: 1", request.gamma);
  values("--beta", "default: 0", request.beta);
  values("--running-mean", "default: the preset's", request.running_mean);
  command.flag("--running-var", "F", "at least 0 (default: the preset's)",
               [&request](auto flag, auto& text) {
                 request.running_var = parse_values(flag, text);
                 const double* number = std::get_if<double>(&request.running_var);
                 if (number != nullptr && *number < 0) {
                   throw UsageError(std::string(flag) + ": " + text + " is less than 0");
                 }
               });
  command.flag("--mode", "train|test", "default: train",
               [&request](auto flag, auto& text) { request.mode = parse_mode(flag, text); });
  command.flag("--axis", "N", "channel axis, negative from the end (default: the preset's)",
               [&request](auto flag, auto& text) { request.axis = parse_axis(flag, text); });
  command.flag("--eps", "NUMBER", "greater than 0 (default: the preset's)",
               [&request](auto flag, auto& text) { request.eps = parse_eps(flag, text); });
  command.flag(
      "--momentum", "NUMBER|null",
      "0 to 1, or null for the cumulative average (default: the preset's)",
      [&request](auto flag, auto& text) { request.momentum.value = parse_momentum(flag, text); });
  command.flag("--momentum-weights", "running|batch",
               "the value that momentum multiplies (default: the preset's)",
               [&request](auto flag, auto& text) {
                 request.momentum.weights = parse_choice<MomentumWeights>(flag, text);
               });
  command.flag("--running-var-estimator", "biased|unbiased", "default: the preset's",
               [&request](auto flag, auto& text) {
                 request.momentum.running_var_estimator = parse_choice<VarEstimator>(flag, text);
               });
  add_path(command, "-o", "STATE.json", "where to write, - for standard output (required)",
           request.output);
  command.toggle("--force", "replace an existing file", [&request] { request.force = true; });
  command.toggle("--verbose", "say on stderr what was done",
                 [&request] { request.verbose = true; });
  return command;
}

Command define(CLI::App& root, ForwardRequest& request) {
  Command command(
      root,
      {"forward", "Normalises an array and, in train mode, updates the running statistics.",
       "X.npy --state STATE.json -o Y.npy",
       footer("Train mode normalises with the statistics of X itself, test mode with the running\n"
              "ones. Options override the state's keys for this run and are not written to it.\n"
              "Examples:\n"
              "  bn forward x.npy --state state.json -o y.npy --mode train --cache cache.json\n"
              "  bn forward - --state state.json --mode test -o - < x.npy > y.npy\n")});
  command.positional("X", "array, .npy, - for standard input", request.x);
  add_path(command, "--state", "STATE.json", "parameters and running statistics (required)",
           request.state);
  add_path(command, "-o", "Y.npy", "where y goes, - for standard output (required)", request.y);
  add_mode(command, request.mode);
  add_axis(command, request.axis);
  command.flag("--eps", "NUMBER", "greater than 0 (default: the state's, or 1e-5)",
               [&request](auto flag, auto& text) { request.eps = parse_eps(flag, text); });
  command.flag(
      "--momentum", "NUMBER|null",
      "0 to 1, or null for the cumulative average (default: the state's,\nor 0.9)",
      [&request](auto flag, auto& text) { request.momentum = parse_momentum(flag, text); });
  add_path(command, "--cache", "CACHE.json", "write what bn backward needs besides X",
           request.cache);
  add_path(command, "--state-out", "STATE.json", "write the updated state here, not in place",
           request.state_out);
  command.toggle("--no-update", "leave the running statistics as they are",
                 [&request] { request.update = false; });
  add_dtype(command, request.dtype);
  add_computing(command, request.run);
  add_lock_timeout(command, request.run);
  add_fsync(command, request.run);
  return command;
}

Command define(CLI::App& root, BackwardRequest& request) {
  Command command(
      root,
      {"backward", "Computes the gradients of bn forward.",
       "DY.npy --x X.npy (--cache CACHE.json | --state STATE.json)",
       footer("Writes those of dx, dgamma and dbeta that are asked for, at least one.\n"
              "Examples:\n"
              "  bn backward dy.npy --x x.npy --cache cache.json --dx dx.npy --dgamma dgamma.npy\n"
              "  bn backward dy.npy --x x.npy --state state.json --mode train --dbeta -\n")});
  command.positional("DY", "dloss/dy, .npy, of the shape of X, - for standard input", request.dy);
  add_path(command, "--x", "X.npy", "what went into bn forward, - for standard input (required)",
           request.x);
  add_path(command, "--cache", "CACHE.json", "what bn forward --cache wrote", request.cache);
  add_path(command, "--state", "STATE.json",
           "instead of a cache: the statistics of X (train) or the running ones (test)",
           request.state);
  add_path(command, "--dx", "DX.npy", "write dloss/dx, of the shape of DY", request.dx);
  add_path(command, "--dgamma", "DGAMMA.npy", "write dloss/dgamma, of shape (C,)", request.dgamma);
  add_path(command, "--dbeta", "DBETA.npy", "write dloss/dbeta, of shape (C,)", request.dbeta);
  add_mode(command, request.mode);
  add_axis(command, request.axis);
  add_dtype(command, request.dtype);
  add_computing(command, request.run);
  add_fsync(command, request.run);
  return command;
}

Command define(CLI::App& root, StatsRequest& request) {
  Command command(
      root,
      {"stats", "Computes exact statistics that can be merged.", "INPUT... -o PART.json",
       footer("What it writes can be an input again: parts merged in any order and grouping give\n"
              "the same bytes as all the data at once.\n"
              "Examples:\n"
              "  bn stats shard1.npy shard2.npy -o part.json\n"
              "  bn stats part1.json part2.json -o all.json\n")});
  command.positionals("INPUT", "arrays, .npy, - for one on standard input, and files of bn stats",
                      request.inputs);
  add_path(command, "-o", "PART.json", "where to write, - for standard output (required)",
           request.output);
  command.flag("--axis", "N", "channel axis of the arrays, negative from the end (default: 1)",
               [&request](auto flag, auto& text) { request.axis = parse_axis(flag, text); });
  add_computing(command, request.run);
  add_fsync(command, request.run);
  return command;
}

Command define(CLI::App& root, CalibrateRequest& request) {
  Command command(
      root,
      {"calibrate", "Sets the running statistics from a whole dataset.",
       "INPUT... --state STATE.json",
       footer("They become the mean and the variance, by the state's estimator, of all inputs\n"
              "together.\n"
              "Examples:\n"
              "  bn calibrate --state state.json batch*.npy\n"
              "  bn calibrate --state state.json --average-batches batch*.npy\n")});
  command.positionals("INPUT", "arrays, .npy, - for one on standard input, and files of bn stats",
                      request.inputs);
  add_path(command, "--state", "STATE.json", "the state to change (required)", request.state);
  command.toggle("--average-batches",
                 "average the means and the variances of the inputs, each one a batch, instead of "
                 "pooling their values",
                 [&request] { request.average_batches = true; });
  add_axis(command, request.axis);
  add_computing(command, request.run);
  add_lock_timeout(command, request.run);
  return command;
}

void check(const InitRequest& request) { require(request.output, "-o STATE.json"); }

void check(const ForwardRequest& request) {
  require(request.x, "X");
  require(request.state, "--state STATE.json");
  require(request.y, "-o Y.npy");
  no_dash(request.state, "--state");
  if (request.state_out && !request.update) {
    throw UsageError("--state-out and --no-update contradict each other");
  }
  at_most_one_dash({&request.y, pointer(request.cache), pointer(request.state_out)},
                   "standard output");
}

void check(const BackwardRequest& request) {
  require(request.dy, "DY");
  require(request.x, "--x X.npy");
  if (request.cache.has_value() == request.state.has_value()) {
    throw UsageError("give either --cache CACHE.json or --state STATE.json");
  }
  if (request.cache && request.mode) throw UsageError("--mode: the cache says which mode it was");
  if (request.cache && request.axis) throw UsageError("--axis: the cache says which axis it was");
  if (!request.dx && !request.dgamma && !request.dbeta) {
    throw UsageError("nothing to write: give --dx, --dgamma or --dbeta");
  }
  at_most_one_dash({&request.dy, &request.x}, "standard input");
  at_most_one_dash({pointer(request.dx), pointer(request.dgamma), pointer(request.dbeta)},
                   "standard output");
}

void check_inputs(const std::vector<std::string>& inputs) {
  if (inputs.empty()) throw UsageError("missing INPUT");
  if (std::count(inputs.begin(), inputs.end(), "-") > 1) {
    throw UsageError("- is given more than once for standard input");
  }
}

void check(const StatsRequest& request) {
  check_inputs(request.inputs);
  require(request.output, "-o PART.json");
}

void check(const CalibrateRequest& request) {
  check_inputs(request.inputs);
  require(request.state, "--state STATE.json");
  no_dash(request.state, "--state");
}

[[noreturn]] void refuse_command(const CLI::App& root) {
  const std::vector<std::string> words = root.remaining();
  if (words.empty()) throw UsageError("missing command; see bn --help");
  std::vector<std::string> names;
  for (const CLI::App* command : root.get_subcommands({})) names.push_back(command->get_name());
  const bool is_flag = words.front().starts_with('-');
  if (is_flag) names = {"--help", "--version"};
  throw UsageError((is_flag ? "unknown flag " : "unknown command ") + words.front() +
                   suggestion(words.front(), names));
}

/// Of CLI11's "--eps: 1 required NUMBER missing".
std::string missing_value(const std::string& message) {
  constexpr std::string_view before = ": 1 required ";
  constexpr std::string_view after = " missing";
  const std::size_t at = message.find(before);
  if (at == std::string::npos || !message.ends_with(after)) return message;
  const std::size_t type = at + before.size();
  return message.substr(0, at) +
         " needs a value: " + message.substr(type, message.size() - after.size() - type);
}

}  // namespace

Request parse(int argc, char** argv) {
  CLI::App root("Batch normalisation on .npy files.", "bn");
  root.get_formatter()->column_width(34);
  root.set_version_flag("--version", "bn " BN_VERSION, "print the version and exit");
  root.require_subcommand(0, 1);
  root.allow_extras();
  root.footer(
      footer("Examples:\n"
             "  bn init --preset pytorch --channels 3 -o state.json\n"
             "  bn forward photos.npy --state state.json -o y.npy\n"
             "bn COMMAND --help says more.\n"));

  InitRequest init;
  ForwardRequest forward;
  BackwardRequest backward;
  StatsRequest stats;
  CalibrateRequest calibrate;
  const Command init_command = define(root, init);
  const Command forward_command = define(root, forward);
  const Command backward_command = define(root, backward);
  const Command stats_command = define(root, stats);
  const Command calibrate_command = define(root, calibrate);

  try {
    root.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return Text{root.help()};
  } catch (const CLI::CallForVersion& version) {
    return Text{std::string(version.what()) + "\n"};
  } catch (const CLI::ArgumentMismatch& mismatch) {
    throw UsageError(missing_value(mismatch.what()));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }

  const auto read = [](const Command& command, const auto& request) -> Request {
    command.read();
    check(request);
    return request;
  };
  if (init_command.chosen()) return read(init_command, init);
  if (forward_command.chosen()) return read(forward_command, forward);
  if (backward_command.chosen()) return read(backward_command, backward);
  if (stats_command.chosen()) return read(stats_command, stats);
  if (calibrate_command.chosen()) return read(calibrate_command, calibrate);
  refuse_command(root);
}

}  // namespace bn::cli
