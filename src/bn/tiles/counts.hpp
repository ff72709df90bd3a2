// How the results of a call came about.
#pragma once

#include <cstddef>

namespace bn {

/// Numbers of results.
struct Counts {
  std::size_t overflows = 0;  ///< not finite although their operands are
  std::size_t closer = 0;     ///< not certain at first, but with about 100 bits
  std::size_t exact = 0;      ///< not certain then either: decided in integers

  Counts& operator+=(const Counts& other) {
    overflows += other.overflows;
    closer += other.closer;
    exact += other.exact;
    return *this;
  }
};

}  // namespace bn
