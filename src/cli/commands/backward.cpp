// bn backward: the gradients of a forward pass.
#include "bn/backward.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
#include "cli/layer.hpp"
#include "cli/report.hpp"
#include "io/arrays/reader.hpp"
#include "io/arrays/writer.hpp"
#include "io/documents/cache.hpp"
#include "io/documents/state.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

// Paths may be "-", standard input or output.
struct BackwardRequest {
  std::string dy;
  std::string x;
  std::optional<std::string> cache;  // either this
  std::optional<std::string> state;  // or this
  std::optional<std::string> dx;
  std::optional<std::string> dgamma;
  std::optional<std::string> dbeta;
  Overrides layer;  // mode, axis and eps, with a state only
  std::optional<Dtype> dtype;
  RunOptions run;
};

void add_flags(Command& command, BackwardRequest& request) {
  command.describe(
      {"Computes the gradients of bn forward.",
       "DY.npy --x X.npy (--cache CACHE.json | --state STATE.json)",
       "Writes those of dx, dgamma and dbeta that are asked for, at least one.\n"
       "Examples:\n"
       "  bn backward dy.npy --x x.npy --cache cache.json --dx dx.npy --dgamma dgamma.npy\n"
       "  bn backward dy.npy --x x.npy --state state.json --mode train --dbeta -\n" +
           std::string(kAboutTemporaryFiles)});
  command.positional("DY", "dloss/dy, .npy, of the shape of X, - for standard input", request.dy);
  command.flag("--x", "X.npy", "what went into bn forward, - for standard input (required)",
               request.x);
  command.flag("--cache", "CACHE.json", "what bn forward --cache wrote", request.cache);
  command.flag("--state", "STATE.json",
               "instead of a cache: the statistics of X (train) or the running ones (test)",
               request.state);
  command.flag("--dx", "DX.npy", "write dloss/dx, of the shape of DY", request.dx);
  command.flag("--dgamma", "DGAMMA.npy", "write dloss/dgamma, of shape (C,)", request.dgamma);
  command.flag("--dbeta", "DBETA.npy", "write dloss/dbeta, of shape (C,)", request.dbeta);
  add_mode(command, request.layer.mode);
  add_axis(command, request.layer.axis);
  add_eps(command, request.layer.eps);
  add_dtype(command, request.dtype);
  add_computing(command, request.run);
  add_force(command, request.run);
  add_fsync(command, request.run);
}

void check(const BackwardRequest& request) {
  require(request.dy, "DY");
  require(request.x, "--x X.npy");
  if (request.cache.has_value() == request.state.has_value()) {
    throw UsageError("give either --cache CACHE.json or --state STATE.json");
  }
  if (request.cache && request.layer.mode) {
    throw UsageError("--mode: the cache says which mode it was");
  }
  if (request.cache && request.layer.axis) {
    throw UsageError("--axis: the cache says which axis it was");
  }
  if (request.cache && request.layer.eps) {
    throw UsageError("--eps: the cache says which eps it was");
  }
  if (!request.dx && !request.dgamma && !request.dbeta) {
    throw UsageError("nothing to write: give --dx, --dgamma or --dbeta");
  }
  require_one_dash_at_most({request.dy, request.x}, "standard input");
  require_one_dash_at_most({request.dx, request.dgamma, request.dbeta}, "standard output");
}

// The forward pass whose gradients are asked for.
struct ForwardPass {
  Layer layer;
  Order order = Order::c;  // of x in memory
  // Where a cache has them:
  std::optional<Sums> sums;  // of x
  std::optional<std::uint64_t> x_checksum;
};

io::Error other_x(const io::ArrayReader& x, const std::string& cache, const std::string& why) {
  return io::input_error(
      x.name(), "not the x of the forward pass that wrote " + io::printable(cache) + ": " + why);
}

ForwardPass from_cache(const std::string& path, const io::ArrayReader& x) {
  io::Cache cache = io::read_cache(path);
  if (cache.shape != x.header().shape) {
    throw other_x(x, path, "its shape is " + x.shape() + ", not " + io::shape_text(cache.shape));
  }
  if (cache.dtype != x.dtype()) {
    throw other_x(
        x, path,
        "its dtype is " + std::string(name(x.dtype())) + ", not " + std::string(name(cache.dtype)));
  }
  ForwardPass pass;
  pass.layer.mode = cache.mode;
  pass.layer.axis = cache.axis;
  pass.layer.eps = cache.eps;
  pass.layer.gamma = std::move(cache.gamma);
  pass.layer.running.running_mean = std::move(cache.mean);
  pass.layer.running.running_var = std::move(cache.var);
  pass.order = cache.order;
  pass.sums = std::move(cache.sums);
  pass.x_checksum = cache.x_checksum;
  return pass;
}

ForwardPass from_state(const std::string& path, const Overrides& overrides,
                       const io::ArrayReader& x, Report& report, io::Transaction& transaction) {
  ForwardPass pass;
  const io::State state = io::read_state(path);
  io::protect_parameters(transaction, state, "--state");
  pass.layer = layer_of_state(state, overrides, x, report);
  pass.order = x.header().order;
  return pass;
}

BackwardResult differentiate(const ForwardPass& pass, io::ArrayReader& x, io::ArrayReader& dy,
                             Sink* dx, const BackwardRequest& request, const Execution& execution,
                             Checksum checksum) {
  const Layer& layer = pass.layer;
  const View view = x.view(layer.axis);
  const Sums* sums = pass.sums ? &*pass.sums : nullptr;
  try {
    BackwardResult result =
        layer.train()
            ? backward_train(view, x, dy, sums, layer.gamma, layer.eps, dx, execution, checksum)
            : backward_test(view, x, dy, layer.running.running_mean, layer.running.running_var,
                            layer.gamma, layer.eps, dx, execution, checksum);
    // Beyond the range of double they matter only where they are asked for.
    if (request.dgamma) result.check_dgamma();
    if (request.dbeta) result.check_dbeta();
    return result;
  } catch (const bn::Error& error) {
    throw explain(error, x, &dy, layer.axis);
  }
}

void require_same_x(const ForwardPass& pass, const io::ArrayReader& x,
                    const BackwardRequest& request, const BackwardResult& result) {
  if (pass.x_checksum && *pass.x_checksum != result.x_checksum) {
    throw other_x(x, *request.cache, "its values are others");
  }
}

// The other warnings, and what --verbose says.
void report_on(const ForwardPass& pass, const io::ArrayReader& x, const io::ArrayReader& dy,
               const BackwardRequest& request, Report& report) {
  const Layer& layer = pass.layer;
  if (x.header().size() == 0) {
    report.warn(x.name() + ": an empty batch, " + x.shape() + "; its gradients are zero");
  } else if (layer.train()) {
    report.warn_of_small_batch(x, x.view(layer.axis));
  }
  report.note_input(x, layer.axis);
  report.note_input(dy, layer.axis);
  report.note("mode " + std::string(name(layer.mode)) + ", eps " + text(layer.eps) +
              (request.cache   ? ", statistics from the cache"
               : layer.train() ? ", statistics of x"
                               : ""));
}

void backward(const BackwardRequest& request, io::ArrayReader& x, io::ArrayReader& dy,
              Report& report) {
  require_same_shape(dy, x);
  io::Transaction transaction(output_options(request.run));
  const ForwardPass pass = request.cache
                               ? from_cache(*request.cache, x)
                               : from_state(*request.state, request.layer, x, report, transaction);
  if (request.cache) transaction.protect(*request.cache, "--cache");
  if (request.state) transaction.protect(*request.state, "--state");
  const auto add_output = [&transaction](const std::optional<std::string>& path,
                                         const char* flag) -> io::OutputFile* {
    if (!path) return nullptr;
    io::OutputFile& file = transaction.add_output(*path, flag, io::FileKind::array);
    io::refuse_terminal(file);
    return &file;
  };
  io::OutputFile* dx_file = add_output(request.dx, "--dx");
  io::OutputFile* dgamma_file = add_output(request.dgamma, "--dgamma");
  io::OutputFile* dbeta_file = add_output(request.dbeta, "--dbeta");

  x.spool();
  dy.spool();
  const Execution execution = report.execution();
  Checksum checksum = pass.x_checksum ? Checksum::of_x : Checksum::none;
  const Order order = dy.header().order;  // and of dx
  const bool leaves_at_once = dx_file != nullptr && dx_file->sequential();
  if (leaves_at_once || (pass.x_checksum && pass.order != order)) {
    // What a pipe has got cannot be taken back, so everything that can go wrong does so before; and
    // the checksum of x is that of the forward pass only in the memory order of the forward pass.
    x.reorder(pass.order);
    dy.reorder(pass.order);
    require_same_x(pass, x, request,
                   differentiate(pass, x, dy, nullptr, request, execution, checksum));
    checksum = Checksum::none;
  }
  x.reorder(order);
  dy.reorder(order);

  const io::ArrayHeader header = output_header(request.dtype, dy.header());
  std::optional<io::ArrayWriter> dx;
  if (dx_file != nullptr) dx.emplace(*dx_file, header);
  const BackwardResult result =
      differentiate(pass, x, dy, dx ? &*dx : nullptr, request, execution, checksum);
  if (checksum == Checksum::of_x) require_same_x(pass, x, request, result);
  x.finish();
  dy.finish();
  if (dgamma_file != nullptr) io::write_vector(*dgamma_file, result.dgamma);
  if (dbeta_file != nullptr) io::write_vector(*dbeta_file, result.dbeta);
  transaction.commit();

  report_on(pass, x, dy, request, report);
  if (dx) report.warn_of_overflows(result.counts.overflows, "dx", dx_file->name(), header.dtype);
  report.note_undecided(result.counts);
  report.finish(dx ? header.data_bytes() : 0);
}

void run(const BackwardRequest& request) {
  Report report(request.run);
  io::ArrayReader x(request.x);
  io::ArrayReader dy(request.dy);
  with_memory_for(x, [&] { backward(request, x, dy, report); });
}

}  // namespace

Work define_backward(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
