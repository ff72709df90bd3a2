#include "cli/flags/shared_flags.hpp"

#include <vector>

#include "cli/flags/command.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::cli;
using namespace bn::cli::test;

namespace {

// What the shared flags set.
struct Given {
  InputNames inputs;
  std::optional<Mode> mode;
  std::optional<std::ptrdiff_t> axis;
  std::optional<double> eps;
  std::optional<Dtype> dtype;
  RunOptions run;
};

Given given(std::vector<std::string> words) {
  Given given;
  CommandLine line({"", "", "", ""});
  Command& command = line.add("all");
  command.describe({"", "", ""});
  add_inputs(command, given.inputs);
  add_mode(command, given.mode);
  add_axis(command, given.axis);
  add_eps(command, given.eps);
  add_dtype(command, given.dtype);
  add_computing(command, given.run);
  add_lock_timeout(command, given.run);
  add_fsync(command, given.run);
  add_force(command, given.run);
  words.insert(words.begin(), {"bn", "all"});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  static_cast<void>(line.parse(static_cast<int>(words.size()), arguments.data()));
  return given;
}

}  // namespace

TEST_CASE("Every shared flag sets what it is named for, and nothing else") {
  CHECK(given({"--mode", "test"}).mode == Mode::test);
  CHECK(given({"--axis", "-2"}).axis == -2);
  CHECK(given({"--eps", "0.5"}).eps == 0.5);
  CHECK(given({"--dtype", "float16"}).dtype == Dtype::float16);
  CHECK(given({"a", "b"}).inputs.operands == std::vector<std::string>{"a", "b"});
  CHECK(given({"--files0-from", "list"}).inputs.list == "list");
  for (const std::string flag : {"", "--threads=3", "--lock-timeout=0.5", "--fsync", "--force",
                                 "--no-progress", "--verbose", "--quiet"}) {
    CAPTURE(flag);
    const RunOptions run = flag.empty() ? given({}).run : given({flag}).run;
    CHECK(run.threads == (flag == "--threads=3" ? 3 : 0));
    CHECK(run.lock_timeout == (flag == "--lock-timeout=0.5" ? 0.5 : 60));
    CHECK(run.fsync == (flag == "--fsync"));
    CHECK(run.force == (flag == "--force"));
    CHECK(run.progress == (flag != "--no-progress"));
    CHECK(run.verbose == (flag == "--verbose"));
    CHECK(run.quiet == (flag == "--quiet"));
  }
}

TEST_CASE("Outputs are synced where --fsync says so, and replace anything where --force does") {
  using Existing = io::OutputFile::Existing;
  CHECK_FALSE(output_options(given({}).run).sync);
  CHECK(output_options(given({}).run).existing == Existing::own_kind);
  CHECK(output_options(given({"--fsync"}).run).sync);
  CHECK(output_options(given({"--fsync"}).run).existing == Existing::own_kind);
  CHECK_FALSE(output_options(given({"--force"}).run).sync);
  CHECK(output_options(given({"--force"}).run).existing == Existing::replace);
}

TEST_CASE("What is required and missing is named") {
  CHECK(error_of([] { require("", "-o Y.npy"); }) == "usage: missing -o Y.npy");
  CHECK(error_of([] { require("y.npy", "-o Y.npy"); }) == "nothing");
  CHECK(error_of([] { require_inputs({}); }) == "usage: missing INPUT");
}

TEST_CASE("Inputs are operands or in a list") {
  CHECK(error_of([] { require_inputs({.operands = {}, .list = "list"}); }) == "nothing");
  CHECK(error_of([] {
          require_inputs({.operands = {"a", "b"}, .list = "list"});
        }) == "usage: extra operand a; file operands cannot be combined with --files0-from");
}

TEST_CASE("Standard input is read once") {
  CHECK(error_of([] { require_inputs({.operands = {"a", "-", "b"}, .list = {}}); }) == "nothing");
  CHECK(error_of([] {
          require_inputs({.operands = {"-", "b", "-"}, .list = {}});
        }) == "usage: - is given more than once for standard input");
}

TEST_CASE("One output goes to standard output") {
  CHECK(error_of([] {
          require_one_dash_at_most({"-", std::nullopt, "x"}, "standard output");
        }) == "nothing");
  CHECK(error_of([] {
          require_one_dash_at_most({"-", "x", "-"}, "standard output");
        }) == "usage: - is given 2 times for standard output");
}

TEST_CASE("A state is a file") {
  CHECK(error_of([] { refuse_dash("-", "--state"); }) ==
        "usage: --state: the state has to be a file (./- for one named -)");
  CHECK(error_of([] { refuse_dash("./-", "--state"); }) == "nothing");
}
