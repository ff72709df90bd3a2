#include "cli/layer.hpp"

#include <algorithm>
#include <string>

#include "cli/error.hpp"
#include "cli/flags/values.hpp"

namespace bn::cli {

namespace {

constexpr std::size_t kSmallBatch = 8;
/// eps changes inv_std by 0.5 % where the variance is 100 times eps, so below a hundredth of eps
/// the variance changes it by no more.
constexpr double kNegligible = 0.01;

bool all_equal(const std::vector<double>& values, double value) {
  return std::all_of(values.begin(), values.end(), [value](double v) { return v == value; });
}

bool never_updated(const RunningStatistics& running) {
  return running.num_batches_tracked == 0 && all_equal(running.running_mean, 0) &&
         (all_equal(running.running_var, 0) || all_equal(running.running_var, 1));
}

}  // namespace

Mode effective_mode(const io::State& state, std::optional<Mode> flag) {
  if (flag) return *flag;
  if (state.mode) return *state.mode;
  throw UsageError(state.path + " has no mode; give --mode train or --mode test");
}

std::vector<double> or_filled(const std::optional<std::vector<double>>& values,
                              std::size_t channels, double value) {
  return values ? *values : std::vector<double>(channels, value);
}

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

void warn_of_small_batch(const io::ArrayReader& x, const View& view, Report& report) {
  if (view.channel != 0 && view.m() < kSmallBatch) {
    report.warn(x.name() + ": only " + std::to_string(view.m()) +
                " values a channel; the statistics of so small a batch say little");
  }
}

void warn_of_overflows(std::size_t overflows, const std::string& array, const std::string& file,
                       Dtype dtype, Report& report) {
  if (overflows == 0) return;
  report.warn(file + ": " + std::to_string(overflows) +
              (overflows == 1 ? " value of " : " values of ") + array +
              (overflows == 1 ? " is" : " are") + " beyond the range of " +
              std::string(name(dtype)) + " and became infinite");
}

Dtype output_dtype(std::optional<Dtype> flag, Dtype input) {
  if (flag) return *flag;
  return is_floating(input) ? input : Dtype::float64;
}

}  // namespace bn::cli
