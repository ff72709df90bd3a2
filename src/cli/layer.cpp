#include "cli/layer.hpp"

#include <algorithm>
#include <string>

#include "cli/error.hpp"

namespace bn::cli {

namespace {

// eps changes inv_std by 0.5 % where the variance is 100 times eps, so below a hundredth of eps
// the variance changes it by no more.
constexpr double kNegligible = 0.01;

bool all_equal(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [value](double v) { return v == value; });
}

bool never_updated(const RunningStatistics& running) {
  return running.num_batches_tracked == 0 && all_equal(running.running_mean, 0) &&
         (all_equal(running.running_var, 0) || all_equal(running.running_var, 1));
}

// The values or, where there are none, `value` for every channel.
std::vector<double> or_filled(const std::optional<std::vector<double>>& values,
                              std::size_t channels, double value) {
  return values ? *values : std::vector<double>(channels, value);
}

// The state's running statistics, without which there is no test mode.
RunningStatistics trained_statistics(const io::State& state, std::size_t channels, double eps,
                                     Report& report) {
  if (!state.running_mean || !state.running_var) {
    const char* missing = state.running_mean ? "running_var" : "running_mean";
    throw io::input_error(state.path, std::string("no ") + missing +
                                          ", which test mode normalises with; get it by bn forward "
                                          "--mode train or bn calibrate");
  }
  RunningStatistics running = io::running_statistics(state, channels);
  const auto negligible = std::count_if(running.running_var.begin(), running.running_var.end(),
                                        [eps](double var) { return var < kNegligible * eps; });
  const std::string file = io::printable(state.path);
  if (channels != 0 && never_updated(running)) {
    report.warn(file +
                ": the running statistics were never updated; train them by bn forward --mode "
                "train or set them by bn calibrate");
  } else if (negligible != 0) {
    report.warn(file + ": running_var of " + std::to_string(negligible) + " of " +
                std::to_string(channels) + " channels is less than a hundredth of eps (" +
                text(eps) + "), so that it no longer matters there");
  }
  return running;
}

}  // namespace

View AxisChoice::view(const io::ArrayReader& array) const {
  return array.view(axis(), flag ? "--axis" : "the axis of " + io::printable(state->path));
}

std::string AxisChoice::hint(const io::ArrayReader& array) const {
  return state != nullptr ? axis_hint(array, axis(), state->channels()) : "";
}

Mode effective_mode(const io::State& state, std::optional<Mode> flag) {
  if (flag) return *flag;
  if (state.mode) return *state.mode;
  throw UsageError(state.path + " has no mode; give --mode train or --mode test");
}

Layer layer_of_state(const io::State& state, const Overrides& overrides, const io::ArrayReader& x,
                     Report& report) {
  Layer layer;
  layer.mode = effective_mode(state, overrides.mode);
  const AxisChoice choice{overrides.axis, &state};
  layer.axis = choice.axis();
  layer.eps = overrides.eps.value_or(state.eps);
  layer.momentum = state.momentum;
  if (overrides.momentum) layer.momentum.value = *overrides.momentum;
  const std::size_t channels = choice.view(x).channel;
  state.require_channels(channels,
                         x.name() + " has " + channels_text(x, layer.axis) + choice.hint(x));
  layer.gamma = or_filled(state.gamma, channels, 1);
  layer.beta = or_filled(state.beta, channels, 0);
  if (!layer.train()) layer.running = trained_statistics(state, channels, layer.eps, report);
  return layer;
}

io::ArrayHeader output_header(std::optional<Dtype> flag, const io::ArrayHeader& input) {
  io::ArrayHeader header;
  header.dtype = flag.value_or(is_floating(input.dtype) ? input.dtype : Dtype::float64);
  header.order = input.order;
  header.shape = input.shape;
  return header;
}

}  // namespace bn::cli
