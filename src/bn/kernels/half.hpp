// float16: to float, exactly, and back, rounded.
#pragma once

#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// The exponent is rebiased by a multiplication, which also normalises subnormals.
float widen(uint16_t half) {
  const uint32_t shifted = static_cast<uint32_t>(half & 0x7fffU) << 13;
  float value;
  __builtin_memcpy(&value, &shifted, sizeof value);
  value *= 0x1p112F;
  uint32_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  bits |= shifted >= (0x7c00U << 13) ? 0x7f800000U : 0U;
  bits |= static_cast<uint32_t>(half & 0x8000U) << 16;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

void widen_half(const uint16_t* half, size_t n, float* value) {
  size_t i = 0;
#if defined(BN_KERNEL_F16C)
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(half + i));
    _mm256_storeu_ps(value + i, _mm256_cvtph_ps(h));
  }
#endif
  for (; i < n; ++i) value[i] = widen(half[i]);
}

// To nearest, ties to even.
BN_INLINE uint16_t narrow(float value) {
  constexpr uint32_t kHalfOverflow = (127U + 16U) << 23;
  constexpr uint32_t kHalfNormal = (127U - 14U) << 23;
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
  const uint32_t finite_bits = size < kHalfNormal ? subnormal_bits : normal_bits;
  return static_cast<uint16_t>(sign | (size >= kHalfOverflow ? 0x7c00U : finite_bits));
}

BN_INLINE uint16_t to_halves(float value) { return narrow(value); }
BN_INLINE Halves to_halves(Floats values) {
#if defined(BN_KERNEL_AVX512)
  return (Halves)_mm256_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT);
#elif defined(BN_KERNEL_F16C)
  const __m128i in_lower_half = _mm_cvtps_ph(values, _MM_FROUND_TO_NEAREST_INT);
  Halves halves;
  __builtin_memcpy(&halves, &in_lower_half, sizeof halves);
  return halves;
#else
  Halves halves;
  for (size_t l = 0; l < kLanes; ++l) halves[l] = narrow(values[l]);
  return halves;
#endif
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
