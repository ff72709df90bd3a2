#include "bn/check.hpp"

#include <limits>
#include <stdexcept>
#include <vector>

#include "catch.hpp"

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr bn::View kThree{5, 3, 2};

}  // namespace

TEST_CASE("As many values as channels, named where they are not") {
  REQUIRE_NOTHROW(bn::check_size("gamma", 3, 3));
  REQUIRE_THROWS_WITH(bn::check_size("gamma", 2, 3), "gamma has 2 values for 3 channels");
  REQUIRE_THROWS_AS(bn::check_size("gamma", 4, 3), std::invalid_argument);
}

TEST_CASE("Parameters are of the view's channels, and eps is greater than 0 and finite") {
  const std::vector<double> three(3);
  const std::vector<double> two(2);
  REQUIRE_NOTHROW(bn::check_parameters(kThree, three, three, 5e-324));
  REQUIRE_NOTHROW(bn::check_parameters(kThree, three, three, std::numeric_limits<double>::max()));
  REQUIRE_THROWS_AS(bn::check_parameters(kThree, two, three, 1e-5), std::invalid_argument);
  REQUIRE_THROWS_AS(bn::check_parameters(kThree, three, two, 1e-5), std::invalid_argument);
  for (const double value : {kInfinity, -kInfinity, kNaN}) {
    const std::vector<double> one_not{1, value, 1};
    REQUIRE_THROWS_WITH(bn::check_parameters(kThree, one_not, three, 1e-5),
                        "gamma has a value that is not finite");
    REQUIRE_THROWS_AS(bn::check_parameters(kThree, three, one_not, 1e-5), std::invalid_argument);
    REQUIRE_THROWS_AS(bn::check_running(kThree, one_not, three), std::invalid_argument);
  }
  for (const double eps : {0.0, -0.0, -5e-324, kInfinity, kNaN}) {
    REQUIRE_THROWS_AS(bn::check_parameters(kThree, three, three, eps), std::invalid_argument);
  }
}

TEST_CASE("Running statistics are of the view's channels, no variance negative or not finite") {
  const std::vector<double> three(3);
  REQUIRE_NOTHROW(bn::check_running(kThree, three, std::vector<double>{0, -0.0, 1e308}));
  REQUIRE_THROWS_AS(bn::check_running(kThree, std::vector<double>(2), three),
                    std::invalid_argument);
  REQUIRE_THROWS_AS(bn::check_running(kThree, three, std::vector<double>(4)),
                    std::invalid_argument);
  for (const double var : {-5e-324, kInfinity, kNaN}) {
    REQUIRE_THROWS_AS(bn::check_running(kThree, three, std::vector<double>{1, 1, var}),
                      std::invalid_argument);
  }
}
