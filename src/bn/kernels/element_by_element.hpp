// y and dx from the constants of their channels.
#pragma once

#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// Everything below exists twice, for a vector of elements and for one: D is Doubles or double.

template <class D>
inline __attribute__((always_inline)) D at(Channel value, size_t) {
  return value - D{};
}

template <class D>
inline __attribute__((always_inline)) D at(Columns values, size_t i) {
  if constexpr (sizeof(D) == sizeof(double)) {
    return values[i];
  } else {
    return load(values + i);
  }
}

template <class D, class Real>
inline __attribute__((always_inline)) D read(const Real* p) {
  if constexpr (sizeof(D) == sizeof(double)) {
    return static_cast<double>(*p);
  } else {
    return load(p);
  }
}

// Writes results, and adds them up: a sum is not finite where one of them is not. Large results may
// overflow it, too, so it only tells where to look closer.
template <class Real, Store kStore>
class Writer {
 public:
  // The part of n results that vectors are stored to. Past the caches only whole lines of memory: a
  // part of one would be written by itself.
  struct Body {
    size_t begin;
    size_t end;
  };
  static Body body(const Real* p, size_t n) {
    if constexpr (kStore == Store::cached) return {0, n};
    constexpr size_t kLine = 64 / sizeof(Real);
    const size_t past = reinterpret_cast<uintptr_t>(p) / sizeof(Real) % kLine;
    const size_t before = past == 0 ? 0 : kLine - past;
    return before < n ? Body{before, before + (n - before) / kLine * kLine} : Body{n, n};
  }
  inline __attribute__((always_inline)) void write(Real* p, Doubles v) {
    Vector reals;
    if constexpr (sizeof(Real) == sizeof(float)) {
      reals = to_floats(v);
    } else {
      reals = v;
    }
    if constexpr (kStore == Store::past_caches) {
      store_past_caches(p, reals);
    } else {
      __builtin_memcpy(p, &reals, sizeof reals);
    }
    sum_ += reals;
  }
  inline __attribute__((always_inline)) void write(Real* p, double v) {
    *p = static_cast<Real>(v);
    sum_of_rest_ += *p;
  }
  [[nodiscard]] bool suspicious() const {
    // Finite sums less themselves are zero, others NaN.
    const Vector differences = sum_ - sum_;
    const Real difference = sum_of_rest_ - sum_of_rest_;
    uint64_t words[sizeof(Vector) / sizeof(uint64_t)];
    __builtin_memcpy(words, &differences, sizeof words);
    uint64_t any = difference == 0 ? 0 : 1;
    for (const uint64_t word : words) any |= word;
    return any != 0;
  }

 private:
  using Vector = typename result_vector<Real>::type;
  Vector sum_ = {};
  Real sum_of_rest_ = 0;
};

template <class D, class Value, class X>
inline __attribute__((always_inline)) D normalised(const X* x, size_t i, const Affine<Value>& k) {
  const D centred = (read<D>(x + i) - at<D>(k.mean, i)) - at<D>(k.mean_lo, i);
  return centred * at<D>(k.scale, i) + at<D>(k.beta, i);
}

// y may be x.
template <Store kStore, class Value, class X, class Y>
inline __attribute__((always_inline)) bool normalise_to(const X* x, size_t n,
                                                        const Affine<Value>& constants, Y* y) {
  const Affine<Value> k = constants;
  Writer<Y, kStore> writer;
  const auto body = writer.body(y, n);
  size_t i = 0;
  for (; i < body.begin; ++i) writer.write(y + i, normalised<double>(x, i, k));
  for (; i + kStep <= body.end; i += kStep) {
    prefetch(x + i, kAhead<X>);
    for (size_t u = i; u < i + kStep; u += kLanes) {
      writer.write(y + u, normalised<Doubles>(x, u, k));
    }
  }
  for (; i < n; ++i) writer.write(y + i, normalised<double>(x, i, k));
  return writer.suspicious();
}

template <class Value, class X, class Y>
bool normalise(const X* x, size_t n, const Affine<Value>& constants, Y* y, Store store) {
  return store == Store::cached ? normalise_to<Store::cached>(x, n, constants, y)
                                : normalise_to<Store::past_caches>(x, n, constants, y);
}

template <class D>
struct Pair {
  D hi;
  D lo;
};

// The upper 26 bits of a double: products of such halves are exact. Unlike Veltkamp's splitting
// this cannot overflow.
template <class D>
inline __attribute__((always_inline)) D upper_half(D v) {
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
inline __attribute__((always_inline)) Pair<D> product(D a, D b) {
  const D p = a * b;
  const D a_hi = upper_half(a);
  const D a_lo = a - a_hi;
  const D b_hi = upper_half(b);
  const D b_lo = b - b_hi;
  return {p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

// a + b exactly (D. E. Knuth's TwoSum).
template <class D>
inline __attribute__((always_inline)) Pair<D> sum(D a, D b) {
  const D s = a + b;
  const D b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

template <class D, class Out, class Value, class In>
inline __attribute__((always_inline)) D differentiated(const In* x_values, const In* dy_values,
                                                       size_t i, const Gradient<Value>& k) {
  const D x = read<D>(x_values + i);
  const D dy = read<D>(dy_values + i);
  const D mean = at<D>(k.mean, i);
  const D mean_lo = at<D>(k.mean_lo, i);
  const D scale = at<D>(k.scale, i);
  const D offset = at<D>(k.offset, i);
  const D slope = at<D>(k.slope, i);
  if constexpr (sizeof(Out) == sizeof(float)) {
    return (scale * dy - offset) - ((x - mean) - mean_lo) * slope;
  } else {
    // Three terms that may cancel: each to about 100 bits, rounded once at the end.
    const Pair<D> difference = sum<D>(x, -mean);
    const Pair<D> centred = sum<D>(difference.hi, difference.lo - mean_lo);
    const Pair<D> a = product<D>(scale, dy);
    const Pair<D> b = product<D>(centred.hi, slope);
    const D a_lo = a.lo + at<D>(k.scale_lo, i) * dy;
    const D b_lo = b.lo + (centred.hi * at<D>(k.slope_lo, i) + centred.lo * slope);
    const Pair<D> first = sum<D>(a.hi, -offset);
    const Pair<D> second = sum<D>(first.hi, -b.hi);
    const D rest = (first.lo + second.lo) + ((a_lo - at<D>(k.offset_lo, i)) - b_lo);
    return second.hi + (rest == rest ? rest : D{});  // beside an overflow it is NaN
  }
}

// dx may be x or dy.
template <Store kStore, class Value, class In, class Out>
inline __attribute__((always_inline)) bool gradient_to(const In* x, const In* dy, size_t n,
                                                       const Gradient<Value>& constants, Out* dx) {
  const Gradient<Value> k = constants;
  Writer<Out, kStore> writer;
  const auto body = writer.body(dx, n);
  size_t i = 0;
  for (; i < body.begin; ++i) writer.write(dx + i, differentiated<double, Out>(x, dy, i, k));
  for (; i + kStep <= body.end; i += kStep) {
    prefetch(x + i, kAhead<In>);
    prefetch(dy + i, kAhead<In>);
    for (size_t u = i; u < i + kStep; u += kLanes) {
      writer.write(dx + u, differentiated<Doubles, Out>(x, dy, u, k));
    }
  }
  for (; i < n; ++i) writer.write(dx + i, differentiated<double, Out>(x, dy, i, k));
  return writer.suspicious();
}

template <class Value, class In, class Out>
bool gradient(const In* x, const In* dy, size_t n, const Gradient<Value>& constants, Out* dx,
              Store store) {
  return store == Store::cached ? gradient_to<Store::cached>(x, dy, n, constants, dx)
                                : gradient_to<Store::past_caches>(x, dy, n, constants, dx);
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
