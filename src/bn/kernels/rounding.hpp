// The rule by which a result is rounded: once, to nearest, ties to even, in the output's dtype.
// Both ends of the interval in which a result lies are rounded; where they agree, that is what the
// result itself rounds to (A. Ziv, "Fast evaluation of elementary mathematical functions with
// correctly rounded last bit", 1991). Where one does not agree, or is not finite, the writer says
// so.
#pragma once

#include <type_traits>

#include "bn/kernels/half.hpp"
#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// A result: within `error` of value, or of hi + lo.
template <class D>
struct Estimate {
  D value;
  D error;
};
template <class D>
struct PairEstimate {
  D hi;
  D lo;
  D error;
};

// A float with the bits of the double above its own last bit, which it sets if any bit is below
// ("round to odd"): rounding that to a half gives what rounding the double itself gives.
template <class D>
BN_INLINE auto to_odd_floats(D value) {
  constexpr uint64_t kBelow = (uint64_t{1} << 29) - 1;
  auto bits = bits_of_doubles(value);
  bits = (bits | ((bits & kBelow) + kBelow)) & ~kBelow;
  __builtin_memcpy(&value, &bits, sizeof value);
  return to_floats(value);
}

// Both ends of an interval, as floats, doubles or what halves are made of.
template <class End>
struct Interval {
  End low;
  End high;
};
template <class Out, class D>
BN_INLINE auto ends(Estimate<D> v) {
  const D low = v.value - v.error;
  const D high = v.value + v.error;
  if constexpr (sizeof(Out) == sizeof(float)) {
    return Interval<decltype(to_floats(low))>{to_floats(low), to_floats(high)};
  } else {
    return Interval<decltype(to_floats(low))>{to_odd_floats(low), to_odd_floats(high)};
  }
}
template <class Out, class D>
BN_INLINE Interval<D> ends(PairEstimate<D> v) {
  return {v.hi + (v.lo - v.error), v.hi + (v.lo + v.error)};
}

// Writes results, and remembers whether the ends of one did not agree. It also adds them up: a sum
// is not finite where one of them is not. Large results may overflow it, too, so it only tells
// where to look closer.
template <class Out, Store kStore>
class ResultWriter {
 public:
  // The part of n results that vectors are stored to. Non-temporal stores only of whole lines of
  // memory: a part of one would be written by itself.
  struct Body {
    size_t begin;
    size_t end;
  };
  static Body body(const Out* p, size_t n) {
    if constexpr (kStore == Store::cached) return {0, n};
    constexpr size_t kLine = 64 / sizeof(Out);
    const size_t past = reinterpret_cast<uintptr_t>(p) / sizeof(Out) % kLine;
    const size_t before = past == 0 ? 0 : kLine - past;
    return before < n ? Body{before, before + (n - before) / kLine * kLine} : Body{n, n};
  }

  template <class AnyEstimate>
  BN_INLINE void write(Out* p, AnyEstimate result) {
    const auto both = ends<Out>(result);
    compare(both.low, both.high);
    if constexpr (kHalf) {
      store_halves(p, both.low);
    } else if constexpr (kStore == Store::non_temporal && sizeof both.low != sizeof(Out)) {
      store_non_temporal(p, both.low);
    } else {
      __builtin_memcpy(p, &both.low, sizeof both.low);
    }
  }

  [[nodiscard]] bool undecided() const {
    // Finite sums less themselves are zero, others NaN.
    const Vector differences = sum_ - sum_;
    const Real difference = sum_of_rest_ - sum_of_rest_;
    uint64_t words[sizeof(Vector) / sizeof(uint64_t)];
    uint64_t doubts[sizeof(Vector) / sizeof(uint64_t)];
    __builtin_memcpy(words, &differences, sizeof words);
    __builtin_memcpy(doubts, &doubts_, sizeof doubts);
    uint64_t any = difference == 0 ? doubts_of_rest_ : 1;
    for (const uint64_t word : words) any |= word;
    for (const uint64_t doubt : doubts) any |= doubt;
    return any != 0;
  }

 private:
  static constexpr bool kHalf = sizeof(Out) == sizeof(uint16_t);
  static constexpr float kHalfOverflow = 65520;  // halfway beyond the largest half

  using Real = std::conditional_t<sizeof(Out) == sizeof(double), double, float>;
  using Vector = typename result_vector<Real>::type;
  using Bits = typename result_vector<Real>::bits;

  BN_INLINE void compare(Vector low, Vector high) {
    Bits low_bits;
    Bits high_bits;
    __builtin_memcpy(&low_bits, &low, sizeof low);
    __builtin_memcpy(&high_bits, &high, sizeof high);
    doubts_ |= low_bits ^ high_bits;
    if constexpr (kHalf) {
      doubts_ |= (Bits)(low <= -kHalfOverflow) | (Bits)(low >= kHalfOverflow);
    }
    sum_ += low;
  }
  BN_INLINE void compare(Real low, Real high) {
    typename bits_of<Real>::type low_bits;
    typename bits_of<Real>::type high_bits;
    __builtin_memcpy(&low_bits, &low, sizeof low);
    __builtin_memcpy(&high_bits, &high, sizeof high);
    doubts_of_rest_ |= low_bits ^ high_bits;
    if (kHalf && (low <= -kHalfOverflow || low >= kHalfOverflow)) doubts_of_rest_ = 1;
    sum_of_rest_ += low;
  }

  Vector sum_ = {};
  Real sum_of_rest_ = 0;
  Bits doubts_ = {};
  typename bits_of<Real>::type doubts_of_rest_ = 0;
};

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
