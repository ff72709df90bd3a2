#include "bn/exact/exact_channel.hpp"

#include <cstddef>

namespace bn {

Dyadic ExactChannel::radicand() const {
  return power == 1 ? variance : variance * variance * variance;
}

Dyadic ExactChannel::numerator(std::span<const Dyadic> operands) const {
  const Dyadic m(Integer(count), 0);
  Dyadic total;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    Dyadic centred = m * operands[k];
    centred -= terms[k].sum;
    total += terms[k].weight * centred;
  }
  return Dyadic(factor) * total;
}

}  // namespace bn
