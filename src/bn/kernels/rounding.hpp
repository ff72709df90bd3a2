// The rule by which a result is rounded: once, to nearest, ties to even, in the output's dtype.
// Both ends of the interval in which a result lies are rounded; where they agree, that is what the
// result itself rounds to (A. Ziv, "Fast evaluation of elementary mathematical functions with
// correctly rounded last bit", 1991). Where one does not agree, or may be infinite or NaN and
// is, the writer says so.
#pragma once

#include "bn/kernels/half.hpp"
#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// A result: within `error` of value, or of hi + lo. It may be infinite or NaN.
template <class D>
struct Estimate {
  static constexpr bool kFinite = false;
  D value;
  D error;
};
template <class D>
struct PairEstimate {
  static constexpr bool kFinite = false;
  D hi;
  D lo;
  D error;
};
// A finite one between low and high, or hi + low and hi + high.
template <class D>
struct Between {
  static constexpr bool kFinite = true;
  D low;
  D high;
};
template <class D>
struct PairBetween {
  static constexpr bool kFinite = true;
  D hi;
  D low;
  D high;
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
BN_INLINE auto rounded_ends(Between<D> v) {
  if constexpr (sizeof(Out) == sizeof(float)) {
    return Ends<decltype(to_floats(v.low))>{to_floats(v.low), to_floats(v.high)};
  } else {
    return Ends<decltype(to_halves(to_floats(v.low)))>{to_halves(to_odd_floats(v.low)),
                                                       to_halves(to_odd_floats(v.high))};
  }
}
template <class Out, class D>
BN_INLINE auto rounded_ends(Estimate<D> v) {
  return rounded_ends<Out>(Between<D>{v.value - v.error, v.value + v.error});
}
template <class Out, class D>
BN_INLINE Ends<D> rounded_ends(PairBetween<D> v) {
  return {v.hi + v.low, v.hi + v.high};
}
template <class Out, class D>
BN_INLINE Ends<D> rounded_ends(PairEstimate<D> v) {
  return rounded_ends<Out>(PairBetween<D>{v.hi, v.lo - v.error, v.lo + v.error});
}

// Writes results, and remembers whether the ends of one did not agree or were not finite.
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
      doubts_of_rest_ |= doubts<AnyEstimate::kFinite, BitsOfOne>(low, high);
    } else {
      doubts_ |= doubts<AnyEstimate::kFinite, Bits>(low, high);
    }
    if constexpr (kStore == Store::non_temporal && !kHalf && sizeof low != sizeof(Out)) {
      store_non_temporal(p, low);
    } else {
      __builtin_memcpy(p, &low, sizeof low);
    }
  }

  [[nodiscard]] bool undecided() const { return any(doubts_) || doubts_of_rest_ != 0; }

 private:
  static constexpr bool kHalf = sizeof(Out) == sizeof(uint16_t);
  using Bits = typename result_vector<Out>::bits;
  using BitsOfOne = typename bits_of<Out>::type;

  // Zero where the ends are the same finite value; one operation less where they are finite.
  template <bool kFinite, class Doubts, class Result>
  static BN_INLINE Doubts doubts(Result low, Result high) {
    if constexpr (kHalf) {
      const auto different = (Doubts)(low ^ high);
      if constexpr (kFinite) return different;
      constexpr uint16_t kExponent = 0x7c00;  // all of it: infinite or NaN
      return (Doubts)(different | (Doubts)((low & kExponent) == kExponent));
    } else if constexpr (kFinite) {
      return (Doubts)(bits_of_results<Doubts>(low) ^ bits_of_results<Doubts>(high));
    } else {
      // -0 less +0 is -0, and infinity less itself is NaN.
      return bits_of_results<Doubts>(low - high);
    }
  }
  template <class To, class From>
  static BN_INLINE To bits_of_results(const From& from) {
    To bits;
    static_assert(sizeof bits == sizeof from);
    __builtin_memcpy(&bits, &from, sizeof bits);
    return bits;
  }

  Bits doubts_ = {};
  BitsOfOne doubts_of_rest_ = 0;
};

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
