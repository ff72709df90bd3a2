#include "cli/presets.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

#include "catch.hpp"

using namespace bn;
using namespace bn::cli;

namespace {

const Preset& preset(std::string_view name) {
  return *std::find_if(presets().begin(), presets().end(),
                       [name](const Preset& p) { return p.name == name; });
}

}  // namespace

TEST_CASE("The first preset, the default, is the course's") {
  CHECK(presets().front().name == "cs231n");
}

TEST_CASE("Presets have names of their own and values that flags would accept") {
  std::set<std::string_view> names;
  for (const Preset& p : presets()) {
    CHECK(names.insert(p.name).second);
    CHECK(p.eps > 0);
    CHECK((p.momentum >= 0 && p.momentum <= 1));
    CHECK(p.running_var >= 0);
  }
}

TEST_CASE("Only PyTorch's momentum multiplies the batch's value") {
  for (const Preset& p : presets()) {
    CHECK((p.momentum_weights == MomentumWeights::batch) == (p.name == "pytorch"));
  }
  CHECK(preset("pytorch").momentum == 0.1);
  CHECK(preset("pytorch").running_var_estimator == VarEstimator::unbiased);
}

TEST_CASE("Presets of frameworks that keep channels last have the axis -1") {
  for (const char* name : {"keras", "tf-layers", "flax"}) CHECK(preset(name).axis == -1);
  for (const char* name : {"cs231n", "pytorch", "onnx", "d2l"}) CHECK(preset(name).axis == 1);
}

TEST_CASE("Every preset has the values of its framework") {
  struct Row {
    std::string_view name;
    double eps, momentum;
    bool batch, unbiased;
    int axis;
    double mean, var;
  };
  const Row rows[] = {{"cs231n", 1e-5, 0.9, false, false, 1, 0, 0},
                      {"pytorch", 1e-5, 0.1, true, true, 1, 0, 1},
                      {"keras", 1e-3, 0.99, false, false, -1, 0, 1},
                      {"tf-layers", 1e-3, 0.99, false, true, -1, 0, 1},
                      {"flax", 1e-5, 0.99, false, false, -1, 0, 1},
                      {"onnx", 1e-5, 0.9, false, false, 1, 0, 1},
                      {"d2l", 1e-5, 0.9, false, false, 1, 0, 1}};
  CHECK(std::size(rows) == presets().size());
  for (const Row& row : rows) {
    CAPTURE(row.name);
    const Preset& p = preset(row.name);
    CHECK(p.eps == row.eps);
    CHECK(p.momentum == row.momentum);
    CHECK((p.momentum_weights == MomentumWeights::batch) == row.batch);
    CHECK((p.running_var_estimator == VarEstimator::unbiased) == row.unbiased);
    CHECK(p.axis == row.axis);
    CHECK(p.running_mean == row.mean);
    CHECK(p.running_var == row.var);
  }
}
