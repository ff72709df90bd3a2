// What a run says on stderr besides errors.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bn/passes/execution.hpp"
#include "bn/tiles/counts.hpp"
#include "cli/run_options.hpp"
#include "io/arrays/reader.hpp"

namespace bn::cli {

/// A number in a message: the shortest decimal number that reads back as the same double.
[[nodiscard]] std::string text(double value);
/// The same of a float.
[[nodiscard]] std::string text(float value);

/// Warnings and the lines of --verbose wait until the run has succeeded, since a failure is one
/// line and nothing else; a progress line shows meanwhile, on a terminal only.
class Report {
 public:
  explicit Report(const RunOptions& options);
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;
  ~Report();

  void warn(const std::string& message);
  [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
  /// Of a batch whose statistics say little.
  void warn_of_small_batch(const io::ArrayReader& x, const View& view);
  /// Of results that became infinite in a file's dtype; `array` is what it holds: "y".
  void warn_of_overflows(std::size_t overflows, const std::string& array, const std::string& file,
                         Dtype dtype);
  /// For --verbose: how many results double arithmetic, or twice its precision for float64, has not
  /// decided. They take longer.
  void note_undecided(const Counts& counts);

  /// For --verbose.
  void note(const std::string& message);
  /// For --verbose: shape, dtype and, where there is an axis, view of an array that was read.
  void note_input(const io::ArrayReader& array, std::optional<std::ptrdiff_t> axis);

  /// For the progress line: what several calls of the library are going to read together.
  void expect(std::uint64_t bytes) { expected_ = bytes; }
  /// For one call of the library.
  [[nodiscard]] Execution execution();

  /// The run has succeeded: says everything. `written`: bytes of array data.
  void finish(std::uint64_t written);

 private:
  void progress(std::uint64_t done, std::uint64_t total);
  void show_progress(const std::string& line);
  void clear_progress();

  const RunOptions& options_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::vector<std::string> warnings_;
  std::vector<std::string> notes_;

  std::uint64_t read_ = 0;

  std::uint64_t expected_ = 0;
  std::uint64_t before_ = 0;   ///< read by the calls before this one
  std::uint64_t current_ = 0;  ///< what this one is going to read
  std::mutex line_;
  std::chrono::steady_clock::time_point shown_ = start_;
  std::size_t visible_ = 0;  ///< letters of the line that shows
};

}  // namespace bn::cli
