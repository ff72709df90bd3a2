#include <cmath>

#include "bn/exact/double_double_arithmetic.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::DoubleDouble;

namespace {

DoubleDouble any(data::Random& random, int exponent) {
  const double hi = std::ldexp(1 + random.unit(), random.between(-exponent, exponent));
  const double lo = std::ldexp(random.unit() - 0.5, std::ilogb(hi) - 52);
  return {random.below(2) == 0 ? hi : -hi, lo};
}

mpq_class exact(DoubleDouble value) { return mpq_class(value.hi) + mpq_class(value.lo); }

const mpq_class kError = 0x1p-100;

// Whether value is within `error` of 1 / sqrt(of), value and error positive: by their squares.
bool inverse_root_within(const mpq_class& value, const mpq_class& of, const mpq_class& error) {
  const mpq_class low = value - error;
  const mpq_class high = value + error;
  return low * low * of <= 1 && high * high * of >= 1;
}

mpq_class ulp(double value) { return mpq_class(std::ldexp(1, std::ilogb(value) - 52)); }

}  // namespace

TEST_CASE("The sum and the product of two doubles are exact pairs") {
  data::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const double a = any(random, 200).hi;
    const double b = any(random, 200).hi;
    REQUIRE(exact(bn::two_sum(a, b)) == mpq_class(a) + mpq_class(b));
    REQUIRE(exact(bn::two_prod(a, b)) == mpq_class(a) * mpq_class(b));
    REQUIRE(bn::two_sum(a, b).hi == a + b);
    REQUIRE(bn::two_prod(a, b).hi == a * b);
  }
}

TEST_CASE("Operations on pairs lose less than a part in 2^100") {
  data::Random random(2);
  for (int i = 0; i < 5000; ++i) {
    const DoubleDouble a = any(random, 200);
    const DoubleDouble b = any(random, 200);
    const mpq_class product = exact(a) * exact(b);
    REQUIRE(abs(exact(a * b) - product) <= abs(product) * kError);
    const mpq_class scaled = exact(a) * mpq_class(b.hi);
    REQUIRE(abs(exact(a * b.hi) - scaled) <= abs(scaled) * kError);
    const DoubleDouble positive{std::fabs(a.hi), a.lo};
    const mpq_class sum = exact(positive) + mpq_class(std::fabs(b.hi));
    REQUIRE(abs(exact(positive + std::fabs(b.hi)) - sum) <= sum * kError);
  }
}

TEST_CASE("1 / sqrt is within an ulp, and its pair within a part in 2^100") {
  data::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    const int exponent = random.between(-1074, 1023);
    const double hi = std::ldexp(1 + random.unit(), exponent);
    DoubleDouble v{hi, exponent < -900 ? 0 : std::ldexp(random.unit() - 0.5, exponent - 52)};
    if (!std::isfinite(hi)) continue;
    const DoubleDouble have = bn::inverse_sqrt(v);
    INFO(v.hi << " + " << v.lo);
    REQUIRE(inverse_root_within(have.hi, exact(v), ulp(have.hi)));
    REQUIRE(inverse_root_within(exact(have), exact(v), exact(have) * kError));
  }
}

TEST_CASE("Inv_std of a variance and eps is within an ulp") {
  data::Random random(4);
  for (int i = 0; i < 20000; ++i) {
    const double var = std::ldexp(random.unit(), random.between(-1000, 1000));
    const double eps = i % 3 == 0 ? 1e-5 : std::ldexp(1 + random.unit(), random.between(-300, 10));
    const double have = bn::inverse_sqrt(DoubleDouble{var, 0} + eps).hi;
    INFO(var << " " << eps);
    REQUIRE(inverse_root_within(have, mpq_class(var) + mpq_class(eps), ulp(have)));
  }
}
