// y and dx from the constants of their channels.
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

// y = ((x - mean) - mean_lo) * scale + beta, the same for every type of result.
template <class D, class Out, class Value, class In>
BN_INLINE D result(const Affine<Value>& k, const In* const (&in)[1], size_t i) {
  const D centred = (read<D>(in[0] + i) - at<D>(k.mean, i)) - at<D>(k.mean_lo, i);
  return centred * at<D>(k.scale, i) + at<D>(k.beta, i);
}

template <class D>
struct Pair {
  D hi;
  D lo;
};

// The upper 26 bits of a double: products of such halves are exact. Unlike Veltkamp's splitting
// this cannot overflow.
template <class D>
BN_INLINE D upper_half(D v) {
  if constexpr (sizeof(D) == sizeof(double)) {
    uint64_t bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    bits &= ~((uint64_t{1} << 27) - 1);
    __builtin_memcpy(&v, &bits, sizeof bits);
  } else {
    typename result_vector<double>::bits bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    bits &= ~((uint64_t{1} << 27) - 1);
    __builtin_memcpy(&v, &bits, sizeof bits);
  }
  return v;
}

// a * b to about 2^-104 (T. J. Dekker, "A floating-point technique for extending the available
// precision", 1971), with additions and multiplications alone, so that CPUs with and without FMA
// agree.
template <class D>
BN_INLINE Pair<D> approximate_two_prod(D a, D b) {
  const D p = a * b;
  const D a_hi = upper_half(a);
  const D a_lo = a - a_hi;
  const D b_hi = upper_half(b);
  const D b_lo = b - b_hi;
  return {p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

// a + b exactly (D. E. Knuth's TwoSum).
template <class D>
BN_INLINE Pair<D> two_sum(D a, D b) {
  const D s = a + b;
  const D b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

// dx = scale * dy - offset - ((x - mean) - mean_lo) * slope
template <class D, class Out, class Value, class In>
BN_INLINE D result(const Gradient<Value>& k, const In* const (&in)[2], size_t i) {
  const D x = read<D>(in[0] + i);
  const D dy = read<D>(in[1] + i);
  const D mean = at<D>(k.mean, i);
  const D mean_lo = at<D>(k.mean_lo, i);
  const D scale = at<D>(k.scale, i);
  const D offset = at<D>(k.offset, i);
  const D slope = at<D>(k.slope, i);
  if constexpr (sizeof(Out) == sizeof(float)) {
    return (scale * dy - offset) - ((x - mean) - mean_lo) * slope;
  } else {
    // Three terms that may cancel: each to about 100 bits, rounded once at the end.
    const Pair<D> difference = two_sum<D>(x, -mean);
    const Pair<D> centred = two_sum<D>(difference.hi, difference.lo - mean_lo);
    const Pair<D> a = approximate_two_prod<D>(scale, dy);
    const Pair<D> b = approximate_two_prod<D>(centred.hi, slope);
    const D a_lo = a.lo + at<D>(k.scale_lo, i) * dy;
    const D b_lo = b.lo + (centred.hi * at<D>(k.slope_lo, i) + centred.lo * slope);
    const Pair<D> first = two_sum<D>(a.hi, -offset);
    const Pair<D> second = two_sum<D>(first.hi, -b.hi);
    const D rest = (first.lo + second.lo) + ((a_lo - at<D>(k.offset_lo, i)) - b_lo);
    return second.hi + (rest == rest ? rest : D{});  // beside an overflow it is NaN
  }
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
  for (; i < body.begin; ++i) writer.write(results + i, result<double, Out>(k, in, i));
  for (; i + kStep <= body.end; i += kStep) {
    for (size_t a = 0; a < Constants::operands; ++a) prefetch(in[a] + i, kAhead<In>);
    for (size_t u = i; u < i + kStep; u += kLanes) {
      writer.write(results + u, result<Doubles, Out>(k, in, u));
    }
  }
  for (; i < n; ++i) writer.write(results + i, result<double, Out>(k, in, i));
  return writer.suspicious();
}

template <class Constants, class In, class Out>
bool evaluate(const In* const* operands, size_t n, const Constants& constants, Out* results,
              Store store) {
  return store == Store::cached ? evaluate_to<Store::cached>(operands, n, constants, results)
                                : evaluate_to<Store::non_temporal>(operands, n, constants, results);
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
