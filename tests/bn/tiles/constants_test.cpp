#include "bn/tiles/constants.hpp"

#include <array>
#include <cmath>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::Dyadic;
using bn::Sizes;

namespace {

// A formula whose root is rational.
struct Example {
  bn::ExactChannel exact;
  mpq_class root;
  Sizes sizes;
};

// Of x about `mean`, dy about 0, and results about 1.
Example example(data::Random& random, std::size_t operands, double mean) {
  const auto count = static_cast<std::uint64_t>(random.between(2, 1000000));
  const auto m = static_cast<double>(count);
  const double std = std::ldexp(1 + random.unit(), random.between(-3, 20));
  const Dyadic root = Dyadic(m) * Dyadic(std);
  Example result;
  result.root = support::exact(root);
  result.exact.count = count;
  result.exact.variance = root * root;
  result.exact.offset = operands == 1 ? random.normal() : 0.0;
  result.exact.factor = random.normal();
  Dyadic sum = Dyadic(m) * Dyadic(mean * std);
  sum += Dyadic(random.normal());
  result.exact.terms[0] = {Dyadic(operands == 1 ? 1.0 : random.normal() / std), sum};
  if (operands == 2) result.exact.terms[1] = {Dyadic(1.0), Dyadic(m * random.normal())};
  result.sizes.see(std::ilogb(std * (std::abs(mean) + 8)) + 1, 3);
  return result;
}

mpq_class exact_result(const Example& of, const std::array<double, 2>& operands) {
  mpq_class sum = 0;
  for (std::size_t k = 0; k < 2; ++k) {
    const auto& [weight, sum_of_operand] = of.exact.terms[k];
    sum += support::exact(weight) *
           (mpq_class(of.exact.count) * mpq_class(operands[k]) - support::exact(sum_of_operand));
  }
  return mpq_class(of.exact.offset) + mpq_class(of.exact.factor) * sum / of.root;
}

// What the products come to, rounded nowhere, to which low or high is added.
mpq_class products(const bn::kernels::BoundedAffine<double>& k, const std::array<double, 2>& in) {
  return mpq_class(k.scale) * in[0];
}
mpq_class products(const bn::kernels::BoundedGradient<double>& k, const std::array<double, 2>& in) {
  return mpq_class(k.slope) * in[0] + mpq_class(k.scale) * in[1];
}
mpq_class products(const bn::kernels::BoundedAffinePair<double>& k,
                   const std::array<double, 2>& in) {
  return (mpq_class(k.scale) + mpq_class(k.scale_lo)) * in[0] + mpq_class(k.offset);
}
mpq_class products(const bn::kernels::BoundedGradientPair<double>& k,
                   const std::array<double, 2>& in) {
  return (mpq_class(k.slope) + mpq_class(k.slope_lo)) * in[0] +
         (mpq_class(k.scale) + mpq_class(k.scale_lo)) * in[1] + mpq_class(k.offset);
}

// The constants for bounded operands of the only channel.
template <class Use>
void with_bounded(const bn::ChannelConstants& constants, Use use) {
  std::visit(
      [&](const auto& kinds) {
        use(bn::kernels::transform(kinds.bounded, [](const auto& of) { return of[0]; }));
      },
      constants.of_channels());
}

bool has_bound(const bn::ExactChannel& exact, std::size_t operands, const Sizes* sizes,
               Dtype dtype) {
  bn::ChannelConstants constants(1, operands, dtype);
  constants.set(0, exact, 0, sizes);
  bool bounded = false;
  with_bounded(constants, [&](const auto& k) {
    bounded = std::isfinite(k.low);
    REQUIRE(std::isfinite(k.high) == bounded);
    // Else nothing but the ends: NaN would be alike in both of them.
    if (!bounded) REQUIRE((k.low < 0 && k.high > 0 && products(k, {1, 1}) == 0));
  });
  return bounded;
}

}  // namespace

// What the kernels round is less than half of the bound, as kernels/elementwise.hpp has it.
TEST_CASE("The constants for bounded operands leave half of their bound to the kernels") {
  data::Random random(1);
  for (int i = 0; i < 60; ++i) {
    for (const std::size_t operands : {1U, 2U}) {
      for (const double mean : {0.0, 1.0, -30.0}) {
        const Example of = example(random, operands, mean);
        const double pivot = random.below(2) == 0 ? 0 : std::ldexp(mean, of.sizes.below[0] - 6);
        for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64}) {
          bn::ChannelConstants constants(1, operands, dtype);
          constants.set(0, of.exact, pivot, &of.sizes);
          REQUIRE(has_bound(of.exact, operands, &of.sizes, dtype));
          for (const double x : {-1.0, -0.1, 0.0, 0.7, 1.0}) {
            for (const double dy : {-1.0, 0.3, 1.0}) {
              const std::array in{std::ldexp(x, of.sizes.below[0]),
                                  operands == 1 ? 0.0 : std::ldexp(dy, of.sizes.below[1])};
              const mpq_class want = exact_result(of, in);
              with_bounded(constants, [&](const auto& k) {
                const mpq_class sum = products(k, in);
                const mpq_class half = (mpq_class(k.high) - mpq_class(k.low)) / 4;
                REQUIRE(sum + mpq_class(k.low) + half < want);
                REQUIRE(want < sum + mpq_class(k.high) - half);
              });
            }
          }
        }
      }
    }
  }
}

TEST_CASE("There is a bound where it is known and near enough to what results are like") {
  data::Random random(2);
  for (const std::size_t operands : {1U, 2U}) {
    for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64}) {
      const Example of = example(random, operands, 0);
      REQUIRE(has_bound(of.exact, operands, &of.sizes, dtype));
      REQUIRE_FALSE(has_bound(of.exact, operands, nullptr, dtype));

      Sizes outlier = of.sizes;
      outlier.see(of.sizes.below[0] + 50, Sizes::kNone);
      REQUIRE_FALSE(has_bound(of.exact, operands, &outlier, dtype));
      Sizes largest = of.sizes;
      largest.see(1024, Sizes::kNone);
      REQUIRE_FALSE(has_bound(of.exact, operands, &largest, dtype));
      Sizes unknown;
      unknown.see(Sizes::kUnknown, Sizes::kUnknown);
      REQUIRE_FALSE(has_bound(of.exact, operands, &unknown, dtype));
      bn::ExactChannel dead = of.exact;
      dead.factor = 0;
      REQUIRE_FALSE(has_bound(dead, operands, &unknown, dtype));
    }
  }
  // Doubles know more of their results.
  const Example of = example(random, 1, 0);
  Sizes large = of.sizes;
  large.see(of.sizes.below[0] + 20, Sizes::kNone);
  REQUIRE_FALSE(has_bound(of.exact, 1, &large, Dtype::float32));
  REQUIRE(has_bound(of.exact, 1, &large, Dtype::float64));
}

// y is beta there, where the kernels' sum of products and it would be +0.
TEST_CASE("There is no bound where gamma is 0 and beta -0") {
  data::Random random(3);
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    Example of = example(random, 1, 0);
    of.exact.factor = 0;
    of.exact.offset = 0.0;
    REQUIRE(has_bound(of.exact, 1, &of.sizes, dtype));
    of.exact.offset = -0.0;
    REQUIRE_FALSE(has_bound(of.exact, 1, &of.sizes, dtype));
  }
}
