// The rule by which a result is rounded: once, to nearest, ties to even, in the output's dtype.
// Both ends of the interval in which a result lies are rounded; where they agree, that is what the
// result itself rounds to (A. Ziv, "Fast evaluation of elementary mathematical functions with
// correctly rounded last bit", 1991). Where one does not agree, or is not finite, the writer says
// so.
#pragma once

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

// Both ends of an interval, each rounded.
template <class End>
struct Ends {
  End low;
  End high;
};
template <class Out, class D>
BN_INLINE auto rounded_ends(Estimate<D> v) {
  const D low = v.value - v.error;
  const D high = v.value + v.error;
  if constexpr (sizeof(Out) == sizeof(float)) {
    return Ends<decltype(to_floats(low))>{to_floats(low), to_floats(high)};
  } else {
    return Ends<decltype(to_halves(to_floats(low)))>{to_halves(to_odd_floats(low)),
                                                     to_halves(to_odd_floats(high))};
  }
}
template <class Out, class D>
BN_INLINE Ends<D> rounded_ends(PairEstimate<D> v) {
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
    const auto [low, high] = rounded_ends<Out>(result);
    if constexpr (sizeof low == sizeof(Out)) {
      compare(low, high, doubts_of_rest_, sum_of_rest_);
    } else {
      compare(low, high, doubts_, sum_);
    }
    if constexpr (kStore == Store::non_temporal && !kHalf && sizeof low != sizeof(Out)) {
      store_non_temporal(p, low);
    } else {
      __builtin_memcpy(p, &low, sizeof low);
    }
  }

  [[nodiscard]] bool undecided() const {
    Bits doubts = doubts_;
    auto doubts_of_rest = doubts_of_rest_;
    if constexpr (!kHalf) {
      // Finite sums less themselves are zero, others NaN.
      doubts |= bits_of_results<Bits>(sum_ - sum_);
      doubts_of_rest |= bits_of_results<BitsOfOne>(sum_of_rest_ - sum_of_rest_);
    }
    bool any = doubts_of_rest != 0;
    for (size_t l = 0; l < kLanes; ++l) any = any || doubts[l] != 0;
    return any;
  }

 private:
  static constexpr bool kHalf = sizeof(Out) == sizeof(uint16_t);
  using Vector = typename result_vector<Out>::type;
  using Bits = typename result_vector<Out>::bits;
  using BitsOfOne = typename bits_of<Out>::type;

  template <class To, class From>
  static BN_INLINE To bits_of_results(const From& from) {
    To bits;
    static_assert(sizeof bits == sizeof from);
    __builtin_memcpy(&bits, &from, sizeof bits);
    return bits;
  }
  template <class Result, class Doubts>
  static BN_INLINE void compare(Result low, Result high, Doubts& doubts, Result& sum) {
    doubts = (Doubts)(doubts | (bits_of_results<Doubts>(low) ^ bits_of_results<Doubts>(high)));
    if constexpr (kHalf) {
      // As a sum would be: with all bits of the exponent it is not finite.
      constexpr uint16_t kExponent = 0x7c00;
      doubts = (Doubts)(doubts | (Doubts)((low & kExponent) == kExponent));
    } else {
      sum += low;
    }
  }

  Vector sum_ = {};
  Out sum_of_rest_ = 0;
  Bits doubts_ = {};
  BitsOfOne doubts_of_rest_ = 0;
};

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
