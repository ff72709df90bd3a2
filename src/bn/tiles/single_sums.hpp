// Sums one by one: for what the kernels cannot take.
#pragma once

#include "bn/arrays/elements.hpp"
#include "bn/exact/accumulator.hpp"

namespace bn {

/// Adds the exact product of two elements.
template <class Sum>
void add_product(Sum& sum, Decoded a, Decoded b) {
  // Halves of one factor, so that no product exceeds 128 bits.
  const Int128 high = a.value >> 32;
  const Int128 low = a.value - (high << 32);
  sum.add(low * b.value, a.exponent + b.exponent);
  sum.add(high * b.value, a.exponent + b.exponent + 32);
}

/// Adds an element of the first and of the last array, which may be the same. Their sizes have been
/// seen.
template <class Real>
void add_element(Accumulators<Real>& sums, Decoded first, Decoded last) {
  sums.values.add(last.value, last.exponent);
  add_product(sums.products, first, last);
}

template <class Real>
[[nodiscard]] Decoded decoded(const Real& value) {
  return decode(dtype_of<Real>::value, reinterpret_cast<const std::byte*>(&value));
}

}  // namespace bn
