#include "bn/forward.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/error.hpp"
#include "cli/flags/values.hpp"
#include "cli/layer.hpp"
#include "cli/report.hpp"
#include "io/arrays/reader.hpp"
#include "io/arrays/writer.hpp"
#include "io/documents/cache.hpp"
#include "io/documents/state.hpp"
#include "io/documents/state_update.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

/// Below this a momentum that multiplies the old value forgets faster than it remembers.
constexpr double kForgetful = 0.5;

/// The layer as this run sees it: the state, what flags override, defaults.
struct Layer {
  Mode mode = Mode::train;
  std::ptrdiff_t axis = 1;
  double eps = 0;
  Momentum momentum;
  std::vector<double> gamma;
  std::vector<double> beta;
  RunningStatistics running;  ///< in test mode

  [[nodiscard]] bool train() const { return mode == Mode::train; }
};

Layer make_layer(const ForwardRequest& request, const io::State& state, const io::ArrayReader& x,
                 Report& report) {
  Layer layer;
  layer.mode = effective_mode(state, request.mode);
  if (!layer.train() && request.state_out) {
    throw UsageError("--state-out: test mode updates no state");
  }
  layer.axis = request.axis.value_or(state.axis);
  layer.eps = request.eps.value_or(state.eps);
  layer.momentum = state.momentum;
  if (request.momentum) layer.momentum.value = *request.momentum;
  const std::size_t channels = x.view(layer.axis).channel;
  state.require_channels(channels, x.name() + " has " + channels_text(x, layer.axis));
  layer.gamma = or_filled(state.gamma, channels, 1);
  layer.beta = or_filled(state.beta, channels, 0);
  if (!layer.train()) layer.running = trained_statistics(state, channels, layer.eps, report);
  return layer;
}

/// What becomes of the state: an update, in place or elsewhere, or none.
std::optional<io::StateUpdate> open_state(const ForwardRequest& request, const io::State& state,
                                          bool updates, io::Transaction& transaction) {
  if (updates && !request.state_out) {
    return io::StateUpdate::in_place(transaction, state, "--state",
                                     std::chrono::duration<double>(request.run.lock_timeout));
  }
  transaction.protect(request.state, "--state");
  if (!updates) return std::nullopt;
  return io::StateUpdate::elsewhere(transaction, state, *request.state_out, "--state-out");
}

ForwardResult normalise(const Layer& layer, io::ArrayReader& x, Sink& y,
                        const Execution& execution) {
  const View view = x.view(layer.axis);
  const Parameters parameters{layer.gamma, layer.beta, layer.eps};
  try {
    return layer.train() ? forward_train(view, x, parameters, y, execution)
                         : forward_test(view, x, layer.running.running_mean,
                                        layer.running.running_var, parameters, y, execution);
  } catch (const bn::Error& error) {
    throw explain(error, x, nullptr, layer.axis);
  }
}

io::Cache make_cache(const Layer& layer, const io::ArrayReader& x, const ForwardResult& result) {
  io::Cache cache;
  cache.mode = layer.mode;
  cache.axis = layer.axis;
  cache.shape = x.header().shape;
  cache.dtype = x.dtype();
  cache.order = x.header().order;
  cache.eps = layer.eps;
  cache.gamma = layer.gamma;
  cache.x_checksum = result.x_checksum;
  if (!layer.train()) {
    cache.mean = layer.running.running_mean;
    cache.var = layer.running.running_var;
  } else {
    cache.mean = result.statistics.mean;
    cache.var = result.statistics.var;
    cache.sums = result.sums;
  }
  return cache;
}

/// Makes everything visible, the state last.
void commit(const Layer& layer, const io::ArrayReader& x, const ForwardResult& result,
            const ForwardRequest& request, std::optional<io::StateUpdate>& state_update,
            io::Transaction& transaction) {
  const View view = x.view(layer.axis);
  if (state_update && view.size() != 0) {
    try {
      state_update->commit(view.channel, [&](RunningStatistics& running) {
        update(running, result.statistics, layer.momentum);
      });
    } catch (const bn::Error& error) {
      throw explain(error, x, nullptr, layer.axis);
    }
  } else if (state_update && request.state_out) {
    state_update->commit(view.channel, [](RunningStatistics&) {});  // a copy of the state
  } else {
    transaction.commit();
  }
}

void warn_of_momentum(const Momentum& momentum, Report& report) {
  if (momentum.weights != MomentumWeights::running || !momentum.value) return;
  if (*momentum.value >= kForgetful) return;
  report.warn("momentum " + text(*momentum.value) +
              " multiplies the old running value and leaves the batch " +
              text(1 - *momentum.value) +
              "; if it is meant as in PyTorch, momentum_weights has to be \"batch\"");
}

void note_layer(const Layer& layer, Report& report) {
  std::string line = "mode " + std::string(name(layer.mode)) + ", eps " + text(layer.eps);
  if (layer.train()) {
    const Momentum& momentum = layer.momentum;
    const bool running = momentum.weights == MomentumWeights::running;
    line += momentum.value ? ", momentum " + text(*momentum.value) + " of the " +
                                 (running ? "old running value" : "batch's value")
                           : std::string(", momentum null (cumulative average)");
    line += momentum.running_var_estimator == VarEstimator::biased ? ", running_var biased"
                                                                   : ", running_var unbiased";
  }
  report.note(line);
}

}  // namespace

void run(const ForwardRequest& request) {
  Report report(request.run);
  const io::State state = io::read_state(request.state);
  io::ArrayReader x(request.x);
  const Layer layer = make_layer(request, state, x, report);
  const bool updates = layer.train() && request.update;

  io::Transaction transaction({.sync = request.run.fsync});
  std::optional<io::StateUpdate> state_update = open_state(request, state, updates, transaction);
  io::OutputFile& y_file = transaction.add_output(request.y, "-o");
  io::OutputFile* cache_file =
      request.cache ? &transaction.add_output(*request.cache, "--cache") : nullptr;

  if (layer.train()) x.spool();  // the statistics need all of it before the first result
  io::ArrayHeader header;
  header.dtype = output_dtype(request.dtype, x.dtype());
  header.order = x.header().order;
  header.shape = x.header().shape;
  io::ArrayWriter y(y_file, header);
  Execution execution = report.execution();
  execution.x_checksum = request.cache.has_value();
  const ForwardResult result = normalise(layer, x, y, execution);
  x.finish();
  if (cache_file != nullptr) cache_file->append(io::format_cache(make_cache(layer, x, result)));
  commit(layer, x, result, request, state_update, transaction);

  const View view = x.view(layer.axis);
  if (layer.train() && view.size() == 0) {
    report.warn(x.name() + ": an empty batch, " + x.shape() + "; the state stays as it was");
  } else if (layer.train()) {
    warn_of_small_batch(x, view, report);
  }
  if (updates) warn_of_momentum(layer.momentum, report);
  warn_of_overflows(result.overflows, "y", y_file.name(), header.dtype, report);
  report.note_input(x, layer.axis);
  note_layer(layer, report);
  report.finish(header.data_bytes());
}

}  // namespace bn::cli
