#include "cli/inputs.hpp"

#include <string>
#include <vector>

#include "io/documents/part.hpp"
#include "io/support.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::cli;
using bn::io::test::error_of;
using bn::io::test::write_file;

namespace {

std::string ones(const std::vector<std::size_t>& shape) { return test::constant_npy(shape, '\1'); }

// A part of one channel: so many zeros.
std::string zeros_part(std::uint64_t count) {
  Sums sums;
  sums.count = count;
  sums.sum.resize(1);
  sums.sum_squares.resize(1);
  return io::format_part(sums);
}

// A pool, and what was said meanwhile with --verbose.
struct Pooled {
  Pool pool;
  std::string said;
};

Pooled pooled(const std::vector<std::string>& paths, std::optional<std::ptrdiff_t> axis = 1,
              const io::State* state = nullptr) {
  Pooled pooled;
  RunOptions options;
  options.verbose = true;
  pooled.said = cli::test::stderr_of([&] {
    Report report(options);
    pooled.pool = pool_inputs(paths, axis, state, report);
    report.finish(0);
  });
  return pooled;
}

std::string pool_error(const std::vector<std::string>& paths,
                       std::optional<std::ptrdiff_t> axis = 1, const io::State* state = nullptr) {
  return error_of([&] { return pooled(paths, axis, state); });
}

}  // namespace

TEST_CASE("All inputs are pooled, parts first, and those with values are counted as batches") {
  const io::test::Directory directory;
  write_file("a.npy", ones({2, 1, 3}) + ones({4, 1}));
  write_file("empty.npy", ones({0, 1}));
  write_file("part.json", zeros_part(5));
  write_file("empty.json", zeros_part(0));
  const auto [pool, said] = pooled({"empty.npy", "a.npy", "part.json", "empty.json"});
  CHECK(pool.batches == 3);
  CHECK(pool.sums.count == 15);
  CHECK(pool.sums.sum == std::vector<Dyadic>{Dyadic(10.0)});
  CHECK(said.find("warning: empty.npy: an empty array, (0, 1)\n") != std::string::npos);
  CHECK(said.find("part.json: statistics of 5 values per channel, 1 channels\n"
                  "bn: empty.json: statistics of 0 values per channel, 1 channels\n"
                  "bn: empty.npy: (0, 1) uint8") != std::string::npos);
  CHECK(said.find("bn: a.npy, array 2: (4, 1) uint8") != std::string::npos);
  CHECK(said.find("bn: 10 bytes read, 0 bytes written") != std::string::npos);
}

TEST_CASE("As many as 2^64 values are refused, by the input that makes them so many") {
  const io::test::Directory directory;
  const std::uint64_t half = std::uint64_t{1} << 63U;
  write_file("most.json", zeros_part(half + (half - 1)));
  write_file("one.json", zeros_part(1));
  write_file("half.json", zeros_part(half));
  write_file("rest.json", zeros_part(half - 1));
  CHECK(pooled({"half.json", "rest.json"}).pool.sums.count == half + (half - 1));
  CHECK(pool_error({"most.json", "one.json"}) ==
        "input: one.json: makes 2^64 or more values per channel");
  CHECK(pool_error({"half.json", "half.json"}) ==
        "input: half.json: makes 2^64 or more values per channel");
}

TEST_CASE("All inputs have the channels of the first, and of the state") {
  const io::test::Directory directory;
  write_file("one.npy", ones({2, 1}));
  write_file("three.npy", ones({2, 3}));
  write_file("part.json", zeros_part(5));
  CHECK(pool_error({"one.npy", "part.json", "three.npy"}) ==
        "input: three.npy: 3 channels (axis 1 of (2, 3)), but one.npy has 1 channels (axis 1 of "
        "(2, 1))");
  CHECK(pool_error({"three.npy", "part.json"}) ==
        "input: part.json: 1 channels, but three.npy has 3 channels (axis 1 of (2, 3))");
  io::State state;
  state.path = "s.json";
  state.gamma = {1, 1, 1};
  CHECK(pool_error({"three.npy"}, {}, &state) == "nothing");
  CHECK(pool_error({"part.json"}, {}, &state) ==
        "input: s.json: gamma has 3 values, but part.json has 1 channels");
  CHECK(pool_error({"three.npy"}, 0, &state) ==
        "input: s.json: gamma has 3 values, but three.npy has 2 channels (axis 0 of (2, 3)); axis "
        "-1 has 3: give --axis -1?");
}

TEST_CASE("Names come from the operands or the list, and standard input is read once") {
  const io::test::Directory directory;
  using Names = std::vector<std::string>;
  CHECK(input_names({.operands = {"b", "a"}, .list = {}}) == Names{"b", "a"});
  write_file("list", std::string("a\0-\0", 4));
  CHECK(input_names({.operands = {}, .list = "list"}) == Names{"a", "-"});
  write_file("list", std::string("-\0-\0", 4));
  CHECK(error_of([] { return input_names({.operands = {}, .list = "list"}); }) ==
        "input: list: - is in it more than once, but standard input is read once");
}

TEST_CASE("An output that is also an input is refused, by both names where they differ") {
  const io::test::Directory directory;
  write_file("a.npy", ones({2, 1}));
  CHECK(error_of([] {
          require_no_input("b.json", {"a.npy"});
          return 0;
        }) == "nothing");
  CHECK(error_of([] {
          require_no_input("a.npy", {"b.npy", "a.npy"});
          return 0;
        }) == "usage: the output a.npy is also an input; give it a file of its own");
  CHECK(error_of([] {
          require_no_input("./a.npy", {"a.npy"});
          return 0;
        }) == "usage: the output ./a.npy is also an input, a.npy; give it a file of its own");
}
