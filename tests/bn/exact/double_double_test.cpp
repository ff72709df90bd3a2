#include "bn/exact/double_double.hpp"

#include <cmath>

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
    const mpq_class quotient = exact(a) / mpq_class(b.hi);
    REQUIRE(abs(exact(a / b.hi) - quotient) <= abs(quotient) * kError);
    // Sums that cancel, too: an error relative to the larger operand.
    for (const DoubleDouble& other : {b, DoubleDouble{-a.hi, b.lo}, DoubleDouble{-a.hi * 1.5, 0}}) {
      if (std::abs(other.lo) > std::ldexp(std::abs(other.hi), -53)) continue;
      const mpq_class largest = std::max(mpq_class(abs(exact(a))), mpq_class(abs(exact(other))));
      REQUIRE(abs(exact(a + other) - (exact(a) + exact(other))) <= largest * kError);
    }
  }
}

TEST_CASE("The pair of 1 / sqrt is within a part in 2^100") {
  data::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    const double hi = std::ldexp(1 + random.unit(), random.between(0, 1));
    const DoubleDouble v{hi, std::ldexp(random.unit() - 0.5, std::ilogb(hi) - 52)};
    const DoubleDouble have = bn::inverse_sqrt(v);
    INFO(v.hi << " + " << v.lo);
    REQUIRE(inverse_root_within(exact(have), exact(v), exact(have) * kError));
  }
}
