#include "bn/centring.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;

namespace {

struct Batch {
  bn::Dyadic sum;
  bn::Dyadic sum_squares;
  std::uint64_t count = 0;

  [[nodiscard]] bn::Centring centring(Dtype dtype, double multiplier) const {
    return bn::batch_centring(dtype, sum, count, bn::channel_statistics(sum, sum_squares, count),
                              multiplier);
  }
};

Batch batch(const std::vector<double>& values) {
  Batch result;
  for (const double value : values) {
    result.sum += bn::Dyadic(value);
    result.sum_squares += bn::Dyadic(value) * bn::Dyadic(value);
    ++result.count;
  }
  return result;
}

mpq_class exact(bn::DoubleDouble value) { return mpq_class(value.hi) + mpq_class(value.lo); }

}  // namespace

TEST_CASE("Ordinary values are taken as they are, less their mean to 100 bits") {
  const bn::Centring centring = batch({0.1, 0.2, 0.4}).centring(Dtype::float64, 1);
  REQUIRE(centring.rescaling == bn::Rescaling{});
  const mpq_class mean = (mpq_class(0.1) + mpq_class(0.2) + mpq_class(0.4)) / 3;
  REQUIRE(abs(exact(centring.mean) - mean) <= mean * mpq_class(0x1p-98));
}

TEST_CASE("Integers of eight bytes are shifted by the integer nearest to their mean") {
  const double far = 0x1p62;
  const bn::Centring centring = batch({far, far + 1024, far + 4096}).centring(Dtype::int64, 1);
  REQUIRE(centring.rescaling.shift == std::nearbyint(centring.rescaling.shift));
  REQUIRE(centring.rescaling.factor == 1);
  const mpq_class mean = mpq_class(far) + mpq_class(5120) / 3;
  const mpq_class have = mpq_class(centring.rescaling.shift) + exact(centring.mean);
  REQUIRE(abs(have - mean) <= mpq_class(0x1p-80));
}

TEST_CASE(
    "Doubles whose mean would have no low part are scaled up, unless what they are "
    "multiplied by is tiny") {
  const Batch tiny = batch({1e-300, 2e-300, 4e-300});
  REQUIRE(tiny.centring(Dtype::float64, 1).rescaling.factor == 0x1p512);
  REQUIRE(tiny.centring(Dtype::float64, 0.5).rescaling.factor == 1);
  REQUIRE(tiny.centring(Dtype::float64, 1e-300).rescaling.factor == 0x1p-512);
  REQUIRE(tiny.centring(Dtype::float64, 0).rescaling.factor == 1);
  REQUIRE(tiny.centring(Dtype::float32, 1).rescaling.factor == 1);
}

TEST_CASE("Rescaling begins at its limits and no sooner") {
  const Batch tiny = batch({1e-300, 2e-300, 4e-300});
  const auto factor = [](const Batch& of, double multiplier) {
    return of.centring(Dtype::float64, multiplier).rescaling.factor;
  };
  // Of the multiplier, whatever its sign.
  for (const double sign : {1.0, -1.0}) {
    REQUIRE(factor(tiny, sign * 0.5) == 1);
    REQUIRE(factor(tiny, sign * std::nextafter(0.5, 1.0)) == 0x1p512);
    REQUIRE(factor(tiny, sign * 0x1p-900) == 1);
    REQUIRE(factor(tiny, sign * std::nextafter(0x1p-900, 0.0)) == 0x1p-512);
  }
  REQUIRE(batch({1, 2}).centring(Dtype::float32, 0x1p-901).rescaling.factor == 0x1p-512);
  // Of the mean: that of two equal values is the value.
  REQUIRE(factor(batch({0x1p-900, 0x1p-900}), 1) == 1);
  REQUIRE(factor(batch({-0x1p-900, -0x1p-900}), 1) == 1);
  const double below = std::nextafter(0x1p-900, 0.0);
  REQUIRE(factor(batch({below, below}), 1) == 0x1p512);
  REQUIRE(factor(batch({-below, -below}), 1) == 0x1p512);
  REQUIRE(factor(batch({1, -1}), 1) == 1);  // no mean, no low part
  // Of the room above: two values a and -a, nearly, have a^2 * 2 as variance times their number.
  const double rest = 0x1p-1000;
  REQUIRE(factor(batch({0x1p449, -0x1p449, rest, rest}), 1) == 0x1p512);
  REQUIRE(factor(batch({0x1p450, -0x1p450, rest, rest}), 1) == 1);
}

TEST_CASE("A multiplier that underflowed is the least normal double, another is itself") {
  REQUIRE(bn::not_zero(0.0) == std::numeric_limits<double>::min());
  REQUIRE(bn::not_zero(5e-324) == 5e-324);
  REQUIRE(bn::not_zero(-3.0) == -3.0);
}

TEST_CASE("A running mean is taken as exact, shifted for integers of eight bytes only") {
  REQUIRE(bn::running_centring(Dtype::float64, 0.1).mean.hi == 0.1);
  REQUIRE(bn::running_centring(Dtype::float64, 0.1).rescaling == bn::Rescaling{});
  const bn::Centring centring = bn::running_centring(Dtype::uint64, 12345.75);
  REQUIRE(centring.rescaling.shift == 12346);
  REQUIRE(centring.mean.hi == -0.25);
  REQUIRE(bn::running_centring(Dtype::uint64, 0x1p101).rescaling == bn::Rescaling{});
  for (const double mean : {0x1p100, -0x1p100}) {
    REQUIRE(bn::running_centring(Dtype::int64, mean).rescaling.shift == mean);
    const double beyond = std::nextafter(mean, 2 * mean);
    REQUIRE(bn::running_centring(Dtype::int64, beyond).rescaling == bn::Rescaling{});
    REQUIRE(bn::running_centring(Dtype::int64, beyond).mean.hi == beyond);
  }
}
