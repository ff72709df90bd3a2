// The loops themselves. Included once by each file that is compiled for an instruction set, which
// defines BN_KERNEL_SET (a namespace) and BN_VECTOR_BYTES.
//
// Nothing with external linkage may be instantiated here, the standard library's templates
// included: the linker would keep one copy for all, perhaps one with instructions that the CPU
// lacks.

#include "bn/kernels/element_by_element.hpp"
#include "bn/kernels/exact_sums.hpp"
#include "bn/kernels/half.hpp"
#include "bn/kernels/kernels.hpp"
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

template <class Real>
constexpr Sums<Real> kSums{kChunk<Real>,
                           extremes<Real>,
                           moments<Real>,
                           products<Real>,
                           Lanes<Real>::kMostAdditions,
                           moments_columns<Real>,
                           products_columns<Real>};

template <class Value>
constexpr Elementwise<Value> kElementwise{
    normalise<Value, float, float>,  normalise<Value, float, double>,
    normalise<Value, double, float>, normalise<Value, double, double>,
    gradient<Value, float, float>,   gradient<Value, float, double>,
    gradient<Value, double, float>,  gradient<Value, double, double>};

}  // namespace

extern const Table kTable;
const Table kTable{BN_KERNEL_NAME,        kSums<float>,          kSums<double>,
                   kElementwise<Channel>, kElementwise<Columns>, widen_half,
                   narrow_half,           checksum<uint8_t>,     checksum<uint16_t>,
                   checksum<uint32_t>,    checksum<uint64_t>};

}  // namespace bn::kernels::BN_KERNEL_SET
