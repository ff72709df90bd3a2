// y and dx from the constants of their channels, each with a bound of its error.
#pragma once

#include "bn/kernels/rounding.hpp"
#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// Everything below exists twice, for a vector of elements and for one: D is Doubles or double.

template <class D>
BN_INLINE D at(Channel value, size_t) {
  return value - D{};
}

template <class D>
BN_INLINE D at(Columns values, size_t i) {
  if constexpr (sizeof(D) == sizeof(double)) {
    return values[i];
  } else {
    return load(values + i);
  }
}

template <class D, class Real>
BN_INLINE D read(const Real* p) {
  if constexpr (sizeof(D) == sizeof(double)) {
    return static_cast<double>(*p);
  } else {
    return load(p);
  }
}

// An error and what an operand of this size adds to it. Where products underflow they lose less
// than 2^-1071, or nothing if the operand is 0; operands that were floats are never so small beside
// constants that are safe (see bn/tiles/constants.cpp).
template <class In, class D>
BN_INLINE D add_error(D error, D size, D scale_error, D scale_tiny) {
  const D sum = multiply_add(size, scale_error, error);
  if constexpr (sizeof(In) == sizeof(float)) {
    return sum;
  } else {
    return multiply_add(smaller(size, at<D>(0x1p-1000, 0)), scale_tiny, sum);
  }
}

// In double arithmetic. With u = 2^-53, product = (x - pivot) * scale has an error of 3 u of itself
// (the difference, the rounded scale, the product), the offset was rounded once, and so is the sum:
// altogether less than 4 u |product| + 2 u |offset|. The bound is twice that.
template <class In, class D, class Value>
BN_INLINE Estimate<D> estimate(const Affine<Value>& k, const In* const (&in)[1], size_t i) {
  const D centred = read<D>(in[0] + i) - at<D>(k.pivot, i);
  return {multiply_add(centred, at<D>(k.scale, i), at<D>(k.offset, i)),
          add_error<In>(at<D>(k.offset_error, i), absolute(centred), at<D>(k.scale_error, i),
                        at<D>(k.scale_tiny, i))};
}

// The same with two products: less than 5 u of each of them and 3 u |offset|.
template <class In, class D, class Value>
BN_INLINE Estimate<D> estimate(const Gradient<Value>& k, const In* const (&in)[2], size_t i) {
  const D centred = read<D>(in[0] + i) - at<D>(k.pivot, i);
  const D dy = read<D>(in[1] + i);
  const D rest = multiply_add(centred, at<D>(k.slope, i), at<D>(k.offset, i));
  const D error = add_error<In>(at<D>(k.offset_error, i), absolute(centred),
                                at<D>(k.slope_error, i), at<D>(k.slope_tiny, i));
  return {multiply_add(dy, at<D>(k.scale, i), rest),
          add_error<In>(error, absolute(dy), at<D>(k.scale_error, i), at<D>(k.scale_tiny, i))};
}

template <class D>
struct Pair {
  D hi;
  D lo;
};

// a + b exactly (D. E. Knuth's TwoSum).
template <class D>
BN_INLINE Pair<D> two_sum(D a, D b) {
  const D s = a + b;
  const D b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

// a * b: exactly with a fused multiplication, else to 2^-103 of it (T. J. Dekker, "A floating-point
// technique for extending the available precision", 1971).
template <class D>
BN_INLINE Pair<D> two_prod(D a, D b) {
  const D p = a * b;
#if defined(BN_KERNEL_FMA)
  return {p, multiply_add(a, b, -p)};
#else
  const D a_hi = upper_half(a);
  const D a_lo = a - a_hi;
  const D b_hi = upper_half(b);
  const D b_lo = b - b_hi;
  return {p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
#endif
}

// In twice the precision of double. The constants have errors of at most 9 * 2^-100 of their terms,
// and the operations, less than 2^-100 of the largest one, hardly add to it; the bounds are 2^-96.
template <class In, class D, class Value>
BN_INLINE PairEstimate<D> estimate(const AffinePair<Value>& k, const In* const (&in)[1], size_t i) {
  const D x = read<D>(in[0] + i);
  const Pair<D> product = two_prod(x, at<D>(k.scale, i));
  const Pair<D> sum = two_sum(product.hi, at<D>(k.offset, i));
  const D rest = multiply_add(x, at<D>(k.scale_lo, i), at<D>(k.offset_lo, i));
  return {sum.hi, sum.lo + (product.lo + rest),
          add_error<In>(at<D>(k.offset_error, i), absolute(x), at<D>(k.scale_error, i),
                        at<D>(k.scale_tiny, i))};
}

// slope * x + scale * dy + offset, of the upper parts alone: hi and what has been lost below it.
template <class D>
struct UpperSum {
  D hi;
  D of_sums;      // what the sums have lost
  D of_products;  // and the products
};
template <class D, class Constants>
BN_INLINE UpperSum<D> upper_sum(const Constants& k, D x, D dy, size_t i) {
  const Pair<D> a = two_prod(x, at<D>(k.slope, i));
  const Pair<D> b = two_prod(dy, at<D>(k.scale, i));
  const Pair<D> products = two_sum(a.hi, b.hi);
  const Pair<D> sum = two_sum(products.hi, at<D>(k.offset, i));
  return {sum.hi, products.lo + sum.lo, a.lo + b.lo};
}

template <class In, class D, class Value>
BN_INLINE PairEstimate<D> estimate(const GradientPair<Value>& k, const In* const (&in)[2],
                                   size_t i) {
  const D x = read<D>(in[0] + i);
  const D dy = read<D>(in[1] + i);
  const UpperSum<D> upper = upper_sum(k, x, dy, i);
  const D rest = multiply_add(dy, at<D>(k.scale_lo, i),
                              multiply_add(x, at<D>(k.slope_lo, i), at<D>(k.offset_lo, i)));
  const D error = add_error<In>(at<D>(k.offset_error, i), absolute(x), at<D>(k.slope_error, i),
                                at<D>(k.slope_tiny, i));
  return {upper.hi, upper.of_sums + (upper.of_products + rest),
          add_error<In>(error, absolute(dy), at<D>(k.scale_error, i), at<D>(k.scale_tiny, i))};
}

// Of operands that are bounded. The bound of the errors is that above, of the largest operands and
// of slope * pivot, which has been added to the offset: in double arithmetic less than 6 u of the
// largest term, which constants, products, sums and the two ends take at most, where 8 u are
// allowed.
template <class In, class D, class Value>
BN_INLINE Between<D> estimate(const BoundedAffine<Value>& k, const In* const (&in)[1], size_t i) {
  const D x = read<D>(in[0] + i);
  const D scale = at<D>(k.scale, i);
  return {multiply_add(x, scale, at<D>(k.low, i)), multiply_add(x, scale, at<D>(k.high, i))};
}

template <class In, class D, class Value>
BN_INLINE Between<D> estimate(const BoundedGradient<Value>& k, const In* const (&in)[2], size_t i) {
  const D x = read<D>(in[0] + i);
  const D dy = read<D>(in[1] + i);
  const D slope = at<D>(k.slope, i);
  const D scale = at<D>(k.scale, i);
  return {multiply_add(dy, scale, multiply_add(x, slope, at<D>(k.low, i))),
          multiply_add(dy, scale, multiply_add(x, slope, at<D>(k.high, i)))};
}

template <class In, class D, class Value>
BN_INLINE PairBetween<D> estimate(const BoundedAffinePair<Value>& k, const In* const (&in)[1],
                                  size_t i) {
  const D x = read<D>(in[0] + i);
  const D scale_lo = at<D>(k.scale_lo, i);
  const Pair<D> product = two_prod(x, at<D>(k.scale, i));
  const Pair<D> sum = two_sum(product.hi, at<D>(k.offset, i));
  const D lo = sum.lo + product.lo;
  return {sum.hi, lo + multiply_add(x, scale_lo, at<D>(k.low, i)),
          lo + multiply_add(x, scale_lo, at<D>(k.high, i))};
}

template <class In, class D, class Value>
BN_INLINE PairBetween<D> estimate(const BoundedGradientPair<Value>& k, const In* const (&in)[2],
                                  size_t i) {
  const D x = read<D>(in[0] + i);
  const D dy = read<D>(in[1] + i);
  const UpperSum<D> upper = upper_sum(k, x, dy, i);
  const D low_parts = multiply_add(dy, at<D>(k.scale_lo, i), x * at<D>(k.slope_lo, i));
  const D lo = (upper.of_sums + upper.of_products) + low_parts;
  return {upper.hi, lo + at<D>(k.low, i), lo + at<D>(k.high, i)};
}

template <Store kStore, class Constants, class In, class Out>
BN_INLINE bool evaluate_to(const In* const* operands, size_t n, const Constants& constants,
                           Out* results) {
  const Constants k = constants;  // results might be taken for a way to change them
  const In* in[Constants::operands];
  for (size_t a = 0; a < Constants::operands; ++a) in[a] = operands[a];
  ResultWriter<Out, kStore> writer;
  const auto body = writer.body(results, n);
  size_t i = 0;
  for (; i < body.begin; ++i) writer.write(results + i, estimate<In, double>(k, in, i));
  for (; i + kStep <= body.end; i += kStep) {
    for (size_t a = 0; a < Constants::operands; ++a) prefetch(in[a] + i, kAhead<In>);
    for (size_t u = i; u < i + kStep; u += kLanes) {
      writer.write(results + u, estimate<In, Doubles>(k, in, u));
    }
  }
  for (; i < n; ++i) writer.write(results + i, estimate<In, double>(k, in, i));
  return writer.undecided();
}

template <class Constants, class In, class Out>
bool evaluate(const In* const* operands, size_t n, const Constants& constants, Out* results,
              Store store) {
  return store == Store::cached ? evaluate_to<Store::cached>(operands, n, constants, results)
                                : evaluate_to<Store::non_temporal>(operands, n, constants, results);
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
