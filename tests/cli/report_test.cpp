#include "cli/report.hpp"

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

}  // namespace

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
