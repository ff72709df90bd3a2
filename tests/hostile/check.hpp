// A configuration run by the library, and every bit of what it gives held against the oracle.
#pragma once

#include <cstddef>
#include <string>

#include "configuration.hpp"

namespace hostile {

/// How many elements there were of what.
struct Tally {
  std::size_t elements = 0;  ///< of y and of dx
  std::size_t ties = 0;      ///< halfway between two values of the dtype
  std::size_t infinite = 0;  ///< beyond the range of the dtype
  std::size_t closer = 0;    ///< decided by more than double arithmetic
  std::size_t exact = 0;     ///< decided in integers

  Tally& operator+=(const Tally& other);
};

/// "", or the first thing that is wrong. Adds to the tally.
[[nodiscard]] std::string check(const Configuration& configuration, Tally& tally);

}  // namespace hostile
