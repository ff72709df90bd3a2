#include "bn/running_statistics.hpp"

#include <optional>
#include <stdexcept>

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
