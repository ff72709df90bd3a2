#include "bn/arrays/machine.hpp"

#include <sched.h>

#include "catch.hpp"

TEST_CASE("The cores are not more than the affinity mask allows, and at least one") {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  REQUIRE(sched_getaffinity(0, sizeof mask, &mask) == 0);
  REQUIRE(bn::this_machine().cores >= 1);
  REQUIRE(bn::this_machine().cores <= static_cast<unsigned>(CPU_COUNT(&mask)));
}
