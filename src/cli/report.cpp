#include "cli/report.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <utility>

namespace bn::cli {

namespace {

using std::chrono::duration;
using std::chrono::steady_clock;

constexpr std::size_t kSmallBatch = 8;
constexpr duration<double> kQuietStart(1);
constexpr duration<double> kBetweenLines(0.1);

// Nobody is left to tell when stderr itself fails.
void say(const std::string& text) { std::fputs(text.c_str(), stderr); }

std::string decimal(double value, int digits) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", digits, value);
  return buffer.data();
}

template <class Real>
std::string shortest(Real value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

std::string megabytes(double bytes) { return decimal(bytes / 1e6, 0) + " MB"; }

}  // namespace

std::string text(double value) { return shortest(value); }
std::string text(float value) { return shortest(value); }

Report::Report(const RunOptions& options) : options_(options) {}

Report::~Report() { clear_progress(); }

void Report::warn(const std::string& message) { warnings_.push_back(message); }

void Report::warn_of_small_batch(const io::ArrayReader& x, const View& view) {
  if (view.channel != 0 && view.m() < kSmallBatch) {
    warn(x.name() + ": only " + std::to_string(view.m()) +
         " values per channel; the statistics of so small a batch say little");
  }
}

void Report::warn_of_overflows(std::size_t overflows, const std::string& array,
                               const std::string& file, Dtype dtype) {
  if (overflows == 0) return;
  warn(file + ": " + std::to_string(overflows) + (overflows == 1 ? " value of " : " values of ") +
       array + (overflows == 1 ? " is" : " are") + " beyond the range of " +
       std::string(name(dtype)) + " and became infinite");
}

void Report::note_undecided(const Counts& counts) {
  const std::size_t undecided = counts.closer + counts.exact;
  if (undecided == 0) return;
  note(std::to_string(undecided) + (undecided == 1 ? " result" : " results") +
       " took a closer look, " + std::to_string(counts.exact) + " of them in exact integers");
}

void Report::note(const std::string& message) {
  // A stream may have millions of arrays.
  if (options_.verbose) notes_.push_back(message);
}

void Report::note_input(const io::ArrayReader& array, std::optional<std::ptrdiff_t> axis) {
  read_ += array.header().data_bytes();
  const bool fortran = array.header().order == Order::fortran;
  const std::string facts = array.name() + ": " + array.shape() + " " +
                            std::string(name(array.dtype())) + (fortran ? ", Fortran order" : "");
  if (!axis) return note(facts);
  const View view = array.view(*axis);
  note(facts + ", axis " + std::to_string(*axis) + "; view [outer, channel, inner] = [" +
       std::to_string(view.outer) + ", " + std::to_string(view.channel) + ", " +
       std::to_string(view.inner) + "], " + std::to_string(view.m()) + " values per channel");
}

Execution Report::execution() {
  Execution execution;
  execution.threads = options_.threads;
  if (options_.progress && !options_.quiet && isatty(STDERR_FILENO) == 1) {
    before_ += current_;
    execution.progress = [this](std::size_t done, std::size_t total) { progress(done, total); };
  }
  return execution;
}

void Report::progress(std::uint64_t done, std::uint64_t total) {
  const std::unique_lock lock(line_, std::try_to_lock);
  if (!lock) return;  // another thread is at it
  current_ = total;
  const auto now = steady_clock::now();
  const duration<double> elapsed = now - start_;
  if (elapsed < kQuietStart || now - shown_ < kBetweenLines) return;
  shown_ = now;
  const auto all_done = static_cast<double>(before_ + done);
  const auto all = static_cast<double>(std::max(expected_, before_ + total));
  const double rate = all_done / elapsed.count();
  show_progress("bn: " + megabytes(all_done) + " of " + megabytes(all) + ", " + megabytes(rate) +
                "/s, " + decimal((all - all_done) / rate, 0) + " s left");
}

void Report::show_progress(const std::string& line) {
  // Blanks wipe out what was longer: not every terminal knows an escape sequence for it.
  const std::size_t before = std::exchange(visible_, line.size());
  say("\r" + line + std::string(std::max(before, line.size()) - line.size(), ' '));
}

void Report::clear_progress() {
  if (visible_ == 0) return;
  show_progress("");
  say("\r");
}

void Report::finish(std::uint64_t written) {
  clear_progress();
  const duration<double> elapsed = steady_clock::now() - start_;
  if (!options_.quiet) {
    for (const std::string& warning : warnings_) say("bn: warning: " + warning + "\n");
  }
  if (!options_.verbose) return;
  for (const std::string& note : notes_) say("bn: " + note + "\n");
  say("bn: " + std::to_string(read_) + " bytes read, " + std::to_string(written) +
      " bytes written, " + decimal(elapsed.count(), 3) + " s\n");
}

}  // namespace bn::cli
