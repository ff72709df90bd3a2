// float16, exactly to float and rounded once from double.
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
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) {
    const __m128i h = _mm_loadu_si128(reinterpret_cast<const __m128i*>(half + i));
    _mm256_storeu_ps(value + i, _mm256_cvtph_ps(h));
  }
#endif
  for (; i < n; ++i) value[i] = widen(half[i]);
}

// A float with the bits of the double above its own last bit, which it sets if any bit is below
// ("round to odd"): rounding that to a half gives what rounding the double itself gives.
inline __attribute__((always_inline)) float to_odd_float(double value) {
  constexpr uint64_t kBelow = (uint64_t{1} << 29) - 1;
  uint64_t bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  bits = (bits | ((bits & kBelow) + kBelow)) & ~kBelow;
  __builtin_memcpy(&value, &bits, sizeof value);
  return static_cast<float>(value);
}

inline __attribute__((always_inline)) uint16_t narrow(float value) {
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

inline __attribute__((always_inline)) void narrow_block(const double* value, uint16_t* half) {
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
