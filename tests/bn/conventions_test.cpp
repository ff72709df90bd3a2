#include "bn/conventions.hpp"

#include "catch.hpp"

TEST_CASE("Every choice has its own word") {
  REQUIRE(bn::name(bn::Mode::train) == "train");
  REQUIRE(bn::name(bn::Mode::test) == "test");
  REQUIRE(bn::name(bn::MomentumWeights::running) == "running");
  REQUIRE(bn::name(bn::MomentumWeights::batch) == "batch");
  REQUIRE(bn::name(bn::VarEstimator::biased) == "biased");
  REQUIRE(bn::name(bn::VarEstimator::unbiased) == "unbiased");
}
