// What commands know of the layer: the state, with what flags put in its place.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/conventions.hpp"
#include "bn/running_statistics.hpp"
#include "cli/report.hpp"
#include "io/arrays/array_header.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/state.hpp"

namespace bn::cli {

/// The channel axis of arrays: the flag's, or else the state's, which may be null where there is a
/// flag.
struct AxisChoice {
  std::optional<std::ptrdiff_t> flag;
  const io::State* state;

  [[nodiscard]] std::ptrdiff_t axis() const { return flag ? *flag : state->axis; }
  /// Throws io::Error, which says whose axis it is, where the array does not have it.
  [[nodiscard]] View view(const io::ArrayReader& array) const;
  /// axis_hint() where there is a state that the channels could fit.
  [[nodiscard]] std::string hint(const io::ArrayReader& array) const;
};

/// What flags put in the place of the state's keys for one run.
struct Overrides {
  std::optional<Mode> mode;
  std::optional<std::ptrdiff_t> axis;
  std::optional<double> eps;
  std::optional<std::optional<double>> momentum;  ///< none inside: the cumulative average
};

/// A layer as one run sees it.
struct Layer {
  Mode mode = Mode::train;
  std::ptrdiff_t axis = 1;
  double eps = 0;
  Momentum momentum;
  std::vector<double> gamma;
  std::vector<double> beta;
  RunningStatistics running;  ///< in test mode only: what it normalises with

  [[nodiscard]] bool train() const { return mode == Mode::train; }
};

/// The flag's mode or the state's. Throws UsageError where neither says one.
[[nodiscard]] Mode effective_mode(const io::State& state, std::optional<Mode> flag);

/// The layer of a state for the array `x`: the overrides, else the state, else the defaults. Warns
/// of running statistics that are hardly what was meant. Throws UsageError without a mode,
/// io::Error where the state does not fit x, or has no running statistics in test mode.
[[nodiscard]] Layer layer_of_state(const io::State& state, const Overrides& overrides,
                                   const io::ArrayReader& x, Report& report);

/// What y or dx is written as: the dtype of --dtype or that of the input, float64 for integers
/// and bool; the input's shape and memory order.
[[nodiscard]] io::ArrayHeader output_header(std::optional<Dtype> flag,
                                            const io::ArrayHeader& input);

}  // namespace bn::cli
