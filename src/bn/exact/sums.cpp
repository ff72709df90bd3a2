#include "bn/exact/sums.hpp"

#include <limits>
#include <stdexcept>
#include <string>

namespace bn {

Sums& Sums::operator+=(const Sums& other) {
  if (other.sum.size() != sum.size()) {
    throw std::invalid_argument("sums of " + std::to_string(other.sum.size()) +
                                " channels cannot be added to sums of " +
                                std::to_string(sum.size()));
  }
  if (other.count > std::numeric_limits<std::uint64_t>::max() - count) {
    throw std::invalid_argument("2^64 or more values per channel");
  }
  count += other.count;
  for (std::size_t c = 0; c < sum.size(); ++c) {
    sum[c] += other.sum[c];
    sum_squares[c] += other.sum_squares[c];
  }
  return *this;
}

}  // namespace bn
