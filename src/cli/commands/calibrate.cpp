// bn calibrate: running statistics from a whole dataset.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  std::vector<std::string> inputs;
  bool average_batches = false;
  std::optional<std::ptrdiff_t> axis;
  RunOptions run;
};

void add_flags(Command& command, CalibrateRequest& request) {
  command.describe(
      {"Sets the running statistics from a whole dataset.", "INPUT... --state STATE.json",
       "They become the mean and the variance, by the state's estimator, of all inputs\n"
       "together.\n"
       "Examples:\n"
       "  bn calibrate --state state.json batch*.npy\n"
       "  bn calibrate --state state.json --average-batches batch*.npy\n"});
  add_inputs(command, request.inputs);
  command.flag("--state", "STATE.json", "the state to change (required)", request.state);
  command.toggle("--average-batches",
                 "average the means and the variances of the inputs, each one a batch, instead of "
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
    for (const Dyadic& sum : sums_) averages.push_back(quotient(sum, count_).hi);
    return averages;
  }

 private:
  std::vector<Dyadic> sums_;
  std::uint64_t count_ = 0;
};

std::optional<Calibration> pooled(const CalibrateRequest& request, const io::State& state,
                                  std::ptrdiff_t axis, Report& report) {
  return calibration_of(pool_inputs(request.inputs, axis, &state, report),
                        state.momentum.running_var_estimator, "all inputs together");
}

// The rule of Ioffe and Szegedy 2015, algorithm 2: the expectations of the batches' statistics.
std::optional<Calibration> averaged(const CalibrateRequest& request, const io::State& state,
                                    std::ptrdiff_t axis, Report& report) {
  ExactAverage mean;
  ExactAverage var;
  bool any = false;
  for_each_input(request.inputs, axis, &state, report, [&](const Input& batch) {
    const std::optional<Calibration> statistics =
        calibration_of(batch.sums, state.momentum.running_var_estimator, batch.name);
    if (!statistics) return;
    any = true;
    mean.add(statistics->mean);
    var.add(statistics->var);
  });
  if (!any) return std::nullopt;
  return Calibration{mean.get(), var.get()};
}

void run(const CalibrateRequest& request) {
  Report report(request.run);
  io::StateUpdate::require_regular(request.state);
  const io::State state = io::read_state(request.state);
  const std::ptrdiff_t axis = request.axis.value_or(state.axis);
  io::Transaction transaction;
  io::StateUpdate state_update = io::StateUpdate::in_place(
      transaction, state, "--state", std::chrono::duration<double>(request.run.lock_timeout));

  const std::optional<Calibration> calibration = request.average_batches
                                                     ? averaged(request, state, axis, report)
                                                     : pooled(request, state, axis, report);
  if (calibration) {
    state_update.commit(calibration->mean.size(), [&](RunningStatistics& running) {
      running.running_mean = calibration->mean;
      running.running_var = calibration->var;
    });
  } else {
    report.warn("no values to calibrate with; " + io::printable(state.path) + " stays as it was");
  }
  report.finish(0);
}

}  // namespace

Work define_calibrate(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
