#include "cli/presets.hpp"

#include <algorithm>
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
    CHECK_FALSE(p.about.empty());
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
