#include "cli/report.hpp"

#include <fcntl.h>
#include <stdlib.h>  // posix_openpt()

#include <optional>

#include "io/arrays/npy.hpp"
#include "io/support.hpp"
#include "skip.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::cli;
using namespace bn::cli::test;

namespace {

// What a run says that has something to warn of and something to note.
std::string said(const RunOptions& options, bool succeeds = true) {
  return stderr_of([&] {
    Report report(options);
    report.note("a note");
    report.warn("a warning");
    if (succeeds) report.finish(8);
  });
}

RunOptions verbose() {
  RunOptions options;
  options.verbose = true;
  return options;
}

std::string overflow_warning(std::size_t overflows) {
  return stderr_of([&] {
    const RunOptions options;
    Report report(options);
    report.warn_of_overflows(overflows, "y", "y.npy", Dtype::float16);
    report.finish(0);
  });
}

// An array of zeros that is a file.
io::ArrayReader zeros(const std::vector<std::size_t>& shape, Order order = Order::c) {
  io::test::write_file("x.npy", test::constant_npy(shape, '\0', order));
  return io::ArrayReader("x.npy");
}

std::string small_batch_warning(const std::vector<std::size_t>& shape) {
  const io::test::Directory directory;
  const io::ArrayReader x = zeros(shape);
  return stderr_of([&] {
    const RunOptions options;
    Report report(options);
    report.warn_of_small_batch(x, x.view(1));
    report.finish(0);
  });
}

// Whether a run with its standard error on a terminal would show progress; none where there is no
// terminal to be had.
std::optional<bool> shows_progress(const RunOptions& options) {
  const io::Descriptor leader(::posix_openpt(O_RDWR | O_NOCTTY));
  if (leader.get() < 0 || ::grantpt(leader.get()) != 0 || ::unlockpt(leader.get()) != 0) return {};
  const io::Descriptor terminal(::open(::ptsname(leader.get()), O_RDWR | O_NOCTTY));
  if (terminal.get() < 0) return {};
  const io::Descriptor before(::dup(STDERR_FILENO));
  ::dup2(terminal.get(), STDERR_FILENO);
  Report report(options);
  const bool shows = static_cast<bool>(report.execution().progress);
  ::dup2(before.get(), STDERR_FILENO);
  return shows;
}

}  // namespace

TEST_CASE("Verbose says how many results took longer, if any did") {
  const auto said_of = [](const Counts& counts) {
    return stderr_of([&] {
      const RunOptions options = verbose();
      Report report(options);
      report.note_undecided(counts);
      report.finish(0);
    });
  };
  CHECK(said_of({.overflows = 5}).find("look") == std::string::npos);
  CHECK(said_of({.closer = 1})
            .starts_with("bn: 1 result took a closer look, 0 of them in exact integers\n"));
  CHECK(said_of({.closer = 20, .exact = 3})
            .starts_with("bn: 23 results took a closer look, 3 of them in exact integers\n"));
}

TEST_CASE("A number is shown with as many digits as it needs") {
  CHECK(text(1e-5) == "1e-05");
  CHECK(text(0.1) == "0.1");
  CHECK(text(1.0 / 3) == "0.3333333333333333");
  CHECK(text(-0.0) == "-0");
}

TEST_CASE("Warnings are one line each") { CHECK(said({}) == "bn: warning: a warning\n"); }

TEST_CASE("A failed run says nothing but its error") { CHECK(said(verbose(), false).empty()); }

TEST_CASE("Quiet silences warnings, not what --verbose asks for") {
  RunOptions options;
  options.quiet = true;
  CHECK(said(options).empty());
  options.verbose = true;
  CHECK(said(options).starts_with("bn: a note\nbn: 0 bytes read, 8 bytes written, "));
}

TEST_CASE("Verbose tells the notes after the warnings, then bytes and time") {
  CHECK(said(verbose()).starts_with(
      "bn: warning: a warning\nbn: a note\nbn: 0 bytes read, 8 bytes written, "));
}

TEST_CASE("Results that became infinite are counted in one warning") {
  CHECK(overflow_warning(0).empty());
  CHECK(overflow_warning(1) ==
        "bn: warning: y.npy: 1 value of y is beyond the range of float16 and became infinite\n");
  CHECK(overflow_warning(2) ==
        "bn: warning: y.npy: 2 values of y are beyond the range of float16 and became infinite\n");
}

TEST_CASE("A run has the threads that were asked for, and no progress where nobody watches") {
  RunOptions options;
  options.threads = 3;
  stderr_of([&] {
    Report report(options);
    const Execution execution = report.execution();
    CHECK(execution.threads == 3);
    CHECK_FALSE(execution.progress);
  });
}

TEST_CASE("Progress shows on a terminal, unless --no-progress or --quiet says otherwise") {
  RunOptions silent;
  silent.progress = false;
  RunOptions quiet;
  quiet.quiet = true;
  const std::optional<bool> shows = shows_progress({});
  if (!shows) {
    return bn::tests::skip(bn::tests::kNoTerminal);
  }
  CHECK(*shows);
  CHECK(shows_progress(verbose()) == true);
  CHECK(shows_progress(silent) == false);
  CHECK(shows_progress(quiet) == false);
}

TEST_CASE("Batches of fewer than 8 values per channel are warned of") {
  CHECK(small_batch_warning({7, 3}) ==
        "bn: warning: x.npy: only 7 values per channel; the statistics of so small a batch say "
        "little\n");
  CHECK(small_batch_warning({1, 3, 7}).find("only 7 values") != std::string::npos);
  CHECK(small_batch_warning({8, 3}).empty());
  CHECK(small_batch_warning({9, 3}).empty());
  CHECK(small_batch_warning({2, 3, 4}).empty());
  CHECK(small_batch_warning({2, 0}).empty());
}

TEST_CASE("Verbose tells of every input its shape, order, view and bytes") {
  const io::test::Directory directory;
  const RunOptions options = verbose();
  const std::string said = stderr_of([&] {
    Report report(options);
    report.note_input(zeros({2, 3, 5}), 1);
    report.note_input(zeros({2, 3, 5}, Order::fortran), -1);
    report.finish(7);
  });
  CHECK(
      said.starts_with("bn: x.npy: (2, 3, 5) uint8, axis 1; view [outer, channel, inner] = "
                       "[2, 3, 5], 10 values per channel\n"
                       "bn: x.npy: (2, 3, 5) uint8, Fortran order, axis -1; view [outer, "
                       "channel, inner] = [1, 5, 6], 6 values per channel\n"
                       "bn: 60 bytes read, 7 bytes written, "));
}
