// bn forward: normalises an array and, in train mode, updates the running statistics.
#include "bn/forward.hpp"

#include <chrono>
#include <optional>
#include <string>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
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

// Below this a momentum that multiplies the old value forgets faster than it remembers.
constexpr double kForgetful = 0.5;

// Paths may be "-", standard input or output.
struct ForwardRequest {
  std::string x;
  std::string y;
  std::string state;
  std::optional<std::string> cache;
  std::optional<std::string> state_out;  // where the updated state goes; none: in place
  bool update = true;                    // of the running statistics, in train mode
  Overrides layer;
  std::optional<Dtype> dtype;
  RunOptions run;
};

void add_flags(Command& command, ForwardRequest& request) {
  command.describe(
      {"Normalises an array and, in train mode, updates the running statistics.",
       "X.npy --state STATE.json -o Y.npy",
       "Train mode normalises with the statistics of X itself, test mode with the running\n"
       "ones. Options override the state's keys for this run and are not written to it.\n"
       "Examples:\n"
       "  bn forward x.npy --state state.json -o y.npy --mode train --cache cache.json\n"
       "  bn forward - --state state.json --mode test -o - < x.npy > y.npy\n" +
           std::string(kAboutTemporaryFiles)});
  command.positional("X", "array, .npy, - for standard input", request.x);
  command.flag("--state", "STATE.json", "parameters and running statistics (required)",
               request.state);
  command.flag("-o", "Y.npy", "where y goes, - for standard output (required)", request.y);
  add_mode(command, request.layer.mode);
  add_axis(command, request.layer.axis);
  add_eps(command, request.layer.eps);
  add_momentum(command, request.layer.momentum);
  command.flag("--cache", "CACHE.json", "write what bn backward needs besides X", request.cache);
  command.flag("--state-out", "STATE.json", "write the updated state here, not in place",
               request.state_out);
  command.toggle("--no-update", "leave the running statistics as they are", request.update, false);
  add_dtype(command, request.dtype);
  add_computing(command, request.run);
  add_lock_timeout(command, request.run);
  add_force(command, request.run);
  add_fsync(command, request.run);
}

void check(const ForwardRequest& request) {
  require(request.x, "X");
  require(request.state, "--state STATE.json");
  require(request.y, "-o Y.npy");
  refuse_dash(request.state, "--state");
  if (request.state_out && !request.update) {
    throw UsageError("--state-out and --no-update contradict each other");
  }
  require_one_dash_at_most({request.y, request.cache, request.state_out}, "standard output");
}

// A state that can only be refused once it is read need not be: a named pipe may never have
// anything to say. Without --mode what is open already is read all the same, for its mode may be
// test.
void refuse_to_wait(const ForwardRequest& request) {
  if (!request.update || request.state_out || request.layer.mode == Mode::test) return;
  const bool open = io::resolve_target(request.state).descriptor >= 0;
  if (request.layer.mode || !open) io::StateUpdate::require_regular(request.state);
}

// What becomes of the state: an update, in place or elsewhere, or none.
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

ForwardResult normalise(const Layer& layer, io::ArrayReader& x, Sink& y, const Execution& execution,
                        Checksum checksum, const AcceptStatistics& accept) {
  const View view = x.view(layer.axis);
  const Parameters parameters{layer.gamma, layer.beta, layer.eps};
  try {
    return layer.train()
               ? forward_train(view, x, parameters, y, execution, checksum, accept)
               : forward_test(view, x, layer.running.running_mean, layer.running.running_var,
                              parameters, y, execution, checksum);
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

// Makes everything visible, the state last.
void commit(const Layer& layer, const io::ArrayReader& x, const ForwardResult& result,
            const ForwardRequest& request, std::optional<io::StateUpdate>& state_update,
            io::Transaction& transaction) {
  const View view = x.view(layer.axis);
  if (state_update && view.size() != 0) {
    state_update->commit(view.channel, [&](RunningStatistics& running) {
      update(running, result.statistics, layer.momentum);
    });
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
    line += ", running_var " + std::string(name(momentum.running_var_estimator));
  }
  report.note(line);
}

void forward(const ForwardRequest& request, const io::State& state, io::ArrayReader& x,
             Report& report) {
  if (request.state_out && effective_mode(state, request.layer.mode) == Mode::test) {
    throw UsageError("--state-out: test mode updates no state");
  }
  const Layer layer = layer_of_state(state, request.layer, x, report);
  const bool updates = layer.train() && request.update;

  io::Transaction transaction(output_options(request.run));
  io::protect_parameters(transaction, state, "--state");
  std::optional<io::StateUpdate> state_update = open_state(request, state, updates, transaction);
  io::OutputFile& y_file = transaction.add_output(request.y, "-o", io::FileKind::array);
  io::refuse_terminal(y_file);
  io::OutputFile* cache_file =
      request.cache ? &transaction.add_output(*request.cache, "--cache", io::FileKind::cache)
                    : nullptr;

  if (layer.train()) x.spool();  // the statistics need all of it before the first result
  const io::ArrayHeader header = output_header(request.dtype, x.header());
  io::ArrayWriter y(y_file, header);
  const Checksum checksum = request.cache ? Checksum::of_x : Checksum::none;
  // Statistics beyond the range of double matter only where they are kept.
  const auto accept = [&](const Statistics& statistics) {
    if (updates) check_update(statistics, layer.momentum.running_var_estimator);
    if (request.cache) statistics.check_range();
  };
  const ForwardResult result = normalise(layer, x, y, report.execution(), checksum, accept);
  x.finish();
  if (cache_file != nullptr) cache_file->append(io::format_cache(make_cache(layer, x, result)));
  commit(layer, x, result, request, state_update, transaction);

  const View view = x.view(layer.axis);
  if (layer.train() && view.size() == 0) {
    report.warn(x.name() + ": an empty batch, " + x.shape() + "; the state stays as it was");
  } else if (layer.train()) {
    report.warn_of_small_batch(x, view);
  }
  if (updates) warn_of_momentum(layer.momentum, report);
  report.warn_of_overflows(result.counts.overflows, "y", y_file.name(), header.dtype);
  report.note_input(x, layer.axis);
  note_layer(layer, report);
  report.note_undecided(result.counts);
  report.finish(header.data_bytes());
}

void run(const ForwardRequest& request) {
  Report report(request.run);
  refuse_to_wait(request);
  const io::State state = io::read_state(request.state);
  io::ArrayReader x(request.x);
  with_memory_for(x, [&] { forward(request, state, x, report); });
}

}  // namespace

Work define_forward(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
