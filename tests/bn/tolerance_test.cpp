#include "bn/tolerance.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string_view>

#include "catch.hpp"
#include "data.hpp"

using bn::Circumstances;
using bn::Dtype;
using bn::Mode;
using bn::Quantity;

namespace {

constexpr std::array kQuantities{
    Quantity::y,  Quantity::running_mean, Quantity::running_var, Quantity::num_batches_tracked,
    Quantity::dx, Quantity::dgamma,       Quantity::dbeta};

// Eight values: var + eps is 4^2, A is twice 4^2, the batch weighs 1/4.
constexpr Circumstances kEight{Mode::train, Dtype::float32, 8, 9, 7, 32, 0.25};

bool near(double a, double b) { return std::abs(a - b) <= 1e-12 * std::abs(b); }

}  // namespace

TEST_CASE("The names of what can be claimed are those of the files' keys") {
  constexpr std::array<std::string_view, 7> kNames{
      "y", "running_mean", "running_var", "num_batches_tracked", "dx", "dgamma", "dbeta"};
  for (std::size_t k = 0; k < kNames.size(); ++k) REQUIRE(bn::name(kQuantities[k]) == kNames[k]);
}

TEST_CASE("Default tolerances are those worked out by hand") {
  // float32, m = 8: s = 4, the mean is off by 5, var by 4 + 4 u 5^2 (32 / 16) 32, u = 2^-24.
  constexpr double kUnit = 0x1p-24;
  constexpr double kOfVar = 4 + 6400 * kUnit;
  const double of_size = 32 / (35 + 32 * kUnit) * (32 / (3 + 32 * kUnit));
  // float16, m = 16384 in float32 sums: s = 1, the mean is off by 2, var by 1 + 1/2.
  Circumstances halves = kEight;
  halves.dtype = Dtype::float16;
  halves.count = 16384;
  struct Want {
    Quantity quantity;
    double train, test, half;
  };
  const std::array<Want, 7> table{{
      {Quantity::y, 13 + kOfVar / 4, 10, 10.375},
      {Quantity::running_mean, 9, 1, 6},
      {Quantity::running_var, 10 + 100 * kUnit * of_size, 1, 7 + 32768.0 / (193 * 2241)},
      {Quantity::num_batches_tracked, 0, 0, 0},
      {Quantity::dx, 24 + 2 * kOfVar, 8, 15},
      {Quantity::dgamma, 17 + kOfVar / 4, 17, 8.375},
      {Quantity::dbeta, 6, 6, 3},
  }};
  for (const Want& want : table) {
    INFO(bn::name(want.quantity));
    Circumstances in_test = kEight;
    in_test.mode = Mode::test;
    REQUIRE(near(bn::default_tolerance(want.quantity, kEight), want.train));
    REQUIRE(bn::default_tolerance(want.quantity, in_test) == want.test);
    REQUIRE(near(bn::default_tolerance(want.quantity, halves), want.half));
  }
}

TEST_CASE("What the variance is off by matters no more than half, and never more than all of it") {
  Circumstances of = kEight;
  of.mean_size = 1;  // 2 * 4 / 1 would be more
  REQUIRE(near(bn::default_tolerance(Quantity::y, of), 13 + (4 + 100 * 0x1p-24 / 16) / 2));
  of.mean_size = 0x1p60;
  REQUIRE(near(bn::default_tolerance(Quantity::y, of), 13 + 0x1p-57 * 0x1p24));
  REQUIRE(near(bn::default_tolerance(Quantity::dx, of), 24 + 0x1p25));
  of.batch_weight = 0;  // cumulative averages have no weight of the old value to round
  REQUIRE(bn::default_tolerance(Quantity::running_mean, of) == 7);
  of.mean_size = 0;
  REQUIRE(bn::default_tolerance(Quantity::y, of) == 13);
  REQUIRE(bn::default_tolerance(Quantity::running_var, of) == 8);
}

TEST_CASE("Default tolerances do not become less with more values") {
  for (const Quantity quantity : kQuantities) {
    for (const Mode mode : {Mode::train, Mode::test}) {
      for (const Dtype dtype : data::kFloating) {
        for (const double size : {0.0, 1.0, 1e4}) {
          Circumstances of{mode, dtype, 0, 1, 1e-5, size, 0.1};
          double last = bn::default_tolerance(quantity, of);
          INFO(bn::name(quantity) << " " << bn::name(mode) << " " << bn::name(dtype));
          for (int power = 0; power < 60; ++power) {
            of.count = std::uint64_t{1} << power;
            const double here = bn::default_tolerance(quantity, of);
            REQUIRE(here >= last);
            last = here;
          }
          const bool sums = quantity == Quantity::dgamma || quantity == Quantity::dbeta ||
                            (mode == Mode::train && quantity != Quantity::num_batches_tracked);
          of.count = 1;
          REQUIRE(sums == (last > 2 * bn::default_tolerance(quantity, of)));
        }
      }
    }
  }
}

TEST_CASE("Default tolerances are finite and more than 0, whatever the data") {
  constexpr double kLeast = std::numeric_limits<double>::denorm_min();
  constexpr double kMost = std::numeric_limits<double>::max();
  for (const Quantity quantity : kQuantities) {
    for (const Mode mode : {Mode::train, Mode::test}) {
      for (const Dtype dtype : data::kFloating) {
        for (const std::uint64_t count : {0ULL, 1ULL, 2ULL, 1ULL << 40}) {
          for (const double var : {0.0, kLeast, 1e-300, 1.0, kMost}) {
            for (const double size : {0.0, kLeast, 1e-300, 1.0, 1e300, kMost}) {
              for (const double eps : {kLeast, 1e-5, 1e300}) {
                const double tolerance = bn::default_tolerance(
                    quantity, {mode, dtype, count, var, eps, size, count == 0 ? 0 : 0.1});
                INFO(bn::name(quantity) << " " << bn::name(dtype) << " " << count << " " << var
                                        << " " << size << " " << eps);
                REQUIRE(std::isfinite(tolerance));
                REQUIRE((tolerance > 0) == (quantity != Quantity::num_batches_tracked));
              }
            }
          }
        }
      }
    }
  }
}

TEST_CASE("The unit of a dtype is half a step above 1") {
  REQUIRE(bn::unit_of(Dtype::float16) == 0x1p-11);
  REQUIRE(bn::unit_of(Dtype::float32) == 0x1p-24);
  REQUIRE(bn::unit_of(Dtype::float64) == 0x1p-53);
}
