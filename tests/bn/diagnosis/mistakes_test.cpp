#include "bn/diagnosis/mistakes.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bn/diagnosis/recipe.hpp"
#include "catch.hpp"

using bn::Cell;
using bn::LayerBefore;
using bn::Mistake;
using bn::Mode;
using bn::Quantity;
using bn::Recipe;

namespace {

constexpr std::array kQuantities = {Quantity::y,  Quantity::running_mean, Quantity::running_var,
                                    Quantity::dx, Quantity::dgamma,       Quantity::dbeta};

// A layer and two channels of 20 values of which no two numbers are the same: var is more than eps
// and less.
const std::vector<double> kGamma{-1.75, 0.8125};
const std::vector<double> kBeta{0.375, -0.625};
const bn::RunningStatistics kRunning{{0.5, -0.25}, {2.25, 0.046875}, 6};
const Cell kCell{20, 1.125, 3.5, 3.5 * 20 / 19, 4.5, -6.25, 0, 0, 0};
const Cell kSmall{20, 1.125, 0.0625, 0.0625 * 20 / 19, 4.5, -6.25, 1, 1, 1};

LayerBefore layer_of(Mode mode, bn::VarEstimator estimator) {
  return {mode, kGamma, kBeta, 0.125, {0.7, bn::MomentumWeights::running, estimator}, kRunning};
}

// What a recipe yields, of one element or of the channel.
double result_of(const Recipe& recipe, Quantity quantity) {
  if (quantity == Quantity::y || quantity == Quantity::dx) {
    return bn::Elementwise(recipe, quantity, {1, 1, 1}).of(2.5, -0.875).value;
  }
  return bn::of_channel(recipe, quantity, {1, 1, 1}).value;
}

bool is_needed(const Mistake& mistake, Mode mode, Quantity quantity) {
  for (const auto estimator : {bn::VarEstimator::biased, bn::VarEstimator::unbiased}) {
    const LayerBefore layer = layer_of(mode, estimator);
    const Recipe right = bn::right_recipe(layer, kCell);
    Recipe wrong = right;
    mistake.apply(wrong, layer, 0.625);
    if (result_of(wrong, quantity) != result_of(right, quantity)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("A mistake changes every result that it is said to show in") {
  for (const Mistake& mistake : bn::known_mistakes()) {
    for (const Mode mode : {Mode::train, Mode::test}) {
      for (const Quantity quantity : kQuantities) {
        if (!mistake.concerns(quantity, mode)) continue;
        INFO(mistake.name << " in " << bn::name(quantity) << ", " << bn::name(mode));
        CHECK(is_needed(mistake, mode, quantity));
      }
    }
  }
}

TEST_CASE("No two mistakes yield the same") {
  for (const Mode mode : {Mode::train, Mode::test}) {
    const LayerBefore layer = layer_of(mode, bn::VarEstimator::unbiased);
    for (const Quantity quantity : kQuantities) {
      const std::array right{bn::right_recipe(layer, kCell), bn::right_recipe(layer, kSmall)};
      const auto results_of = [&](const std::array<Recipe, 2>& recipes) {
        return std::pair(result_of(recipes[0], quantity), result_of(recipes[1], quantity));
      };
      std::set<std::pair<double, double>> results;
      for (const Mistake& mistake : bn::known_mistakes()) {
        if (!mistake.concerns(quantity, mode)) continue;
        std::array<Recipe, 2> wrong = right;
        for (Recipe& recipe : wrong) mistake.apply(recipe, layer, 0.625);
        if (results_of(wrong) == results_of(right)) continue;
        INFO(mistake.name << " in " << bn::name(quantity) << ", " << bn::name(mode));
        CHECK(results.insert(results_of(wrong)).second);
      }
    }
  }
}

TEST_CASE("A sentence has a place for the value where the mistake goes with one") {
  for (const Mistake& mistake : bn::known_mistakes()) {
    INFO(mistake.name);
    const bool valued = mistake.value != bn::Value::none;
    CHECK((mistake.sentence.find("{}") != std::string::npos) == valued);
    CHECK(bn::sentence_of(mistake.sentence, 0.001).find("{}") == std::string::npos);
  }
  CHECK(bn::sentence_of("eps was {}; it", 0.001) == "eps was 0.001; it");
  CHECK(bn::sentence_of("nothing", std::nullopt) == "nothing");
}

TEST_CASE("Two mistakes about one step cannot be made together") {
  const auto find = [](const char* name) {
    const auto all = bn::known_mistakes();
    return *std::find_if(all.begin(), all.end(), [&](const Mistake& m) { return m.name == name; });
  };
  CHECK_FALSE(bn::go_together(find("gamma_missing"), find("gamma_twice")));
  CHECK_FALSE(bn::go_together(find("gamma_missing"), find("gamma_beta_swapped")));
  CHECK_FALSE(bn::go_together(find("affine_twice"), find("beta_missing")));
  CHECK(bn::go_together(find("gamma_missing"), find("beta_missing")));
  CHECK(bn::go_together(find("gamma_beta_swapped"), find("eps_missing")));
}
