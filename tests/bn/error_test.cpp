#include "bn/error.hpp"

#include <cmath>
#include <limits>
#include <string>

#include "catch.hpp"

TEST_CASE("Errors say which array, statistic or channel they are about") {
  const double infinity = std::numeric_limits<double>::infinity();
  const bn::NonFiniteError of_dy(bn::Operand::dy, 17, -infinity);
  REQUIRE(std::string(of_dy.what()) == "dy has -inf at position 17");
  REQUIRE(of_dy.operand == bn::Operand::dy);
  REQUIRE(of_dy.position == 17);
  REQUIRE(of_dy.value == -infinity);
  REQUIRE(std::string(bn::NonFiniteError(bn::Operand::x, 0, std::nan("")).what()) ==
          "x has nan at position 0");
  const bn::RangeError of_var("var", 3);
  REQUIRE(std::string(of_var.what()) == "var of channel 3 is outside the range of double");
  REQUIRE(std::string(of_var.statistic) == "var");
  REQUIRE(of_var.channel == 3);
  REQUIRE(std::string(bn::SingleValueError().what()) ==
          "one value per channel has no variance to normalise by; use more values or test mode");
}
