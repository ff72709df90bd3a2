// The table of all kernels. Included once by each file that is compiled for an instruction set,
// which defines BN_KERNEL_SET (a namespace) and BN_VECTOR_BYTES.
//
// Nothing with external linkage may be instantiated here, the standard library's templates
// included: the linker would keep one copy for all, perhaps one with instructions that the CPU
// lacks.

#include "bn/kernels/checksum.hpp"
#include "bn/kernels/differences.hpp"
#include "bn/kernels/elementwise.hpp"
#include "bn/kernels/exact_sums.hpp"
#include "bn/kernels/half.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

template <class Real>
constexpr SumKernels<Real> kSums{kChunk<Real>,
                                 PartialSums<Real>::kMaxAdditions,
                                 extremes<Real>,
                                 {along_run<Real, 1>, along_run<Real, 2>},
                                 {down_columns<Real, 1>, down_columns<Real, 2>}};

template <class Constants>
constexpr KernelsOf<Constants> kernels_of() {
  if constexpr (Constants::kIsPair) {
    return {evaluate<Constants, float, double>, evaluate<Constants, double, double>};
  } else {
    return {evaluate<Constants, float, uint16_t>, evaluate<Constants, double, uint16_t>,
            evaluate<Constants, float, float>, evaluate<Constants, double, float>};
  }
}

template <template <class> class... Constants>
constexpr KernelsOfAll<Constants...> all_of(const KernelsOfAll<Constants...>*) {
  return {kernels_of<Constants<Channel>>()..., kernels_of<Constants<Columns>>()...};
}

template <class In>
constexpr DifferenceKernels<In> kDifferences{
    scan_differences<In, uint16_t>, scan_differences<In, float>, scan_differences<In, double>};

}  // namespace

extern const Table kTable;
const Table kTable{BN_KERNEL_NAME,
                   kSums<float>,
                   kSums<double>,
                   all_of(static_cast<const ElementwiseKernels*>(nullptr)),
                   {kDifferences<float>, kDifferences<double>},
                   widen_half,
                   checksum<uint8_t>,
                   checksum<uint16_t>,
                   checksum<uint32_t>,
                   checksum<uint64_t>};

}  // namespace bn::kernels::BN_KERNEL_SET
