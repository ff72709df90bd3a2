#include "bn/exact/exact_channel.hpp"

#include <cstddef>

namespace bn {

Dyadic ExactChannel::radicand() const {
  return power == 1 ? variance : variance * variance * variance;
}

Dyadic ExactChannel::numerator(std::span<const Dyadic> operands) const {
  Dyadic sum = constant;
  for (std::size_t k = 0; k < operands.size(); ++k) sum += slopes[k] * operands[k];
  return Dyadic(factor) * sum;
}

}  // namespace bn
