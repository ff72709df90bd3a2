// The rule by which a result is rounded: once, from double, to nearest, ties to even, in the
// output's dtype. float32 and float64 as they are stored, vector by vector; float16 from a piece of
// doubles. Where they are stored, results are also looked at: one may not be finite.
#pragma once

#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// Writes results, and adds them up: a sum is not finite where one of them is not. Large results may
// overflow it, too, so it only tells where to look closer.
template <class Real, Store kStore>
class ResultWriter {
 public:
  // The part of n results that vectors are stored to. Non-temporal stores only of whole lines of
  // memory: a part of one would be written by itself.
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
  BN_INLINE void write(Real* p, Doubles v) {
    Vector reals;
    if constexpr (sizeof(Real) == sizeof(float)) {
      reals = to_floats(v);
    } else {
      reals = v;
    }
    if constexpr (kStore == Store::non_temporal) {
      store_non_temporal(p, reals);
    } else {
      __builtin_memcpy(p, &reals, sizeof reals);
    }
    sum_ += reals;
  }
  BN_INLINE void write(Real* p, double v) {
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

// A float with the bits of the double above its own last bit, which it sets if any bit is below
// ("round to odd"): rounding that to a half gives what rounding the double itself gives.
BN_INLINE float to_odd_float(double value) {
  constexpr uint64_t kBelow = (uint64_t{1} << 29) - 1;
  uint64_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  bits = (bits | ((bits & kBelow) + kBelow)) & ~kBelow;
  __builtin_memcpy(&value, &bits, sizeof value);
  return static_cast<float>(value);
}

BN_INLINE uint16_t narrow(float value) {
  constexpr uint32_t kHalfOverflow = (127U + 16U) << 23;
  constexpr uint32_t kHalfNormal = (127U - 14U) << 23;
  constexpr uint32_t kInfinity = 255U << 23;
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  const uint32_t sign = bits >> 16 & 0x8000U;
  const uint32_t size = bits & 0x7fffffffU;
  // Subnormal: an addition rounds to the last bit of a half, 2^-24.
  float subnormal;
  __builtin_memcpy(&subnormal, &size, sizeof subnormal);
  subnormal += 0.5F;
  uint32_t subnormal_bits;
  __builtin_memcpy(&subnormal_bits, &subnormal, sizeof subnormal_bits);
  subnormal_bits -= 126U << 23;
  // Normal: half of the last bit is added, less a little where the bit is even.
  const uint32_t normal_bits = (size - (112U << 23) + 0xfffU + (size >> 13 & 1U)) >> 13;
  const uint32_t special_bits = size > kInfinity ? 0x7e00U : 0x7c00U;
  const uint32_t finite_bits = size < kHalfNormal ? subnormal_bits : normal_bits;
  return static_cast<uint16_t>(sign | (size >= kHalfOverflow ? special_bits : finite_bits));
}

constexpr size_t kHalves = 16;

BN_INLINE void narrow_block(const double* value, uint16_t* half) {
  float odd[kHalves];
  for (size_t i = 0; i < kHalves; ++i) odd[i] = to_odd_float(value[i]);
#if defined(__F16C__)
  for (size_t i = 0; i < kHalves; i += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(half + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(odd + i), _MM_FROUND_TO_NEAREST_INT));
  }
#else
  for (size_t i = 0; i < kHalves; ++i) half[i] = narrow(odd[i]);
#endif
}

bool narrow_half(const double* value, size_t n, uint16_t* half) {
  size_t i = 0;
  for (; i + kHalves <= n; i += kHalves) narrow_block(value + i, half + i);
  if (i < n) {
    double padded[kHalves] = {};
    uint16_t rounded[kHalves];
    __builtin_memcpy(padded, value + i, (n - i) * sizeof(double));
    narrow_block(padded, rounded);
    __builtin_memcpy(half + i, rounded, (n - i) * sizeof(uint16_t));
  }
  uint16_t largest = 0;
  for (i = 0; i < n; ++i) {
    const auto size = static_cast<uint16_t>(half[i] & 0x7fffU);
    largest = size > largest ? size : largest;
  }
  return largest >= 0x7c00U;
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
