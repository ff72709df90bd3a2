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

TEST_CASE("Sums, differences and products of dyadic numbers are in lowest terms, zero or not") {
  // Doubles that are exact, too.
  constexpr double kValues[] = {0, 1, -1, 3, 0.5, 8, -8, 24, 0x1p40, -0x1p40};
  for (const double a : kValues) {
    for (const double b : kValues) {
      INFO(a << " and " << b);
      Dyadic sum(a);
      sum += Dyadic(b);
      Dyadic difference(a);
      difference -= Dyadic(b);
      REQUIRE(sum == Dyadic(a + b));
      REQUIRE(difference == Dyadic(a - b));
      REQUIRE(Dyadic(a) * Dyadic(b) == Dyadic(a * b));
    }
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
