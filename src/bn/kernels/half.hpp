// float16 as float, exactly.
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

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
