// bn calibrate: running statistics from a whole dataset.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bn/exact/nearest.hpp"
#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
#include "cli/inputs.hpp"
#include "cli/report.hpp"
#include "io/documents/state.hpp"
#include "io/documents/state_update.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

struct CalibrateRequest {
  std::string state;
  InputNames inputs;
  bool average_batches = false;
  std::optional<std::ptrdiff_t> axis;
  RunOptions run;
};

void add_flags(Command& command, CalibrateRequest& request) {
  command.describe(
      {"Sets the running statistics from a whole dataset.",
       "(INPUT... | --files0-from FILE) --state STATE.json",
       "They become the mean and the variance, by the state's estimator, of all inputs\n"
       "together. num_batches_tracked stays as it is, but where the state's momentum is null\n"
       "(the cumulative average) it becomes the number of arrays and parts that have values.\n"
       "Examples:\n"
       "  bn calibrate --state state.json batch*.npy\n"
       "  bn calibrate --state state.json --average-batches batch*.npy\n" +
           std::string(kAboutTemporaryFiles)});
  add_inputs(command, request.inputs);
  command.flag("--state", "STATE.json", "the state to change (required)", request.state);
  command.toggle(
      "--average-batches",
      "average the means and the variances of the arrays and parts, each one a batch, instead of "
      "pooling their values",
      request.average_batches);
  add_axis(command, request.axis);
  add_computing(command, request.run);
  add_lock_timeout(command, request.run);
}

void check(const CalibrateRequest& request) {
  require_inputs(request.inputs);
  require(request.state, "--state STATE.json");
  refuse_dash(request.state, "--state");
}

// What the running statistics become.
struct Calibration {
  std::vector<double> mean;
  std::vector<double> var;
  std::uint64_t batches = 1;  // that it comes from
};

// Mean and variance of values that came from `source`; none where there are no values.
std::optional<Calibration> calibration_of(const Sums& sums, VarEstimator estimator,
                                          std::string_view source) {
  if (sums.count == 0) return std::nullopt;
  const bool unbiased = estimator == VarEstimator::unbiased;
  if (unbiased && sums.count == 1) {
    throw io::input_error(source, "one value per channel has no unbiased variance");
  }
  try {
    Statistics statistics = bn::statistics(sums);
    check_update(statistics, estimator);
    return Calibration{std::move(statistics.mean),
                       std::move(unbiased ? statistics.var_unbiased : statistics.var)};
  } catch (const RangeError& error) {
    throw explain(error, source);
  }
}

// Averages that do not depend on the order of what is averaged.
class ExactAverage {
 public:
  void add(const std::vector<double>& values) {
    sums_.resize(values.size());
    for (std::size_t c = 0; c < values.size(); ++c) sums_[c] += Dyadic(values[c]);
    ++count_;
  }

  [[nodiscard]] std::vector<double> get() const {
    std::vector<double> averages;
    for (const Dyadic& sum : sums_) averages.push_back(quotient(sum, count_));
    return averages;
  }

 private:
  std::vector<Dyadic> sums_;
  std::uint64_t count_ = 0;
};

std::optional<Calibration> pooled(const std::vector<std::string>& inputs, const io::State& state,
                                  std::optional<std::ptrdiff_t> axis_flag, Report& report) {
  const Pool pool = pool_inputs(inputs, axis_flag, &state, report);
  std::optional<Calibration> calibration =
      calibration_of(pool.sums, state.momentum.running_var_estimator, "all inputs together");
  if (calibration) calibration->batches = pool.batches;
  return calibration;
}

// The rule of Ioffe and Szegedy 2015, algorithm 2: the expectations of the batches' statistics.
std::optional<Calibration> averaged(const std::vector<std::string>& inputs, const io::State& state,
                                    std::optional<std::ptrdiff_t> axis_flag, Report& report) {
  ExactAverage mean;
  ExactAverage var;
  std::uint64_t batches = 0;
  for_each_input(inputs, axis_flag, &state, report, [&](const Input& batch) {
    const std::optional<Calibration> statistics =
        calibration_of(batch.sums, state.momentum.running_var_estimator, batch.name);
    if (!statistics) return;
    ++batches;
    mean.add(statistics->mean);
    var.add(statistics->var);
  });
  if (batches == 0) return std::nullopt;
  return Calibration{mean.get(), var.get(), batches};
}

void run(const CalibrateRequest& request) {
  Report report(request.run);
  const std::vector<std::string> inputs = input_names(request.inputs);
  io::StateUpdate::require_regular(request.state);
  const io::State state = io::read_state(request.state);
  io::Transaction transaction;
  io::StateUpdate state_update = io::StateUpdate::in_place(
      transaction, state, "--state", std::chrono::duration<double>(request.run.lock_timeout));

  const std::optional<Calibration> calibration = request.average_batches
                                                     ? averaged(inputs, state, request.axis, report)
                                                     : pooled(inputs, state, request.axis, report);
  if (calibration) {
    state_update.commit(calibration->mean.size(), [&](RunningStatistics& running) {
      running.running_mean = calibration->mean;
      running.running_var = calibration->var;
      // The cumulative average goes on as if it had seen these batches; with a number as momentum
      // the next batch weighs the same whatever came before, and how many that was stays known.
      if (!state.momentum.value) running.num_batches_tracked = calibration->batches;
    });
  } else {
    report.warn("no values to calibrate with; " + io::printable(state.path) + " stays as it was");
  }
  report.finish(0);
}

}  // namespace

Work define_calibrate(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
