// bn verify: whether what somebody else computed is right, and if not, why.
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bn/diagnosis/diagnosis.hpp"
#include "bn/verification.hpp"
#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
#include "cli/flags/values.hpp"
#include "cli/layer.hpp"
#include "cli/layouts.hpp"
#include "cli/report.hpp"
#include "cli/verification_text.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/state.hpp"
#include "io/files/descriptor.hpp"

namespace bn::cli {

namespace {

// Paths of arrays may be "-", standard input.
struct VerifyRequest {
  std::string x;
  std::string state;
  std::optional<std::string> y;
  std::optional<std::string> state_after;
  std::optional<Dtype> after_dtype;
  std::optional<std::string> dy;
  std::optional<std::string> dx;
  std::optional<std::string> dgamma;
  std::optional<std::string> dbeta;
  Overrides layer;
  std::optional<double> tolerance;
  bool json = false;
  RunOptions run;
};

void add_flags(Command& command, VerifyRequest& request) {
  command.describe(
      {"Says whether somebody else's results are right, and if not, why.",
       "X.npy --state BEFORE.json (--y Y.npy | --state-after AFTER.json | ...)",
       "What is given of y, the state after, dx, dgamma and dbeta is held against the exact\n"
       "results for X and the state before, one value at a time. Errors are counted in ulp of\n"
       "the claim's dtype at the size of what was added up to get the value. Where a claim is\n"
       "wrong, the known mistakes are tried, and those named whose exact results it is;\n"
       "--verbose lists all that were tried.\n"
       "By default what correct code gives in the claim's dtype holds whatever the data, with\n"
       "means far larger than deviations, and in whatever order it adds up: sums of m terms may\n"
       "be off by m / 2 ulp at the sum of their sizes, and what is made of them as well. Careful\n"
       "code stays within 12 ulp, so that what is between is wrong where a mistake explains it.\n"
       "--tolerance U goes for every claim instead, and what is within it holds.\n"
       "Exits with 0 if all claims hold, 1 if one does not, 2 and more for trouble.\n"
       "Examples:\n"
       "  bn verify x.npy --state state.json --y mine.npy\n"
       "  bn verify x.npy --state before.json --state-after after.json --mode train --json\n"
       "  bn verify x.npy --state state.json --dy dy.npy --dx mine.npy --dgamma dgamma.npy\n" +
           std::string(kAboutTemporaryFiles)});
  command.positional("X", "what was normalised, .npy, - for standard input", request.x);
  command.flag("--state", "BEFORE.json", "the layer before the pass (required)", request.state);
  command.flag("--y", "Y.npy", "the claimed y, of the shape of X", request.y);
  command.flag("--state-after", "AFTER.json",
               "the claimed state after the pass: its running_mean, running_var and\n"
               "num_batches_tracked",
               request.state_after);
  command.flag("--after-dtype", "float16|float32|float64",
               "what the running statistics were kept in (default: float32)", request.after_dtype,
               parse_dtype);
  command.flag("--dy", "DY.npy", "dloss/dy, which the gradients need", request.dy);
  command.flag("--dx", "DX.npy", "the claimed dloss/dx, of the shape of X", request.dx);
  command.flag("--dgamma", "DGAMMA.npy", "the claimed dloss/dgamma, of shape (C,)", request.dgamma);
  command.flag("--dbeta", "DBETA.npy", "the claimed dloss/dbeta, of shape (C,)", request.dbeta);
  add_mode(command, request.layer.mode);
  add_axis(command, request.layer.axis);
  add_eps(command, request.layer.eps);
  add_momentum(command, request.layer.momentum);
  command.flag("--tolerance", "U", "how many ulp a value may be wrong (default: see below)",
               request.tolerance, parse_tolerance);
  command.toggle("--json", "write a JSON object to standard output instead of text", request.json);
  add_computing(command, request.run);
}

void check(const VerifyRequest& request) {
  require(request.x, "X");
  require(request.state, "--state BEFORE.json");
  refuse_dash(request.state, "--state");
  if (request.state_after) refuse_dash(*request.state_after, "--state-after");
  const char* gradient = request.dx       ? "--dx"
                         : request.dgamma ? "--dgamma"
                         : request.dbeta  ? "--dbeta"
                                          : nullptr;
  if (gradient == nullptr && request.dy) {
    throw UsageError("--dy: no gradient is claimed; give --dx, --dgamma or --dbeta");
  }
  if (gradient == nullptr && !request.y && !request.state_after) {
    throw UsageError("nothing to verify: give --y, --state-after, --dx, --dgamma or --dbeta");
  }
  if (gradient != nullptr && !request.dy) {
    throw UsageError(std::string(gradient) + " needs the dy that it comes from: give --dy DY.npy");
  }
  if (request.after_dtype && !request.state_after) {
    throw UsageError("--after-dtype: there is no --state-after AFTER.json");
  }
  require_one_dash_at_most(
      {request.x, request.y, request.dy, request.dx, request.dgamma, request.dbeta},
      "standard input");
}

void require_floating(const io::ArrayReader& claim) {
  if (is_floating(claim.dtype())) return;
  throw io::input_error(claim.name(), std::string(name(claim.dtype())) +
                                          ", but what is verified has to be float16, float32 or "
                                          "float64");
}

// x and the arrays of its shape.
struct Arrays {
  io::ArrayReader x;
  std::optional<io::ArrayReader> y;
  std::optional<io::ArrayReader> dy;
  std::optional<io::ArrayReader> dx;

  explicit Arrays(const VerifyRequest& request) : x(request.x) {
    const auto open = [&](std::optional<io::ArrayReader>& array,
                          const std::optional<std::string>& path) {
      if (!path) return;
      array.emplace(*path);
      require_same_shape(*array, x);
    };
    open(y, request.y);
    open(dy, request.dy);
    open(dx, request.dx);
    if (y) require_floating(*y);
    if (dx) require_floating(*dx);
  }

  template <class Do>
  void for_each(Do what) {
    what(x);
    for (std::optional<io::ArrayReader>* array : {&y, &dy, &dx}) {
      if (*array) what(**array);
    }
  }
};

// Everything is read more than once, and in one order.
void prepare(Arrays& arrays) {
  arrays.for_each([](io::ArrayReader& array) { array.spool(); });
  const Order order = arrays.x.header().order;
  arrays.for_each([order](io::ArrayReader& array) { array.reorder(order); });
}

Source* source(std::optional<io::ArrayReader>& array) { return array ? &*array : nullptr; }

std::optional<ChannelClaim> read_claim(const std::optional<std::string>& path, const Layer& layer,
                                       const io::ArrayReader& x) {
  if (!path) return std::nullopt;
  io::ArrayReader reader(*path);
  require_floating(reader);
  ChannelClaim claim{io::read_vector(reader), reader.dtype()};
  if (claim.values.size() != layer.gamma.size()) {
    throw io::input_error(reader.name(), io::count_text(claim.values.size(), "value") + ", but " +
                                             x.name() + " has " + channels_text(x, layer.axis));
  }
  return claim;
}

// Of the keys of the state after those that a pass changes.
void read_state_after(const VerifyRequest& request, const Layer& layer, const io::ArrayReader& x,
                      Claims& claims) {
  if (!request.state_after) return;
  const io::State after = io::read_state(*request.state_after);
  after.require_channels(layer.gamma.size(), x.name() + " has " + channels_text(x, layer.axis));
  const Dtype dtype = request.after_dtype.value_or(Dtype::float32);
  if (after.running_mean) claims.running_mean = ChannelClaim{*after.running_mean, dtype};
  if (after.running_var) claims.running_var = ChannelClaim{*after.running_var, dtype};
  for (const auto& [key, value] : after.document) {
    if (key == "num_batches_tracked") claims.num_batches_tracked = after.num_batches_tracked;
  }
  if (claims.running_mean || claims.running_var || claims.num_batches_tracked) return;
  throw io::input_error(*request.state_after,
                        "has no running_mean, running_var or num_batches_tracked to be verified");
}

// On a terminal, unless it or the user wants none.
bool in_colour() {
  const char* term = std::getenv("TERM");
  const char* none = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0 &&
         (none == nullptr || *none == '\0');
}

struct Outcome {
  Verification verification;
  std::vector<Diagnosis> diagnoses;
};

Outcome hold(const VerifyRequest& request, const Layer& layer, Arrays& arrays, const Claims& claims,
             Report& report) {
  const io::ArrayReader& x = arrays.x;
  const View view = x.view(layer.axis);
  const LayerBefore before{layer.mode, layer.gamma,    layer.beta,
                           layer.eps,  layer.momentum, layer.running};
  Source* dy = source(arrays.dy);
  try {
    Outcome outcome;
    outcome.verification =
        verify(view, arrays.x, dy, before, claims, request.tolerance, report.execution());
    // Whoever gives a tolerance means it: what is within it is right.
    if (request.tolerance && outcome.verification.holds()) return outcome;
    outcome.diagnoses = diagnose(view, arrays.x, dy, before, claims, outcome.verification,
                                 rows_per_sample(x.header(), layer.axis),
                                 other_views(x.header(), layer.axis), report.execution());
    if (request.tolerance) {
      std::erase_if(outcome.diagnoses,
                    [](const Diagnosis& diagnosis) { return diagnosis.within_tolerance; });
    }
    return outcome;
  } catch (const bn::Error& error) {
    throw explain(error, x, arrays.dy ? &*arrays.dy : nullptr, layer.axis);
  }
}

Verdict verify(const VerifyRequest& request, Arrays& arrays, Report& report) {
  const io::ArrayReader& x = arrays.x;
  const io::State state = io::read_state(request.state);
  Layer layer = layer_of_state(state, request.layer, x, report);
  if (layer.train()) layer.running = io::running_statistics(state, layer.gamma.size());
  Claims claims;
  read_state_after(request, layer, x, claims);
  claims.dgamma = read_claim(request.dgamma, layer, x);
  claims.dbeta = read_claim(request.dbeta, layer, x);
  prepare(arrays);
  claims.y = source(arrays.y);
  claims.dx = source(arrays.dx);
  const Outcome outcome = hold(request, layer, arrays, claims, report);
  arrays.for_each([](io::ArrayReader& array) { array.finish(); });

  const Verified verified{x.name(),           x.header(),           layer.axis,
                          layer.mode,         outcome.verification, outcome.diagnoses,
                          request.run.verbose};
  for (const std::string& warning : verification_warnings(verified)) report.warn(warning);
  const std::string output = request.json ? verification_json(verified, report.warnings())
                                          : verification_text(verified, in_colour());
  io::write_fully(STDOUT_FILENO, std::as_bytes(std::span(output)), "standard output");
  arrays.for_each([&](io::ArrayReader& array) { report.note_input(array, layer.axis); });
  report.note("mode " + std::string(name(layer.mode)) + ", eps " + text(layer.eps));
  report.finish(0);
  return verified.right() ? Verdict::yes : Verdict::no;
}

Verdict run(const VerifyRequest& request) {
  Report report(request.run);
  Arrays arrays(request);
  Verdict verdict = Verdict::no;
  with_memory_for(arrays.x, [&] { verdict = verify(request, arrays, report); });
  return verdict;
}

}  // namespace

Work define_verify(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
