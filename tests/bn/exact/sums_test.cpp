#include "bn/exact/sums.hpp"

#include <limits>
#include <stdexcept>

#include "catch.hpp"

TEST_CASE("Sums of other channels and counts beyond 2^64 are refused") {
  bn::Sums two{4, std::vector<bn::Dyadic>(2), std::vector<bn::Dyadic>(2)};
  const bn::Sums three{4, std::vector<bn::Dyadic>(3), std::vector<bn::Dyadic>(3)};
  REQUIRE_THROWS_AS(two += three, std::invalid_argument);
  bn::Sums many = two;
  many.count = std::numeric_limits<std::uint64_t>::max() - 3;
  REQUIRE_THROWS_AS(two += many, std::invalid_argument);
  many.count = std::numeric_limits<std::uint64_t>::max() - 4;
  REQUIRE_NOTHROW(two += many);
}
