#include "bn/running_statistics.hpp"

#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>

#include "bn/error.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;
using data::Array;
using data::Kind;

TEST_CASE("Running statistics are updated in double, each operation rounded, as written") {
  data::Random random(6);
  const View view{40, 3, 2};
  const Array x = data::make(Dtype::float64, view, Kind::normal, 1);
  data::ArraySource source(x);
  const bn::Statistics batch = bn::statistics(bn::sums(view, source));
  for (const auto estimator : {bn::VarEstimator::biased, bn::VarEstimator::unbiased}) {
    for (const auto weights : {bn::MomentumWeights::running, bn::MomentumWeights::batch}) {
      for (const std::optional<double> value :
           {std::optional<double>(0.9), std::optional<double>(0.1), std::optional<double>(0.0),
            std::optional<double>(1.0), std::optional<double>()}) {
        bn::RunningStatistics running{{random.unit(), 1, 2}, {random.unit(), 3, 4}, 7};
        const bn::RunningStatistics old = running;
        bn::update(running, batch, {value, weights, estimator});
        REQUIRE(running.num_batches_tracked == 8);
        const double given = value.value_or(0);
        const double w = !value                                    ? 1 - 1.0 / 8
                         : weights == bn::MomentumWeights::running ? given
                                                                   : 1 - given;
        const double v = value && weights == bn::MomentumWeights::batch ? given : 1 - w;
        const auto& var = estimator == bn::VarEstimator::biased ? batch.var : batch.var_unbiased;
        for (std::size_t c = 0; c < 3; ++c) {
          const volatile double kept = w * old.running_mean[c];
          const volatile double added = v * batch.mean[c];
          REQUIRE(support::same_bits(running.running_mean[c], kept + added));
          const volatile double kept_var = w * old.running_var[c];
          const volatile double added_var = v * var[c];
          REQUIRE(support::same_bits(running.running_var[c], kept_var + added_var));
        }
      }
    }
  }
  bn::RunningStatistics other{{0}, {1}, 0};
  REQUIRE_THROWS_AS(bn::update(other, batch, {}), std::invalid_argument);
}

TEST_CASE("The cumulative average weighs the old value by 1 - 1/k, the batch by what that leaves") {
  // Which is not 1/k itself for most k: 1 - (1 - 1/10) is less than 0.1 by 2^-53 or so.
  const bn::Momentum cumulative{.value = {}};
  for (const std::uint64_t k : {1U, 2U, 3U, 4U, 10U, 49U, 1000003U}) {
    bn::Statistics batch(1);
    batch.mean[0] = 1;
    batch.var[0] = 1;
    batch.var_unbiased[0] = 7;
    bn::RunningStatistics zero{{0}, {0}, k - 1};
    bn::update(zero, batch, cumulative);
    REQUIRE(zero.num_batches_tracked == k);
    const volatile double part = 1 / static_cast<double>(k);
    const volatile double old_weight = 1 - part;
    const volatile double new_weight = 1 - old_weight;
    REQUIRE(support::same_bits(zero.running_mean[0], new_weight));
    REQUIRE(support::same_bits(zero.running_var[0], new_weight));
    batch.mean[0] = 0;
    batch.var[0] = 0;
    bn::RunningStatistics one{{1}, {1}, k - 1};
    bn::update(one, batch, cumulative);
    REQUIRE(support::same_bits(one.running_mean[0], old_weight));
    REQUIRE(support::same_bits(one.running_var[0], old_weight));
  }
  // Of batches 1 to 4 it is their mean.
  bn::RunningStatistics running{{17}, {17}, 0};
  for (const double value : {1.0, 2.0, 3.0, 6.0}) {
    bn::Statistics batch(1);
    batch.mean[0] = value;
    batch.var[0] = 2 * value;
    bn::update(running, batch, cumulative);
  }
  REQUIRE(std::fabs(running.running_mean[0] - 3) < 1e-14);
  REQUIRE(std::fabs(running.running_var[0] - 6) < 1e-14);
}

TEST_CASE(
    "A batch whose variance is not finite is refused if it is needed, and nothing is changed") {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const auto refused = [](const bn::Statistics& batch, bn::VarEstimator estimator) {
    bn::RunningStatistics running{{1, 1}, {1, 1}, 5};
    bn::Momentum momentum;
    momentum.running_var_estimator = estimator;
    try {
      bn::update(running, batch, momentum);
    } catch (const bn::RangeError& error) {
      REQUIRE(error.channel == 1);
      REQUIRE(std::string(error.statistic) == "var");
      REQUIRE(running.num_batches_tracked == 5);
      REQUIRE(running.running_mean == std::vector<double>{1, 1});
      REQUIRE(running.running_var == std::vector<double>{1, 1});
      return true;
    }
    REQUIRE(running.num_batches_tracked == 6);
    return false;
  };
  bn::Statistics batch(2);
  batch.var_unbiased[1] = kInfinity;
  REQUIRE(refused(batch, bn::VarEstimator::unbiased));
  REQUIRE_FALSE(refused(batch, bn::VarEstimator::biased));
  batch.var[1] = kInfinity;
  REQUIRE(refused(batch, bn::VarEstimator::biased));
  // The other way round no batch can have it, but one estimator is not asked about the other.
  batch.var_unbiased[1] = 1;
  REQUIRE_FALSE(refused(batch, bn::VarEstimator::unbiased));
}

TEST_CASE("One value has no unbiased variance to update with, and nothing is changed") {
  bn::Sums sums{1, std::vector<bn::Dyadic>(2), std::vector<bn::Dyadic>(2)};
  const bn::Statistics one = bn::statistics(sums);
  bn::RunningStatistics running{{0, 0}, {1, 1}, 0};
  bn::Momentum unbiased;
  unbiased.running_var_estimator = bn::VarEstimator::unbiased;
  REQUIRE_THROWS_AS(bn::update(running, one, unbiased), bn::RangeError);
  REQUIRE(running.num_batches_tracked == 0);
  REQUIRE(running.running_var == std::vector<double>{1, 1});
}
