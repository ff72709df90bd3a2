// How a test in C++ says that it cannot be run here, in the same words as those in Python.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

#include "catch.hpp"

namespace bn::tests {

/// What tests/run.sh lists of the test that runs, which is to return now; with BN_SKIP_IS_FAILURE=1
/// the test fails instead. Catch's own words for it would be indented, or are not in version 2.
inline void skip(const std::string& reason) {
  const char* set = std::getenv("BN_SKIP_IS_FAILURE");
  const std::string_view strict = set == nullptr ? "" : set;
  if (!strict.empty() && strict != "0") FAIL("would be skipped: " << reason);
  std::cout << "\nskipped: " << Catch::getResultCapture().getCurrentTestName() << ": " << reason
            << std::endl;
}

/// Why, where there is no devpts on /dev/pts.
inline constexpr const char* kNoTerminal =
    "no terminal can be opened (is devpts mounted on /dev/pts?)";

}  // namespace bn::tests
