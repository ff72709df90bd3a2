// The inner loops, and the one place where the instruction set matters. They are compiled once for
// each instruction set and chosen at run time. Every version gives the same bits: sums are exact
// integers, and results are given only where they are certain to be correctly rounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace bn::kernels {

/// The unsigned integer with the bits of a Real; a half is its bits.
template <class Real>
struct bits_of;
template <>
struct bits_of<std::uint16_t> {
  using type = std::uint16_t;
};
template <>
struct bits_of<float> {
  using type = std::uint32_t;
};
template <>
struct bits_of<double> {
  using type = std::uint64_t;
};

/// Bits of magnitudes (the sign taken off), which compare like the magnitudes themselves.
template <class Real>
struct Extremes {
  using Bits = typename bits_of<Real>::type;
  Bits largest;             ///< at least the bits of infinity: something is not finite
  Bits smallest_minus_one;  ///< of the smallest but zero; all bits but the top one if there is none
};

/// How a sum of values and a sum of products come back: as integers times powers of two.
/// e is an exponent such that every magnitude is less than 2^(e + 1) and, unless it is zero, a
/// value with an exponent of at least e - window; a product has e = e_x + e_dy. Why sums within the
/// window are exact is said where they are taken, in exact_sums.hpp.
template <class Real>
struct Grid;

template <>
struct Grid<float> {
  static constexpr int window = 20;
  static constexpr int sum[] = {-43};           ///< term t counts in 2^(e + sum[t])
  static constexpr int product[] = {-41, -86};  ///< term t counts in 2^(e + product[t])
};

template <>
struct Grid<double> {
  static constexpr int window = 18;
  static constexpr int sum[] = {-22, -46, -70};
  static constexpr int product[] = {-44, -68, -92, -116, -140};
};

/// Columns come in multiples of this: one cache line of floats, two vectors of AVX-512.
constexpr std::size_t kColumnMultiple = 16;
/// Columns of one call.
template <class Real>
constexpr std::size_t kMaxColumns = sizeof(Real) == 4 ? 512 : 256;

/// Columns of values, their rows `stride` values apart.
template <class Real>
struct Matrix {
  const Real* values;
  std::size_t stride;
};

/// Exact sums of values within the window; see Grid. The exponents are predictions: every call
/// returns the extremes of what it summed, and only if they fit the predictions are the sums right.
///
/// Each kernel exists for one array {x}, whose sums are sum x and sum x^2, and for two {x, dy}:
/// sum dy and sum dy * x. So `sum` is of the last array and `products` of the first with the last;
/// values, e and extremes have one entry per array.
template <class Real>
struct SumKernels {
  /// Most values for one call along a run, most rows for one call down columns.
  std::size_t chunk;
  std::size_t chunk_rows;

  Extremes<Real> (*extremes)(const Real* x, std::size_t n);

  using AlongRun = void(const Real* const* values, std::size_t n, const int* e, std::int64_t* sum,
                        std::int64_t* products, Extremes<Real>* extremes);
  AlongRun* along_run[2];  ///< of one array, of two

  /// Of each column of rows x width values; width is a multiple of kColumnMultiple, at most
  /// kMaxColumns. Term t of column c stands at [t * width + c].
  using DownColumns = void(const Matrix<Real>* values, std::size_t rows, std::size_t width,
                           const int* const* e, std::int64_t* sum, std::int64_t* products,
                           Extremes<Real>* const* extremes);
  DownColumns* down_columns[2];
};

/// A constant of a formula: one channel's, or one for each column.
using Channel = double;
using Columns = const double*;

/// Results are linear in their operands. What is computed differs from a result by no more than the
/// errors tell: those of each operand (its size times scale_error, and scale_tiny * 2^-1000 or that
/// times its size if it is less; 0 where it is multiplied by 0) and offset_error. Constants are of
/// one channel (Value = Channel), or one of each column (Value = Columns). A channel whose
/// constants are NaN has no results that are certain.

/// Relative errors of every term of what is computed in double arithmetic, and in twice its
/// precision; why they suffice is said in elementwise.hpp.
constexpr double kSingleError = 0x1p-50;
constexpr double kPairError = 0x1p-96;
/// Of scale_tiny, for products that underflow.
constexpr double kTinyError = 64;

/// scale * (x - pivot) + offset, in double arithmetic.
template <class Value>
struct Affine {
  static constexpr std::size_t operands = 1;  ///< {x}
  static constexpr bool kIsPair = false;
  Value pivot;
  Value scale;
  Value scale_error;
  Value scale_tiny;
  Value offset;
  Value offset_error;
};

/// scale * dy + slope * (x - pivot) + offset, in double arithmetic.
template <class Value>
struct Gradient {
  static constexpr std::size_t operands = 2;  ///< {x, dy}
  static constexpr bool kIsPair = false;
  Value pivot;
  Value slope;
  Value slope_error;
  Value slope_tiny;
  Value scale;
  Value scale_error;
  Value scale_tiny;
  Value offset;
  Value offset_error;
};

/// (scale + scale_lo) * x + (offset + offset_lo), in twice the precision.
template <class Value>
struct AffinePair {
  static constexpr std::size_t operands = 1;
  static constexpr bool kIsPair = true;
  Value scale;
  Value scale_lo;
  Value scale_error;
  Value scale_tiny;
  Value offset;
  Value offset_lo;
  Value offset_error;
};

/// (scale + scale_lo) * dy + (slope + slope_lo) * x + (offset + offset_lo), in twice the precision.
template <class Value>
struct GradientPair {
  static constexpr std::size_t operands = 2;
  static constexpr bool kIsPair = true;
  Value slope;
  Value slope_lo;
  Value slope_error;
  Value slope_tiny;
  Value scale;
  Value scale_lo;
  Value scale_error;
  Value scale_tiny;
  Value offset;
  Value offset_lo;
  Value offset_error;
};

/// The same formulas for operands that are known not to be large, so that what is computed of all
/// of them differs from the results by no more than the same bound: the kernels give its two ends
/// from what they add to the products. Beyond the sizes that the constants were made for, or beyond
/// the range of their dtype, results would be wrong.
template <class Value>
struct BoundedAffine {
  static constexpr std::size_t operands = 1;
  static constexpr bool kIsPair = false;
  Value scale;
  Value low;   ///< offset less the bound of the error
  Value high;  ///< offset and the bound of the error
};
template <class Value>
struct BoundedGradient {
  static constexpr std::size_t operands = 2;
  static constexpr bool kIsPair = false;
  Value slope;
  Value scale;
  Value low;
  Value high;
};
template <class Value>
struct BoundedAffinePair {
  static constexpr std::size_t operands = 1;
  static constexpr bool kIsPair = true;
  Value scale;
  Value scale_lo;
  Value offset;
  Value low;  ///< offset_lo less the bound of the error
  Value high;
};
template <class Value>
struct BoundedGradientPair {
  static constexpr std::size_t operands = 2;
  static constexpr bool kIsPair = true;
  Value slope;
  Value slope_lo;
  Value scale;
  Value scale_lo;
  Value offset;
  Value low;
  Value high;
};

/// The same constants, each made into something else by f.
template <class Value, class F>
auto transform(const BoundedAffine<Value>& k, F f) -> BoundedAffine<decltype(f(k.scale))> {
  return {f(k.scale), f(k.low), f(k.high)};
}
template <class Value, class F>
auto transform(const BoundedGradient<Value>& k, F f) -> BoundedGradient<decltype(f(k.scale))> {
  return {f(k.slope), f(k.scale), f(k.low), f(k.high)};
}
template <class Value, class F>
auto transform(const BoundedAffinePair<Value>& k, F f) -> BoundedAffinePair<decltype(f(k.scale))> {
  return {f(k.scale), f(k.scale_lo), f(k.offset), f(k.low), f(k.high)};
}
template <class Value, class F>
auto transform(const BoundedGradientPair<Value>& k, F f)
    -> BoundedGradientPair<decltype(f(k.scale))> {
  return {f(k.slope), f(k.slope_lo), f(k.scale), f(k.scale_lo), f(k.offset), f(k.low), f(k.high)};
}
template <class Value, class F>
auto transform(const Affine<Value>& k, F f) -> Affine<decltype(f(k.scale))> {
  return {f(k.pivot),      f(k.scale),  f(k.scale_error),
          f(k.scale_tiny), f(k.offset), f(k.offset_error)};
}
template <class Value, class F>
auto transform(const Gradient<Value>& k, F f) -> Gradient<decltype(f(k.scale))> {
  return {f(k.pivot),       f(k.slope),      f(k.slope_error), f(k.slope_tiny),  f(k.scale),
          f(k.scale_error), f(k.scale_tiny), f(k.offset),      f(k.offset_error)};
}
template <class Value, class F>
auto transform(const AffinePair<Value>& k, F f) -> AffinePair<decltype(f(k.scale))> {
  return {f(k.scale),  f(k.scale_lo),  f(k.scale_error), f(k.scale_tiny),
          f(k.offset), f(k.offset_lo), f(k.offset_error)};
}
template <class Value, class F>
auto transform(const GradientPair<Value>& k, F f) -> GradientPair<decltype(f(k.scale))> {
  return {f(k.slope),  f(k.slope_lo),  f(k.slope_error), f(k.slope_tiny),
          f(k.scale),  f(k.scale_lo),  f(k.scale_error), f(k.scale_tiny),
          f(k.offset), f(k.offset_lo), f(k.offset_error)};
}

/// Shorter runs have no room for vectors along them: their elements are taken as columns.
constexpr std::size_t kShortRun = 16;

/// Where results go: into the caches like everything, or past them by non-temporal stores, which
/// spares reading what they replace.
enum class Store : bool { cached, non_temporal };

/// Writes n results, each rounded once to nearest, ties to even, and returns whether one of them is
/// not certain: the bounds of its error round to different values, or it is infinite or NaN (which
/// of bounded operands it is not). Results may take the place of an operand of the same type.
template <class Constants, class In, class Out>
using Evaluate = bool(const In* const* operands, std::size_t n, const Constants&, Out* results,
                      Store);

/// float16 (by its bits) and float32 from double arithmetic.
template <class Constants>
struct SingleKernels {
  using Half = std::uint16_t;
  Evaluate<Constants, float, Half>* half_from_float;
  Evaluate<Constants, double, Half>* half_from_double;
  Evaluate<Constants, float, float>* float_from_float;
  Evaluate<Constants, double, float>* float_from_double;
};

/// float64 from twice the precision.
template <class Constants>
struct PairKernels {
  Evaluate<Constants, float, double>* double_from_float;
  Evaluate<Constants, double, double>* double_from_double;
};

template <class Constants>
using KernelsOf =
    std::conditional_t<Constants::kIsPair, PairKernels<Constants>, SingleKernels<Constants>>;

/// Those of all constants, each a base that is found by its type.
template <template <class> class... Constants>
struct KernelsOfAll : KernelsOf<Constants<Channel>>..., KernelsOf<Constants<Columns>>... {};
using ElementwiseKernels = KernelsOfAll<Affine, Gradient, AffinePair, GradientPair, BoundedAffine,
                                        BoundedGradient, BoundedAffinePair, BoundedGradientPair>;

/// How pairs of elements (a, b) are looked at all at once. Sizes are |a - b|.
struct DifferenceLimits {
  double absolute;  ///< the largest size so far
  double relative;  ///< the largest size / |b| so far
  double rtol;      ///< of the tolerance
  double atol;
  double excess;                ///< not more than the largest size - rtol |b| so far, >= 0
  std::uint64_t ulp;            ///< most steps so far
  std::uint64_t ulp_tolerance;  ///< steps with which a pair passes, if by_ulp
  bool by_ulp;
};

struct DifferenceScan {
  std::size_t different;  ///< a != b
  std::size_t beyond;     ///< neither size <= atol + rtol |b| nor few enough steps
  bool closer;  ///< a pair asks for a closer look: something is not finite, zeros have other signs,
                ///< a limit is exceeded, or too nearly met to tell
};

template <class In>
using ScanDifferences = DifferenceScan(const In* a, const In* b, std::size_t n,
                                       const DifferenceLimits&);
/// By the dtype among whose values steps are counted.
template <class In>
struct DifferenceKernels {
  ScanDifferences<In>* of_halves;
  ScanDifferences<In>* of_floats;
  ScanDifferences<In>* of_doubles;
};

/// Those of both operand types, each a base that is found by its type.
struct AllDifferenceKernels : DifferenceKernels<float>, DifferenceKernels<double> {};

struct Table {
  const char* instruction_set;
  SumKernels<float> float_sums;
  SumKernels<double> double_sums;
  ElementwiseKernels elementwise;
  AllDifferenceKernels differences;

  void (*widen_half)(const std::uint16_t* half, std::size_t n, float* value);

  /// Sum of word * weight(position + i) modulo 2^64; see bn/tiles/checksum.hpp.
  std::uint64_t (*checksum_8)(const std::uint8_t* words, std::size_t n, std::uint64_t position);
  std::uint64_t (*checksum_16)(const std::uint16_t* words, std::size_t n, std::uint64_t position);
  std::uint64_t (*checksum_32)(const std::uint32_t* words, std::size_t n, std::uint64_t position);
  std::uint64_t (*checksum_64)(const std::uint64_t* words, std::size_t n, std::uint64_t position);
};

/// The versions in this build that this CPU can run, the best one last.
[[nodiscard]] std::vector<const Table*> available();

/// The best of them, or the one that the environment variable BN_INSTRUCTION_SET names.
[[nodiscard]] const Table& table();

}  // namespace bn::kernels
