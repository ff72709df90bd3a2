// Flags become one typed request per command; what does the work sees no flags.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/conventions.hpp"
#include "io/documents/state.hpp"

namespace bn::cli {

/// How to run and what to say: nothing here changes a result.
struct RunOptions {
  unsigned threads = 0;      ///< 0: every core that the process may use
  double lock_timeout = 60;  ///< seconds to wait for another process's update of the state
  bool fsync = false;        ///< outputs reach the disk before bn ends
  bool progress = true;      ///< a line on stderr, on a terminal only
  bool verbose = false;
  bool quiet = false;  ///< no warnings
};

/// An array of bn init: the same number in every channel, or the path of a .npy file.
using Values = std::variant<double, std::string>;

struct InitRequest {
  std::string output;
  bool force = false;  ///< replace an existing state
  std::optional<std::size_t> channels;
  Mode mode = Mode::train;
  std::ptrdiff_t axis = 1;
  double eps = 0;
  Momentum momentum;
  Values gamma = 1.0;
  Values beta = 0.0;
  Values running_mean = 0.0;
  Values running_var = 0.0;
  bool verbose = false;
};

/// The momentum of --momentum; none inside: "null", the cumulative average.
using MomentumFlag = std::optional<std::optional<double>>;

/// Paths may be "-", standard input or output. What is not given comes from the state.
struct ForwardRequest {
  std::string x;
  std::string y;
  std::string state;
  std::optional<std::string> cache;
  std::optional<std::string> state_out;  ///< where the updated state goes; none: in place
  bool update = true;                    ///< of the running statistics, in train mode
  std::optional<Mode> mode;
  std::optional<std::ptrdiff_t> axis;
  std::optional<double> eps;
  MomentumFlag momentum;
  std::optional<Dtype> dtype;
  RunOptions run;
};

struct BackwardRequest {
  std::string dy;
  std::string x;
  std::optional<std::string> cache;  ///< either this
  std::optional<std::string> state;  ///< or this
  std::optional<std::string> dx;
  std::optional<std::string> dgamma;
  std::optional<std::string> dbeta;
  std::optional<Mode> mode;            ///< with a state only
  std::optional<std::ptrdiff_t> axis;  ///< with a state only
  std::optional<Dtype> dtype;
  RunOptions run;
};

struct StatsRequest {
  std::vector<std::string> inputs;
  std::string output;
  std::ptrdiff_t axis = 1;
  RunOptions run;
};

struct CalibrateRequest {
  std::string state;
  std::vector<std::string> inputs;
  bool average_batches = false;
  std::optional<std::ptrdiff_t> axis;
  RunOptions run;
};

/// What --help and --version print.
struct Text {
  std::string text;
};

using Request = std::variant<Text, InitRequest, ForwardRequest, BackwardRequest, StatsRequest,
                             CalibrateRequest>;

/// Throws UsageError.
[[nodiscard]] Request parse(int argc, char** argv);

}  // namespace bn::cli
