// The state file: parameters, conventions and running statistics of one layer, as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bn/conventions.hpp"
#include "bn/running_statistics.hpp"
#include "io/documents/json_text.hpp"
#include "io/files/input_file.hpp"
#include "io/files/transaction.hpp"

namespace bn::io {

/// The largest num_batches_tracked: its reciprocal is still the double that NumPy would use.
inline constexpr std::uint64_t kMaxBatches = std::uint64_t{1} << 53U;

/// A state file's values, checked, with the defaults in place of absent keys.
struct State {
  std::string path;  ///< where it was read from; empty for a new one
  std::string text;  ///< what was read

  std::optional<Mode> mode;
  std::ptrdiff_t axis = 1;
  double eps = 1e-5;
  Momentum momentum;
  std::optional<std::vector<double>> gamma;
  std::optional<std::vector<double>> beta;
  std::optional<std::vector<double>> running_mean;
  std::optional<std::vector<double>> running_var;
  std::uint64_t num_batches_tracked = 0;

  /// Where gamma and beta are kept in a .npy file: its path, relative to the state file.
  std::optional<std::string> gamma_file;
  std::optional<std::string> beta_file;

  /// The keys in the file's order, each with the JSON text of its value, numbers as they were
  /// written. This is what format_state() writes.
  json::Members document;

  /// The length of the first of the arrays; none without arrays. That all have the same length is
  /// checked by require_channels(): only an array that is read decides which of them is right.
  [[nodiscard]] std::optional<std::size_t> channels() const;
  /// Throws Error (input) unless every array has `channels` values: "state.json: gamma has 4
  /// values, but x.npy has 3 channels (axis 1 of (2, 3, 64, 96))", the part behind "but" given.
  void require_channels(std::size_t channels, std::string_view what_has_how_many) const;
};

/// Reads text strictly: no duplicate, unknown or misspelt key, no value of another type or out of
/// range, nothing before or after the object. `file` is for messages. gamma and beta of .npy files
/// are left to read_state(). Throws Error (input).
[[nodiscard]] State parse_state(std::string_view text, std::string_view file);

/// Reads a state file and the .npy files it refers to. Takes no lock: a state is only ever replaced
/// as a whole. Throws Error (input; system where it cannot be read).
[[nodiscard]] State read_state(const std::string& path);

/// The same from a state file that is open; `path` is where it lies. With `before`, what was read
/// from there earlier, text that is still the same is not parsed again: that takes most of the time
/// of a state with many channels.
[[nodiscard]] State read_state(const InputFile& file, const std::string& path,
                               const State* before = nullptr);

/// No output may be a file in which the state keeps gamma or beta. `flag` names the state in
/// messages: "--state".
void protect_parameters(Transaction& transaction, const State& state, const std::string& flag);

/// One key per line, in the order of `document`; parse_state() gives the same state again.
[[nodiscard]] std::string format_state(const State& state);

/// Makes `document` spell every key out that has a value: the state of `bn init`.
void spell_out(State& state);

/// Makes the .npy paths, which are relative to the state file, right for a state file that is
/// written to `path`.
void move_references(State& state, const std::string& path);

/// The running statistics, zeros where the state has none.
[[nodiscard]] RunningStatistics running_statistics(const State& state, std::size_t channels);
/// Replaces them, in `document` too. Throws Error (input) for values that the file cannot
/// hold: what is not finite, a count over 2^53.
void set_running_statistics(State& state, const RunningStatistics& running);

}  // namespace bn::io
