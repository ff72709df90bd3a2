#include "cli/layer.hpp"

#include <string>

#include "io/arrays/npy.hpp"
#include "io/support.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::cli;

namespace {

using Numbers = std::vector<double>;

// An array of zeros.
io::ArrayReader zeros(const io::ArrayHeader& header) {
  io::test::write_file("x.npy",
                       io::format_npy_header(header) + std::string(header.data_bytes(), '\0'));
  return io::ArrayReader("x.npy");
}

io::State trained_state() {
  io::State state;
  state.path = "state.json";
  state.mode = Mode::test;
  state.eps = 1e-3;
  state.running_mean = {0, 0.5, 1};
  state.running_var = {1, 2, 3};
  state.num_batches_tracked = 4;
  return state;
}

// The layer for an array of shape (9, 3), and what was warned of.
struct Seen {
  Layer layer;
  std::string warnings;
};

Seen layer_of(const io::State& state, const Overrides& overrides = {}) {
  const io::test::Directory directory;
  const io::ArrayReader x = zeros({Dtype::float32, io::ByteOrder::little, Order::c, {9, 3}});
  Seen seen;
  seen.warnings = test::stderr_of([&] {
    const RunOptions options;
    Report report(options);
    seen.layer = layer_of_state(state, overrides, x, report);
    report.finish(0);
  });
  return seen;
}

std::string error(const io::State& state, const Overrides& overrides = {}) {
  return test::error_of([&] { return layer_of(state, overrides); });
}

Dtype written_as(std::optional<Dtype> flag, Dtype input) {
  return output_header(flag, {input, io::ByteOrder::little, Order::c, {2, 3}}).dtype;
}

}  // namespace

TEST_CASE("A layer is what its state says") {
  io::State state = trained_state();
  state.gamma = {1, 2, 3};
  state.beta = {4, 5, 6};
  const auto [layer, warnings] = layer_of(state);
  CHECK_FALSE(layer.train());
  CHECK(layer.axis == 1);
  CHECK(layer.eps == 1e-3);
  CHECK(layer.momentum.value == 0.9);
  CHECK(layer.gamma == Numbers{1, 2, 3});
  CHECK(layer.beta == Numbers{4, 5, 6});
  CHECK(layer.running.running_mean == Numbers{0, 0.5, 1});
  CHECK(layer.running.running_var == Numbers{1, 2, 3});
  CHECK(layer.running.num_batches_tracked == 4);
  CHECK(warnings.empty());
}

TEST_CASE("Gamma and beta are 1 and 0 where a state has none") {
  const Layer layer = layer_of(trained_state()).layer;
  CHECK(layer.gamma == Numbers{1, 1, 1});
  CHECK(layer.beta == Numbers{0, 0, 0});
}

TEST_CASE("Flags override the state") {
  io::State state = trained_state();
  state.axis = 0;
  const Layer layer = layer_of(state, {Mode::train, -1, 0.5, 0.25}).layer;
  CHECK(layer.train());
  CHECK(layer.axis == -1);
  CHECK(layer.eps == 0.5);
  CHECK(layer.momentum.value == 0.25);
  CHECK(layer.running.running_mean.empty());

  Overrides cumulative;
  cumulative.momentum.emplace(std::nullopt);
  CHECK(layer_of(trained_state(), cumulative).layer.momentum.value == std::nullopt);
}

TEST_CASE("A mode comes from the flag or the state") {
  io::State state = trained_state();
  CHECK(effective_mode(state, {}) == Mode::test);
  CHECK(effective_mode(state, Mode::train) == Mode::train);
  state.mode.reset();
  CHECK(effective_mode(state, Mode::train) == Mode::train);
  CHECK(error(state) == "usage: state.json has no mode; give --mode train or --mode test");
}

TEST_CASE("A state of other channels names both files") {
  io::State state = trained_state();
  state.gamma = Numbers(4, 1.0);
  CHECK(error(state) ==
        "file: state.json: gamma has 4 values, but x.npy has 3 channels (axis 1 of (9, 3))");
}

TEST_CASE("Where a state fits another axis, that is proposed") {
  const io::State state = trained_state();
  Overrides overrides;
  overrides.axis = 0;
  CHECK(error(state, overrides) ==
        "file: state.json: running_mean has 3 values, but x.npy has 9 channels (axis 0 of (9, 3)); "
        "axis -1 has 3: give --axis -1?");
  const io::test::Directory directory;
  const auto hint = [](const std::vector<std::size_t>& shape, std::ptrdiff_t axis,
                       std::optional<std::size_t> channels) {
    return axis_hint(zeros({Dtype::uint8, io::ByteOrder::little, Order::c, shape}), axis, channels);
  };
  CHECK(hint({3, 3, 4, 3}, 2, 3) == "; axis -1 has 3: give --axis -1?");
  CHECK(hint({3, 3, 3, 4}, -1, 3) == "; axis 1 has 3: give --axis 1?");
  CHECK(hint({3, 4}, 1, 3) == "; axis 0 has 3: give --axis 0?");
  CHECK(hint({2, 3}, -1, 3).empty());
  CHECK(hint({2, 3}, 1, 5).empty());
  CHECK(hint({2, 3}, 0, std::nullopt).empty());
}

TEST_CASE("An axis out of range is that of the flag or of the state") {
  io::State state = trained_state();
  state.axis = 5;
  CHECK(error(state) ==
        "file: x.npy: has shape (9, 3), but the axis of state.json is 5; it has to be in -2..1");
  Overrides overrides;
  overrides.axis = -3;
  CHECK(error(state, overrides) ==
        "file: x.npy: has shape (9, 3), but --axis is -3; it has to be in -2..1");
}

TEST_CASE("Test mode needs running statistics, train mode does not") {
  io::State state = trained_state();
  state.running_var.reset();
  CHECK(error(state) ==
        "file: state.json: no running_var, which test mode normalises with; get it by bn forward "
        "--mode train or bn calibrate");
  state.running_mean.reset();
  CHECK(error(state).starts_with("file: state.json: no running_mean"));
  CHECK(error(state, {Mode::train, {}, {}, {}}) == "nothing");
  state.running_var = trained_state().running_var;
  CHECK(error(state).starts_with("file: state.json: no running_mean"));
}

TEST_CASE("Running statistics that were never updated are warned of") {
  io::State state = trained_state();
  state.num_batches_tracked = 0;
  state.running_mean = {0, 0, 0};
  for (const double initial : {0.0, 1.0}) {
    state.running_var = Numbers(3, initial);
    CHECK(layer_of(state).warnings ==
          "bn: warning: state.json: the running statistics were never updated; train them by bn "
          "forward --mode train or set them by bn calibrate\n");
  }
  state.num_batches_tracked = 1;
  CHECK(layer_of(state).warnings.find("never") == std::string::npos);
  // Nor where somebody gave them: one mean or one variance that is not where all start.
  state.num_batches_tracked = 0;
  state.running_mean = {0, 0, 0.5};
  CHECK(layer_of(state).warnings.empty());
  state.running_mean = {0, 0, 0};
  for (const Numbers& var : {Numbers{1, 1, 2}, Numbers{1, 0, 1}}) {
    state.running_var = var;
    CHECK(layer_of(state).warnings.find("never") == std::string::npos);
  }
}

TEST_CASE("Running variances below a hundredth of eps are warned of") {
  io::State state = trained_state();
  state.eps = 1;
  state.running_var = {0.01, 0.009999, 0};
  CHECK(layer_of(state).warnings ==
        "bn: warning: state.json: running_var of 2 of 3 channels is less than a hundredth of eps "
        "(1), so that it no longer matters there\n");
  state.running_var = {0.01, 1, 1};
  CHECK(layer_of(state).warnings.empty());
  CHECK(layer_of(state, {{}, {}, 10.0, {}})
            .warnings.starts_with("bn: warning: state.json: running_var of 1 of 3 channels is less "
                                  "than a hundredth of eps (10)"));
}

TEST_CASE("Outputs have the input's dtype, float64 for integers, or the flag's") {
  for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64}) {
    CHECK(written_as({}, dtype) == dtype);
    CHECK(written_as(dtype, Dtype::float32) == dtype);
    CHECK(written_as(dtype, Dtype::uint8) == dtype);
  }
  for (const Dtype dtype : {Dtype::int8, Dtype::uint8, Dtype::int16, Dtype::uint16, Dtype::int32,
                            Dtype::uint32, Dtype::int64, Dtype::uint64}) {
    CHECK(written_as({}, dtype) == Dtype::float64);
  }
}

TEST_CASE("Outputs have the input's shape and memory order, and are little-endian") {
  const io::ArrayHeader input{Dtype::int16, io::ByteOrder::big, Order::fortran, {2, 3}};
  CHECK(output_header({}, input) ==
        io::ArrayHeader{Dtype::float64, io::ByteOrder::little, Order::fortran, {2, 3}});
}
