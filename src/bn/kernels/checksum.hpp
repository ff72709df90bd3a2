// Weights are (position + 1) times an odd constant, modulo 2^32: those of fewer than 2^32 - 1
// positions differ and none is 0. A difference of values of up to four bytes times one of weights
// is then less than 2^64 and not 0: no change of one value or exchange of two goes unseen.
#pragma once

#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

template <class Word>
uint64_t checksum(const Word* words, size_t n, uint64_t position) {
  uint64_t total = 0;
  constexpr uint32_t kLow = 0x9e3779b1;
  constexpr uint32_t kHigh = 0x85ebca77;
  const uint32_t first = static_cast<uint32_t>(position) + 1U;
  uint32_t low_weight = first * kLow;
  uint32_t high_weight = first * kHigh;
  for (size_t i = 0; i < n; ++i, low_weight += kLow, high_weight += kHigh) {
    const uint64_t word = words[i];
    total += (word & 0xffffffffU) * low_weight;
    if constexpr (sizeof(Word) > 4) total += (word >> 32) * high_weight;
  }
  return total;
}

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
