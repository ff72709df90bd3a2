#include "bn/backward.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
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
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

/// The forward pass whose gradients are asked for.
struct ForwardPass {
  Mode mode = Mode::train;
  std::ptrdiff_t axis = 1;
  double eps = 0;
  std::vector<double> gamma;
  RunningStatistics running;  ///< in test mode
  std::optional<Sums> sums;   ///< of x, where a cache has them
  Order order = Order::c;     ///< of x in memory
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
  pass.mode = cache.mode;
  pass.axis = cache.axis;
  pass.eps = cache.eps;
  pass.gamma = std::move(cache.gamma);
  pass.running.running_mean = std::move(cache.mean);
  pass.running.running_var = std::move(cache.var);
  pass.sums = std::move(cache.sums);
  pass.order = cache.order;
  pass.x_checksum = cache.x_checksum;
  return pass;
}

ForwardPass from_state(const BackwardRequest& request, const io::ArrayReader& x, Report& report) {
  const io::State state = io::read_state(*request.state);
  ForwardPass pass;
  pass.mode = effective_mode(state, request.mode);
  pass.axis = request.axis.value_or(state.axis);
  pass.eps = state.eps;
  const std::size_t channels = x.view(pass.axis).channel;
  state.require_channels(channels, x.name() + " has " + channels_text(x, pass.axis));
  pass.gamma = or_filled(state.gamma, channels, 1);
  if (pass.mode == Mode::test) {
    pass.running = trained_statistics(state, channels, pass.eps, report);
  }
  pass.order = x.header().order;
  return pass;
}

BackwardResult differentiate(const ForwardPass& pass, io::ArrayReader& x, io::ArrayReader& dy,
                             Sink* dx, const Execution& execution) {
  const View view = x.view(pass.axis);
  try {
    if (pass.mode == Mode::test) {
      return backward_test(view, x, dy, pass.running.running_mean, pass.running.running_var,
                           pass.gamma, pass.eps, dx, execution);
    }
    const Sums* sums = pass.sums ? &*pass.sums : nullptr;
    return backward_train(view, x, dy, sums, pass.gamma, pass.eps, dx, execution);
  } catch (const bn::Error& error) {
    throw explain(error, x, &dy, pass.axis);
  }
}

void require_same_x(const ForwardPass& pass, const io::ArrayReader& x,
                    const BackwardRequest& request, const BackwardResult& result) {
  if (pass.x_checksum && *pass.x_checksum != result.x_checksum) {
    throw other_x(x, *request.cache, "its values are others");
  }
}

}  // namespace

void run(const BackwardRequest& request) {
  Report report(request.run);
  io::ArrayReader x(request.x);
  io::ArrayReader dy(request.dy);
  if (x.header().shape != dy.header().shape) {
    throw io::input_error(
        dy.name(), "the shape " + dy.shape() + ", but " + x.name() + " has the shape " + x.shape());
  }
  const ForwardPass pass =
      request.cache ? from_cache(*request.cache, x) : from_state(request, x, report);

  io::Transaction transaction({.sync = request.run.fsync});
  if (request.cache) transaction.protect(*request.cache, "--cache");
  if (request.state) transaction.protect(*request.state, "--state");
  const auto add_output = [&transaction](const std::optional<std::string>& path,
                                         const char* flag) -> io::OutputFile* {
    return path ? &transaction.add_output(*path, flag) : nullptr;
  };
  io::OutputFile* dx_file = add_output(request.dx, "--dx");
  io::OutputFile* dgamma_file = add_output(request.dgamma, "--dgamma");
  io::OutputFile* dbeta_file = add_output(request.dbeta, "--dbeta");

  x.spool();
  dy.spool();
  Execution execution = report.execution();
  execution.x_checksum = pass.x_checksum.has_value();
  const Order order = dy.header().order;  // and of dx
  const bool leaves_at_once = dx_file != nullptr && dx_file->sequential();
  if (leaves_at_once || (pass.x_checksum && pass.order != order)) {
    // What a pipe has got cannot be taken back, so everything that can go wrong does so before; and
    // the checksum of x is that of the forward pass only in the memory order of the forward pass.
    x.reorder(pass.order);
    dy.reorder(pass.order);
    require_same_x(pass, x, request, differentiate(pass, x, dy, nullptr, execution));
    execution.x_checksum = false;
  }
  x.reorder(order);
  dy.reorder(order);

  io::ArrayHeader header;
  header.dtype = output_dtype(request.dtype, dy.dtype());
  header.order = order;
  header.shape = dy.header().shape;
  std::optional<io::ArrayWriter> dx;
  if (dx_file != nullptr) dx.emplace(*dx_file, header);
  const BackwardResult result = differentiate(pass, x, dy, dx ? &*dx : nullptr, execution);
  if (execution.x_checksum) require_same_x(pass, x, request, result);
  x.finish();
  dy.finish();
  if (dgamma_file != nullptr) io::write_vector(*dgamma_file, result.dgamma);
  if (dbeta_file != nullptr) io::write_vector(*dbeta_file, result.dbeta);
  transaction.commit();

  const bool train = pass.mode == Mode::train;
  if (x.header().size() == 0) {
    report.warn(x.name() + ": an empty batch, " + x.shape() + "; its gradients are zero");
  } else if (train) {
    warn_of_small_batch(x, x.view(pass.axis), report);
  }
  if (dx_file != nullptr) {
    warn_of_overflows(result.overflows, "dx", dx_file->name(), header.dtype, report);
  }
  report.note_input(x, pass.axis);
  report.note_input(dy, pass.axis);
  report.note("mode " + std::string(name(pass.mode)) + ", eps " + text(pass.eps) +
              (request.cache ? ", statistics from the cache"
               : train       ? ", statistics of x"
                             : ""));
  report.finish(dx ? header.data_bytes() : 0);
}

}  // namespace bn::cli
