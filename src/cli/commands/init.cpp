// bn init: a state file with every key spelt out.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
#include "cli/flags/values.hpp"
#include "cli/presets.hpp"
#include "cli/report.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/state.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

struct InitRequest {
  std::string output;
  bool force = false;  // replace an existing state
  std::optional<std::size_t> channels;
  Mode mode = Mode::train;
  std::ptrdiff_t axis = 1;
  double eps = 0;
  Momentum momentum;
  NumberOrPath gamma = 1.0;
  NumberOrPath beta = 0.0;
  NumberOrPath running_mean = 0.0;
  NumberOrPath running_var = 0.0;
  std::uint64_t num_batches_tracked = 0;
  RunOptions run;
};

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

void add_preset(Command& command, InitRequest& request) {
  Words<const Preset*> words;
  std::string list;
  for (const Preset& preset : presets()) {
    words.emplace_back(preset.name, &preset);
    list += (list.empty() ? "" : ", ") + std::string(preset.name);
  }
  fill_in(request, presets().front());
  command.add_flag("--preset", "NAME", list + " (default: " + words.front().first + ")",
                   [&request, words](auto flag, auto& text) {
                     fill_in(request, *parse_word(flag, text, words));
                   });
}

void add_flags(Command& command, InitRequest& request) {
  command.describe(
      {"Writes a state file with every key spelt out.",
       "(--channels C | --gamma F | ...) -o STATE.json",
       "Examples:\n"
       "  bn init --preset pytorch --channels 64 -o state.json\n"
       "  bn init --gamma gamma.npy --beta beta.npy --momentum 0.99 -o state.json\n"
       "F is a .npy file of shape (C,), (1, C, 1, 1) and so on, which also gives C, or a\n"
       "number for every channel (write ./1 for a file of that name).\n" +
           preset_table()});
  add_preset(command, request);
  command.flag("--channels", "C", "number of channels (default: that of the arrays)",
               request.channels, parse_channels);
  command.flag("--gamma", "F", "default: 1", request.gamma, parse_number_or_path);
  command.flag("--beta", "F", "default: 0", request.beta, parse_number_or_path);
  command.flag("--running-mean", "F", "default: the preset's", request.running_mean,
               parse_number_or_path);
  command.flag("--running-var", "F", "at least 0 (default: the preset's)", request.running_var,
               parse_variance_or_path);
  command.flag("--num-batches-tracked", "N",
               "how many batches the running statistics come from, 0 to 2^53 (default: 0)",
               request.num_batches_tracked, parse_batches);
  command.flag("--mode", "train|test", "default: train", request.mode, parse_mode);
  command.flag("--axis", "N", "channel axis, negative from the end (default: the preset's)",
               request.axis, parse_axis);
  command.flag("--eps", "NUMBER", "greater than 0 (default: the preset's)", request.eps, parse_eps);
  command.flag("--momentum", "NUMBER|null",
               "0 to 1, or null for the cumulative average (default: the preset's)",
               request.momentum.value, parse_momentum);
  command.flag("--momentum-weights", "running|batch",
               "the value that momentum multiplies (default: the preset's)",
               request.momentum.weights, parse_choice<MomentumWeights>);
  command.flag("--running-var-estimator", "biased|unbiased", "default: the preset's",
               request.momentum.running_var_estimator, parse_choice<VarEstimator>);
  command.flag("-o", "STATE.json", "where to write, - for standard output (required)",
               request.output);
  command.toggle("--force", "replace an existing file", request.force);
  add_verbose(command, request.run);
}

void check(const InitRequest& request) { require(request.output, "-o STATE.json"); }

struct Array {
  const NumberOrPath& given;
  io::Sign sign;
  std::vector<double> values;

  // Null for a number.
  [[nodiscard]] const std::string* path() const { return std::get_if<std::string>(&given); }
};

// The number of channels that --channels and all arrays agree on.
std::size_t agreed_channels(std::optional<std::size_t> channels, std::span<const Array> arrays) {
  std::string source = "--channels";
  for (const Array& array : arrays) {
    if (array.path() == nullptr) continue;
    const std::size_t found = array.values.size();
    if (channels && *channels != found) {
      throw io::input_error(*array.path(), std::to_string(found) + " values, but " + source +
                                               " says " + std::to_string(*channels) + " channels");
    }
    channels = found;
    source = io::printable(*array.path());
  }
  if (!channels) throw UsageError("how many channels? give --channels C or an array");
  return *channels;
}

void run(const InitRequest& request) {
  Report report(request.run);
  using Existing = io::OutputFile::Existing;
  io::Transaction transaction({.existing = request.force ? Existing::replace : Existing::refuse});
  io::OutputFile& output = transaction.add_output(request.output, "-o", io::FileKind::state);

  std::array<Array, 4> arrays = {{{request.gamma, io::Sign::any, {}},
                                  {request.beta, io::Sign::any, {}},
                                  {request.running_mean, io::Sign::any, {}},
                                  {request.running_var, io::Sign::not_negative, {}}}};
  for (Array& array : arrays) {
    if (array.path() != nullptr) array.values = io::read_vector(*array.path(), array.sign);
  }
  const std::size_t channels = agreed_channels(request.channels, arrays);
  io::naming_memory_for(request.output, io::count_text(channels, "channel"), [&] {
    for (Array& array : arrays) {
      if (array.path() == nullptr) array.values.assign(channels, std::get<double>(array.given));
    }
  });

  io::State state;
  state.mode = request.mode;
  state.axis = request.axis;
  state.eps = request.eps;
  state.momentum = request.momentum;
  state.gamma = std::move(arrays[0].values);
  state.beta = std::move(arrays[1].values);
  state.running_mean = std::move(arrays[2].values);
  state.running_var = std::move(arrays[3].values);
  state.num_batches_tracked = request.num_batches_tracked;
  io::spell_out(state);

  output.append(io::format_state(state));
  transaction.commit();

  report.note(output.name() + ": " + std::to_string(channels) + " channels");
  report.finish(0);
}

}  // namespace

Work define_init(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
