#include "cli/flags/shared_flags.hpp"

#include "support.hpp"

using namespace bn::cli;
using namespace bn::cli::test;

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
