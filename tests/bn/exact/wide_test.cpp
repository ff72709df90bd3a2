#include "bn/exact/wide.hpp"

#include <cmath>

#include "catch.hpp"
#include "support.hpp"

using bn::Dyadic;
using bn::Integer;
using bn::Wide;

namespace {

mpq_class exact(const Wide& value) {
  const auto integer = [](double part, int exponent) {
    return support::exact(Dyadic(Dyadic(part).integer(), Dyadic(part).exponent() + exponent));
  };
  return integer(value.significand.hi, value.exponent) +
         integer(value.significand.lo, value.exponent);
}

// Of any length and size.
Dyadic any(data::Random& random) {
  Integer integer = 1;
  for (int bits = random.between(0, 700); bits > 0; --bits) {
    integer = 2 * integer + static_cast<unsigned>(random.below(2));
  }
  if (random.below(3) == 0) integer = (Integer(1) << random.between(1, 300)) - 1;
  if (random.below(2) == 0) integer = -integer;
  return {integer, random.between(-5000, 5000)};
}

bool is_normal(const Wide& value) {
  return std::abs(value.significand.hi) >= 1 && std::abs(value.significand.hi) < 2;
}

}  // namespace

TEST_CASE("Exact numbers of any size are known to a part in 2^104") {
  data::Random random(1);
  for (int i = 0; i < 5000; ++i) {
    const Dyadic value = any(random);
    const Wide have = bn::wide(value);
    REQUIRE(is_normal(have));
    REQUIRE(abs(exact(have) - support::exact(value)) <=
            abs(support::exact(value)) * mpq_class(0x1p-104));
  }
  REQUIRE(bn::wide(Dyadic()).is_zero());
  for (const double value :
       {5e-324, -1e-310, -1.7e308, 0x1p1023, 0x1p900, 0x1p-900, 0x1p-1022, 0.1, 0.0}) {
    REQUIRE(exact(bn::wide(value)) == mpq_class(value));
  }
}

TEST_CASE("Operations on wide numbers lose less than a part in 2^100") {
  data::Random random(2);
  const mpq_class error = 0x1p-100;
  for (int i = 0; i < 5000; ++i) {
    const Wide a = bn::wide(any(random));
    Wide b = bn::wide(any(random));
    if (i % 2 == 0) b.exponent = a.exponent + random.between(-130, 130);
    if (i % 8 == 0) b = {{-a.significand.hi, random.unit() * 0x1p-54}, a.exponent};
    const mpq_class product = exact(a) * exact(b);
    REQUIRE(abs(exact(a * b) - product) <= abs(product) * error);
    const mpq_class sum = exact(a) + exact(b);
    const mpq_class largest = std::max(mpq_class(abs(exact(a))), mpq_class(abs(exact(b))));
    REQUIRE(abs(exact(a + b) - sum) <= largest * error);
    // The root, by its square.
    const Wide positive{{std::abs(a.significand.hi), a.significand.lo}, a.exponent};
    const mpq_class root = exact(bn::inverse_sqrt(positive));
    const mpq_class low = root - root * error;
    const mpq_class high = root + root * error;
    REQUIRE(low * low * exact(positive) <= 1);
    REQUIRE(high * high * exact(positive) >= 1);
  }
  REQUIRE(exact(bn::wide(3.0) + Wide{}) == 3);
}
