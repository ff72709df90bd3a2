#include "bn/forward.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "cli/commands.hpp"
#include "cli/error.hpp"
#include "cli/layer.hpp"
#include "cli/report.hpp"
#include "cli/values.hpp"
#include "io/array_reader.hpp"
#include "io/array_writer.hpp"
#include "io/cache.hpp"
#include "io/state.hpp"
#include "io/transaction.hpp"

namespace bn::cli {

namespace {

/// Below this a momentum that multiplies the old value forgets faster than it remembers.
constexpr double kForgetful = 0.5;

void warn_of_momentum(const Momentum& momentum, Report& report) {
  if (momentum.weights != MomentumWeights::running || !momentum.value) return;
  if (*momentum.value >= kForgetful) return;
  report.warn("momentum " + text(*momentum.value) +
              " multiplies the old running value and leaves the batch " +
              text(1 - *momentum.value) +
              "; if it is meant as in PyTorch, momentum_weights has to be \"batch\"");
}

void note_parameters(io::Mode mode, double eps, const Momentum& momentum, Report& report) {
  std::string line = "mode " + std::string(io::name(mode)) + ", eps " + text(eps);
  if (mode == io::Mode::train) {
    const bool running = momentum.weights == MomentumWeights::running;
    line += momentum.value ? ", momentum " + text(*momentum.value) + " of the " +
                                 (running ? "old running value" : "batch's value")
                           : std::string(", momentum null (cumulative average)");
    line += momentum.running_var_estimator == VarEstimator::biased ? ", running_var biased"
                                                                   : ", running_var unbiased";
  }
  report.note(line);
}

/// What --cache writes; `running`: what test mode normalised with.
io::Cache make_cache(const io::ArrayReader& x, io::Mode mode, std::ptrdiff_t axis,
                     const Parameters& parameters, const RunningStatistics& running,
                     ForwardResult result) {
  io::Cache cache;
  cache.mode = mode;
  cache.axis = axis;
  cache.shape = x.header().shape;
  cache.dtype = x.dtype();
  cache.order = x.header().order;
  cache.eps = parameters.eps;
  cache.gamma.assign(parameters.gamma.begin(), parameters.gamma.end());
  cache.x_checksum = result.x_checksum;
  const std::size_t channels = parameters.gamma.size();
  if (mode == io::Mode::test) {
    cache.mean = running.running_mean;
    cache.var = running.running_var;
  } else if (x.header().size() == 0) {  // no values, no statistics
    cache.mean.assign(channels, 0);
    cache.var.assign(channels, 0);
    cache.sums =
        Sums{x.view(axis).m(), std::vector<Dyadic>(channels), std::vector<Dyadic>(channels)};
  } else {
    cache.mean = std::move(result.statistics.mean);
    cache.var = std::move(result.statistics.var);
    cache.sums = std::move(result.sums);
  }
  return cache;
}

}  // namespace

void run(const ForwardRequest& request) {
  Report report(request.run);
  const io::State state = io::read_state(request.state);
  const io::Mode mode = effective_mode(state, request.mode);
  const bool train = mode == io::Mode::train;
  if (!train && request.state_out) throw UsageError("--state-out: test mode updates no state");
  const std::ptrdiff_t axis = request.axis.value_or(state.axis);
  Momentum momentum = state.momentum;
  if (request.momentum) momentum.value = *request.momentum;

  io::ArrayReader x(request.x);
  const View view = x.view(axis);
  const std::size_t channels = view.channel;
  state.require_channels(channels, x.name() + " has " + channels_text(x, axis));
  const std::vector<double> gamma = or_filled(state.gamma, channels, 1);
  const std::vector<double> beta = or_filled(state.beta, channels, 0);
  const Parameters parameters{gamma, beta, request.eps.value_or(state.eps)};
  RunningStatistics running;
  if (!train) running = trained_statistics(state, channels, parameters.eps, report);

  io::NpyHeader header;
  header.dtype = output_dtype(request.dtype, x.dtype());
  header.order = x.header().order;
  header.shape = x.header().shape;

  io::Transaction transaction(
      {request.run.fsync, std::chrono::duration<double>(request.run.lock_timeout)});
  const bool updates = train && request.update;
  if (updates && !request.state_out) {
    transaction.add_state(state, "--state");
  } else {
    transaction.protect(request.state, "--state");
  }
  if (updates && request.state_out) {
    transaction.add_state(state, *request.state_out, "--state-out");
  }
  io::OutputFile& y_file = transaction.add_output(request.y, "-o");
  io::OutputFile* cache_file =
      request.cache ? &transaction.add_output(*request.cache, "--cache") : nullptr;

  if (train) x.spool();  // the statistics need all of it before the first result
  io::ArrayWriter y(y_file, header);
  ForwardResult result;
  try {
    Execution execution = report.execution();
    execution.x_checksum = request.cache.has_value();
    result = train ? forward_train(view, x, parameters, y, execution)
                   : forward_test(view, x, running.running_mean, running.running_var, parameters, y,
                                  execution);
  } catch (const bn::Error& error) {
    throw explain(error, x, nullptr, axis);
  }
  x.finish();

  if (cache_file != nullptr) {
    cache_file->append(io::format_cache(make_cache(x, mode, axis, parameters, running, result)));
  }

  const bool empty = view.size() == 0;
  if (updates && !empty) {
    try {
      transaction.commit(channels, [&](RunningStatistics& statistics) {
        update(statistics, result.statistics, momentum);
      });
    } catch (const bn::Error& error) {
      throw explain(error, x, nullptr, axis);
    }
  } else if (updates && request.state_out) {
    transaction.commit(channels, [](RunningStatistics&) {});
  } else {
    transaction.commit();
  }

  if (train && empty) {
    report.warn(x.name() + ": an empty batch, " + x.shape() + "; the state stays as it was");
  } else if (train) {
    warn_of_small_batch(x, view, report);
  }
  if (updates) warn_of_momentum(momentum, report);
  warn_of_overflows(result.overflows, "y", y_file.name(), header.dtype, report);
  report.note_input(x, axis);
  note_parameters(mode, parameters.eps, momentum, report);
  report.finish(header.data_bytes());
}

}  // namespace bn::cli
