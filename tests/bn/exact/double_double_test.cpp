#include "bn/exact/double_double.hpp"

#include <algorithm>
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

const mpq_class kError = 0x1p-101;

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

TEST_CASE("Operations on pairs lose less than a part in 2^101") {
  data::Random random(2);
  for (int i = 0; i < 5000; ++i) {
    const DoubleDouble a = any(random, i % 2 == 0 ? 3 : 200);
    const DoubleDouble b = any(random, i % 2 == 0 ? 3 : 200);
    const mpq_class product = exact(a) * exact(b);
    REQUIRE(abs(exact(a * b) - product) <= abs(product) * kError);
    const mpq_class sum = exact(a) + exact(b);
    const mpq_class larger = std::max(mpq_class(abs(exact(a))), mpq_class(abs(exact(b))));
    REQUIRE(abs(exact(a + b) - sum) <= larger * kError);
    const mpq_class quotient = exact(a) / mpq_class(b.hi);
    REQUIRE(abs(exact(a / b.hi) - quotient) <= abs(quotient) * kError);
  }
}

TEST_CASE("1 / sqrt is known to a part in 2^101") {
  data::Random random(3);
  for (int i = 0; i < 20000; ++i) {
    const double hi = i == 0 ? 1 : i == 1 ? std::nextafter(4.0, 0.0) : 1 + 3 * random.unit();
    const double unit = hi < 2 ? 0x1p-53 : 0x1p-52;  // half of hi's last place
    const DoubleDouble v{hi, unit * (hi == 1 ? random.unit() : 2 * random.unit() - 1)};
    const mpq_class have = exact(bn::inverse_sqrt(v));
    const mpq_class low = have * (1 - kError);
    const mpq_class high = have * (1 + kError);
    INFO(v.hi << " + " << v.lo);
    REQUIRE(low * low * exact(v) < 1);
    REQUIRE(high * high * exact(v) > 1);
  }
}
