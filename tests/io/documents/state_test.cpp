#include "io/documents/state.hpp"

#include <sys/stat.h>

#include <cmath>
#include <limits>

#include "io/arrays/npy.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

State parse(const std::string& text) { return parse_state(text, "s.json"); }

std::string error_in(const std::string& text) {
  return error_of([&] { return parse(text); });
}

std::string vector_file(const std::vector<double>& values) {
  ArrayHeader header;
  header.dtype = Dtype::float64;
  header.shape = {values.size()};
  return format_npy_header(header) +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * 8);
}

const std::string full = R"({
  "running_var": [0.25, 5e-324],
  "metadata": {"by": ["us", 1.10]},
  "mode": "test",
  "axis": -1,
  "eps": 1e-3,
  "momentum": null,
  "momentum_weights": "batch",
  "running_var_estimator": "unbiased",
  "gamma": [1, -0.0],
  "beta": [0.1, 2E2],
  "running_mean": [-3, 4],
  "num_batches_tracked": 7
}
)";

}  // namespace

TEST_CASE("Absent keys have the defaults of the schema") {
  const State state = parse("{}");
  CHECK_FALSE(state.mode);
  CHECK(state.axis == 1);
  CHECK(state.eps == 1e-5);
  CHECK(state.momentum.value == 0.9);
  CHECK(state.momentum.weights == MomentumWeights::running);
  CHECK(state.momentum.running_var_estimator == VarEstimator::biased);
  CHECK_FALSE(state.gamma);
  CHECK_FALSE(state.channels());
  CHECK(state.num_batches_tracked == 0);
}

TEST_CASE("Every key is read, and written again as it was") {
  const State state = parse(full);
  CHECK(state.mode == Mode::test);
  CHECK(state.axis == -1);
  CHECK(state.eps == 1e-3);
  CHECK_FALSE(state.momentum.value);
  CHECK(state.momentum.weights == MomentumWeights::batch);
  CHECK(state.momentum.running_var_estimator == VarEstimator::unbiased);
  CHECK(state.gamma == std::vector<double>{1, 0});
  CHECK(std::signbit(state.gamma->at(1)));
  CHECK(state.beta == std::vector<double>{0.1, 200});
  CHECK(state.running_mean == std::vector<double>{-3, 4});
  CHECK(state.running_var == std::vector<double>{0.25, std::numeric_limits<double>::denorm_min()});
  CHECK(state.num_batches_tracked == 7);
  CHECK(state.channels() == 2);
  CHECK(format_state(state) == full);
}

TEST_CASE("An update changes the running statistics and nothing else") {
  State state = parse(full);
  set_running_statistics(
      state, {.running_mean = {0.1, -0.0}, .running_var = {1, 1e-310}, .num_batches_tracked = 8});
  std::string expected = full;
  expected.replace(expected.find("[0.25, 5e-324]"), 14, "[1.0, 1e-310]");
  expected.replace(expected.find("[-3, 4]"), 7, "[0.1, -0.0]");
  expected.replace(expected.find("tracked\": 7"), 11, "tracked\": 8");
  CHECK(format_state(state) == expected);
  State empty = parse("{\"mode\": \"train\"}");
  CHECK(running_statistics(empty, 2).running_var == std::vector<double>{0, 0});
  set_running_statistics(empty,
                         {.running_mean = {1}, .running_var = {2}, .num_batches_tracked = 1});
  CHECK(format_state(empty) ==
        "{\n  \"mode\": \"train\",\n  \"running_mean\": [1.0],\n  \"running_var\": [2.0],\n  "
        "\"num_batches_tracked\": 1\n}\n");
}

TEST_CASE("Running statistics that leave the range of the file are refused") {
  State state = parse("{}");
  state.path = "s.json";
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(error_of([&] {
          set_running_statistics(
              state, {.running_mean = {1}, .running_var = {infinity}, .num_batches_tracked = 1});
        }) ==
        "input: s.json: running_var[0] would become infinite: the running statistics leave the "
        "range of double");
  CHECK(error_of([&] {
          set_running_statistics(state, {.running_mean = {},
                                         .running_var = {},
                                         .num_batches_tracked = (std::uint64_t{1} << 53U) + 1});
        }) == "input: s.json: num_batches_tracked has reached 2^53; set it back");
  set_running_statistics(
      state,
      {.running_mean = {}, .running_var = {}, .num_batches_tracked = std::uint64_t{1} << 53U});
  CHECK(state.num_batches_tracked == std::uint64_t{1} << 53U);
}

TEST_CASE("A value of the wrong type is an error for every key") {
  const std::vector<std::pair<std::string, std::string>> expectations = {
      {"mode", "\"train\" or \"test\""},
      {"axis", "an integer"},
      {"eps", "a number > 0"},
      {"momentum", "a number in [0, 1], or null for the cumulative average"},
      {"momentum_weights", "\"running\" or \"batch\""},
      {"running_var_estimator", "\"biased\" or \"unbiased\""},
      {"gamma", "an array of numbers or the path of a .npy file"},
      {"beta", "an array of numbers or the path of a .npy file"},
      {"running_mean", "an array of numbers"},
      {"running_var", "an array of numbers >= 0"},
      {"num_batches_tracked", "an integer from 0 to 2^53"}};
  for (const auto& [key, expected] : expectations) {
    CHECK(error_in("{\"" + key + "\": true}") ==
          "input: s.json: " + key + " is the boolean true, but has to be " + expected);
    CHECK(error_in("{\"" + key + "\": {}}") ==
          "input: s.json: " + key + " is an object, but has to be " + expected);
  }
  CHECK(error_in(R"({"gamma": [1, "2"]})") ==
        "input: s.json: gamma[1] is not a number, but gamma has to be an array of numbers or the "
        "path "
        "of a .npy file");
}

TEST_CASE("A value out of range is an error") {
  CHECK(error_in(R"({"mode": "trian"})") ==
        "input: s.json: mode is the string \"trian\", but has to be \"train\" or \"test\"");
  CHECK(error_in(R"({"eps": 0})") ==
        "input: s.json: eps is the number 0, but has to be a number > 0");
  CHECK(error_in(R"({"eps": -1e-5})").starts_with("input: s.json: eps is the number -1e-5"));
  CHECK(error_in(R"({"momentum": 1.1})").starts_with("input: s.json: momentum is the number 1.1"));
  CHECK(error_in(R"({"momentum": -0.1})") != "nothing");
  CHECK(error_in(R"({"eps": 5e-324})") == "nothing");
  CHECK(error_in(R"({"momentum": 0})") == "nothing");
  CHECK(error_in(R"({"momentum": -0.0})") == "nothing");
  CHECK(error_in(R"({"momentum": -5e-324})") != "nothing");
  CHECK(error_in(R"({"momentum": 0.9999999999999999})") == "nothing");
  CHECK(error_in(R"({"momentum": 1})") == "nothing");
  CHECK(error_in(R"({"momentum": 1.0000000000000002})") != "nothing");
  CHECK(error_in(R"({"running_var": [0, -0.0]})") == "nothing");
  CHECK(error_in(R"({"running_var": [0, -5e-324]})") != "nothing");
  CHECK(error_in(R"({"axis": 1.0})") != "nothing");
  CHECK(error_in(R"({"running_var": [1, -0.5]})") ==
        "input: s.json: running_var[1] is -0.5, but running_var has to be an array of numbers >= "
        "0");
  CHECK(error_in(R"({"num_batches_tracked": -1})") != "nothing");
  for (const std::string count : {"0", "9007199254740991", "9007199254740992"}) {
    CHECK(error_in("{\"num_batches_tracked\": " + count + "}") == "nothing");
  }
  CHECK(error_in(R"({"num_batches_tracked": 9007199254740993})") ==
        "input: s.json: num_batches_tracked is the number 9007199254740993, but has to be an "
        "integer from 0 to 2^53");
  CHECK(error_in(R"({"gamma": ""})") != "nothing");
  CHECK(error_in(R"({"gamma": "a\u0000b"})") != "nothing");
}

TEST_CASE("A misspelt key is never ignored") {
  CHECK(error_in(R"({"momentun": 0.9})") ==
        "input: s.json: unknown key \"momentun\"; the nearest valid key is \"momentum\"");
}

TEST_CASE("Arrays of other lengths than the channels are an error") {
  State state = parse(R"({"gamma": [1, 2, 3, 4]})");
  state.path = "s.json";
  CHECK(error_of([&] {
          state.require_channels(3, "x.npy has 3 channels (axis 1 of (2, 3, 64, 96))");
        }) ==
        "input: s.json: gamma has 4 values, but x.npy has 3 channels (axis 1 of (2, 3, 64, 96))");
  CHECK(error_of([&] { state.require_channels(4, ""); }) == "nothing");
  // The channels decide which of two lengths is wrong.
  State other = parse(R"({"gamma": [1, 2], "beta": [1]})");
  other.path = "s.json";
  CHECK(error_of([&] { other.require_channels(2, "x"); }) ==
        "input: s.json: beta has 1 value, but x");
  CHECK(error_of([&] { other.require_channels(1, "x"); }) ==
        "input: s.json: gamma has 2 values, but x");
}

TEST_CASE("gamma and beta may lie in .npy files beside the state") {
  const Directory directory;
  ::mkdir("d", 0700);
  write_file("d/g.npy", vector_file({1, 2}));
  write_file("d/s.json", R"({"gamma": "g.npy", "beta": [3, 4]})");
  const State state = read_state("d/s.json");
  CHECK(state.gamma == std::vector<double>{1, 2});
  CHECK(state.gamma_file == "g.npy");
  CHECK(format_state(state) == "{\n  \"gamma\": \"g.npy\",\n  \"beta\": [3, 4]\n}\n");
  write_file("d/g.npy", vector_file({1, 2, 3}));
  CHECK(error_of([] { read_state("d/s.json").require_channels(2, "x"); }) ==
        "input: d/s.json: gamma (g.npy) has 3 values, but x");
  write_file("d/g.npy", vector_file({1, std::nan("")}));
  CHECK(error_of([] { return read_state("d/s.json"); }) ==
        "input: d/s.json: gamma: d/g.npy: value 1 is nan, but has to be finite");
  std::filesystem::remove("d/g.npy");
  CHECK(error_of([] { return read_state("d/s.json"); }) ==
        "input: d/s.json: gamma: d/g.npy: No such file or directory");
  write_file("s.json", R"({"beta": "b.npy"})");
  CHECK(error_of([] { return read_state("s.json"); }) ==
        "input: s.json: beta: b.npy: No such file or directory");
  write_file("s.json", R"({"beta": "d"})");
  CHECK(error_of([] { return read_state("s.json"); }) ==
        "input: s.json: beta: d: is not a regular file");
}

TEST_CASE("A state written elsewhere still refers to the same .npy files") {
  const Directory directory;
  ::mkdir("d", 0700);
  ::mkdir("e", 0700);
  write_file("d/g.npy", vector_file({1, 2}));
  write_file("d/b.npy", vector_file({3, 4}));
  write_file("d/s.json", R"({"gamma": "g.npy", "beta": "b.npy"})");
  State state = read_state("d/s.json");
  CHECK(state.beta == std::vector<double>{3, 4});
  move_references(state, "d/t.json");
  CHECK(state.gamma_file == "g.npy");
  CHECK(state.beta_file == "b.npy");
  move_references(state, "e/s.json");
  write_file("e/s.json", format_state(state));
  CHECK(read_state("e/s.json").gamma == std::vector<double>{1, 2});
  CHECK(read_state("e/s.json").beta == std::vector<double>{3, 4});
}

TEST_CASE("A state file that cannot be read is an error of the system") {
  const Directory directory;
  ::mkdir("d", 0700);
  CHECK(error_of([] { return read_state("s.json"); }) ==
        "system: s.json: cannot open: No such file or directory");
  CHECK(error_of([] { return read_state("d"); }) == "system: d: is a directory, not a file");
  CHECK(error_of([] { return read_state("/dev/zero"); }) ==
        "input: /dev/zero: is not a text file: byte 0 is NUL (JSON in UTF-8 is needed)");
}

TEST_CASE("Spelling a state out writes every key in the order of the schema") {
  State state;
  state.mode = Mode::train;
  state.gamma = {1};
  state.beta = {0};
  state.running_mean = {0};
  state.running_var = {1};
  spell_out(state);
  CHECK(format_state(state) == R"({
  "mode": "train",
  "axis": 1,
  "eps": 1e-05,
  "momentum": 0.9,
  "momentum_weights": "running",
  "running_var_estimator": "biased",
  "gamma": [1.0],
  "beta": [0.0],
  "running_mean": [0.0],
  "running_var": [1.0],
  "num_batches_tracked": 0
}
)");
  CHECK(parse(format_state(state)).gamma == state.gamma);
}

TEST_CASE("A million channels are read and written in linear time") {
  State state;
  state.running_mean = std::vector<double>(1000000);
  for (std::size_t c = 0; c < 1000000; ++c) {
    (*state.running_mean)[c] = std::sqrt(static_cast<double>(c));
  }
  state.running_var = state.running_mean;
  spell_out(state);
  const State again = parse(format_state(state));
  CHECK(again.running_mean == state.running_mean);
  CHECK(again.running_var == state.running_var);
}

TEST_CASE("The files in which a state keeps gamma and beta are protected") {
  const Directory directory;
  std::filesystem::create_directory("d");
  State state = parse(R"({"gamma": "g.npy", "beta": "../b.npy"})");
  state.path = "d/s.json";
  Transaction transaction;
  protect_parameters(transaction, state, "--state");
  CHECK(error_of([&] {
          transaction.add_output("d/../d/g.npy", "-o");
        }).starts_with("usage: g.npy (gamma of --state d/s.json) and -o d/../d/g.npy are"));
  CHECK(error_of([&] {
          transaction.add_output("b.npy", "--dx");
        }).starts_with("usage: ../b.npy (beta of --state d/s.json) and --dx b.npy are"));
  CHECK(error_of([&] { transaction.add_output("g.npy", "--dgamma"); }) == "nothing");
}
