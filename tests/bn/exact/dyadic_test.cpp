#include "bn/exact/dyadic.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "catch.hpp"
#include "support.hpp"

using bn::Dyadic;
using bn::Integer;

namespace {

double any_double(data::Random& random) {
  for (;;) {
    const double value = std::bit_cast<double>(random.next());
    if (std::isfinite(value)) return value;
  }
}

Integer positive(data::Random& random, int bits) {
  Integer result = 1;
  for (int i = 1; i < bits; ++i) result = 2 * result + static_cast<unsigned>(random.below(2));
  return result;
}

mpz_class gmp(const Integer& value) { return support::exact(Dyadic(value, 0)).get_num(); }

}  // namespace

TEST_CASE("A dyadic number is the double it is made of, in lowest terms") {
  data::Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const double value = any_double(random);
    const Dyadic dyadic(value);
    REQUIRE(support::exact(dyadic) == mpq_class(value));
    REQUIRE((dyadic.integer().is_zero() || bit_test(Integer(abs(dyadic.integer())), 0)));
  }
  REQUIRE(Dyadic(0.0) == Dyadic());
  REQUIRE(Dyadic(-0.0) == Dyadic());
  REQUIRE(Dyadic(Integer(12), 3) == Dyadic(Integer(3), 5));
  REQUIRE(Dyadic(Integer(-12), 3) == Dyadic(Integer(-3), 5));
}

TEST_CASE("Sums, differences and products of dyadic numbers are exact") {
  data::Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const double a = any_double(random);
    const double b = any_double(random);
    Dyadic sum(a);
    sum += Dyadic(b);
    Dyadic difference(a);
    difference -= Dyadic(b);
    REQUIRE(support::exact(sum) == mpq_class(a) + mpq_class(b));
    REQUIRE(support::exact(difference) == mpq_class(a) - mpq_class(b));
    REQUIRE(support::exact(Dyadic(a) * Dyadic(b)) == mpq_class(a) * mpq_class(b));
    sum -= Dyadic(a);
    REQUIRE(sum == Dyadic(b));
  }
}

TEST_CASE("The text of a dyadic number has one form, which reads back") {
  REQUIRE(Dyadic().to_string() == "0x0p0");
  REQUIRE(Dyadic(Integer(0x1a2b), -149).to_string() == "0x1a2bp-149");
  REQUIRE(Dyadic(Integer(-3), 0).to_string() == "-0x3p0");
  data::Random random(3);
  for (int i = 0; i < 500; ++i) {
    const Dyadic value = Dyadic(any_double(random)) * Dyadic(any_double(random));
    REQUIRE(Dyadic::parse(value.to_string()) == value);
  }
}

TEST_CASE("Any other text is refused") {
  for (const char* text : {"",
                           "-",
                           "0x",
                           "0x1",
                           "0x1p",
                           "1p0",
                           "0x2p0",
                           "0x01p0",
                           "-0x0p0",
                           "0x0p1",
                           "0X1p0",
                           "0x1P0",
                           "+0x1p0",
                           " 0x1p0",
                           "0x1p0 ",
                           "0x1p+0",
                           "0x1p00",
                           "0x1p-0",
                           "0xAp0",
                           "0xap0",
                           "0x1p99999",
                           "0x1p-99999",
                           "0x1p-2147483648",
                           "0x1p1e3",
                           "0x1.8p0",
                           "--0x1p0",
                           "0x1p0x1p0",
                           "nan",
                           "inf"}) {
    INFO(text);
    REQUIRE_THROWS_AS(Dyadic::parse(text), std::invalid_argument);
  }
  REQUIRE_THROWS_AS(Dyadic::parse("0x" + std::string(100000, '1') + "p0"), std::invalid_argument);
}

TEST_CASE("Text is read up to 1200 digits and exponents of 4400, and no further") {
  const auto ones = [](std::size_t digits) { return "0x" + std::string(digits, '1') + "p0"; };
  for (const std::size_t digits : {1U, 1199U, 1200U}) {
    REQUIRE(Dyadic::parse(ones(digits)).to_string() == ones(digits));
  }
  REQUIRE_THROWS_AS(Dyadic::parse(ones(1201)), std::invalid_argument);
  for (const char* text : {"0x1p4399", "0x1p4400", "-0x1p-4399", "-0x1p-4400"}) {
    REQUIRE(Dyadic::parse(text).to_string() == text);
  }
  for (const char* text : {"0x1p4401", "-0x1p-4401"}) {
    INFO(text);
    REQUIRE_THROWS_AS(Dyadic::parse(text), std::invalid_argument);
  }
}

TEST_CASE("A quotient is rounded once over the whole range") {
  data::Random random(4);
  for (int i = 0; i < 20000; ++i) {
    const Integer numerator = random.below(2) == 0
                                  ? positive(random, random.between(1, 300))
                                  : Integer(-positive(random, random.between(1, 300)));
    const std::uint64_t a = random.next() >> random.between(0, 62) | 1;
    const std::uint64_t b = i % 2 == 0 ? 1 : random.next() >> random.between(0, 62) | 1;
    // Down to where everything is subnormal or zero, up to infinity.
    const int exponent = i % 4 == 0 ? random.between(-200, 200) : random.between(-1300, 1100);
    const mpq_class want =
        support::exact(Dyadic(numerator, exponent)) / mpq_class(gmp(Integer(a)) * gmp(Integer(b)));
    INFO(numerator << " p " << exponent << " / (" << a << " * " << b << ")");
    REQUIRE(quotient(Dyadic(numerator, exponent), a, b) == oracle::nearest(want));
  }
}

TEST_CASE("Quotients on and beside a tie round to even, at every size") {
  for (const int exponent : {-1128, -1127, -1126, -1100, -1080, -500, 0, 900, 917}) {
    for (const std::uint64_t odd : {1U, 3U, 5U, 0xffffffffU}) {
      for (const int nudge : {-1, 0, 1}) {
        // (2^53 + odd) / 2 is a tie of normal doubles; seven times more of both the same.
        Integer numerator = ((Integer(1) << 53) + odd) << 60;
        numerator += nudge;
        numerator *= 7;
        const Dyadic dyadic(numerator, exponent - 7);
        const mpq_class want = support::exact(dyadic) / 7;
        REQUIRE(quotient(dyadic, 7) == oracle::nearest(want));
        REQUIRE(quotient(-dyadic, 7) == -oracle::nearest(want));
      }
    }
  }
}

TEST_CASE("Quotients are exact on either side of what double arithmetic can take") {
  // Denominators are doubles up to 2^53; numerators of 384 bits and exponents of 400 are the limit.
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 53;
  data::Random random(6);
  for (int repeat = 0; repeat < 10; ++repeat) {
    for (const std::uint64_t a : {kLimit - 1, kLimit, kLimit + 1, kLimit + 3, ~std::uint64_t{0}}) {
      for (const std::uint64_t b : {std::uint64_t{1}, kLimit, kLimit + 1}) {
        for (const int bits : {60, 383, 384, 385, 449}) {
          for (const int exponent : {-401, -400, 400, 401}) {
            const Dyadic numerator(positive(random, bits) | 1, exponent);
            const mpq_class want =
                support::exact(numerator) / mpq_class(gmp(Integer(a)) * gmp(Integer(b)));
            REQUIRE(quotient(numerator, a, b) == oracle::nearest(want));
          }
        }
      }
    }
  }
}

TEST_CASE("Quotients overflow from the midpoint beyond the largest double on") {
  const double largest = std::numeric_limits<double>::max();
  const Integer edge = (Integer(1) << 54) - 1;  // the midpoint is edge * 2^970
  REQUIRE(quotient(Dyadic(edge * 4 - 1, 968), 1) == largest);
  REQUIRE(std::isinf(quotient(Dyadic(edge, 970), 1)));
  REQUIRE(quotient(Dyadic(), 3) == 0);
}
