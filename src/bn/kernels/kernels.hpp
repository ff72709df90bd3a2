// The inner loops, and the one place where the instruction set matters. They are compiled once for
// each instruction set and chosen at run time. Every version gives the same bits: sums are exact
// integers, element-wise arithmetic is IEEE double without contraction.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bn::kernels {

/// The unsigned integer with the bits of a Real.
template <class Real>
struct bits_of;
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
/// value with an exponent of at least e - window; a product has e = e_x + e_dy.
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

/// Columns of one call; a multiple of 16.
template <class Real>
constexpr std::size_t kMostColumns = sizeof(Real) == 4 ? 512 : 256;

/// Exact sums of values within the window; see Grid. The exponents are guesses: every call returns
/// the extremes of what it summed, and only if they fit the guesses are the sums right.
template <class Real>
struct Sums {
  using Bits = typename bits_of<Real>::type;

  /// Most values for one call along a run.
  std::size_t chunk;
  Extremes<Real> (*extremes)(const Real* x, std::size_t n);
  /// sum x, sum x^2. Returns the extremes of x.
  Extremes<Real> (*moments)(const Real* x, std::size_t n, int e, std::int64_t* sum,
                            std::int64_t* sum_squares);
  /// sum dy, sum dy * x. Stores the extremes of x and dy.
  void (*products)(const Real* x, const Real* dy, std::size_t n, int e_x, int e_dy,
                   std::int64_t* sum_dy, std::int64_t* sum_products, Extremes<Real>* extremes);

  /// The same for each column of rows x width values, rows `stride` values apart; width % 16 == 0
  /// and at most kMostColumns. Term t of column c stands at [t * width + c].
  std::size_t chunk_rows;
  void (*moments_columns)(const Real* x, std::size_t stride, std::size_t rows, std::size_t width,
                          const int* e, std::int64_t* sum, std::int64_t* sum_squares,
                          Extremes<Real>* extremes);
  void (*products_columns)(const Real* x, std::size_t x_stride, const Real* dy,
                           std::size_t dy_stride, std::size_t rows, std::size_t width,
                           const int* e_x, const int* e_dy, std::int64_t* sum_dy,
                           std::int64_t* sum_products, Extremes<Real>* x_extremes,
                           Extremes<Real>* dy_extremes);
};

/// Constants of y = ((x - mean) - mean_lo) * scale + beta: of one channel (Value = double), or one
/// of each column (Value = const double*).
template <class Value>
struct Affine {
  Value mean;
  Value mean_lo;
  Value scale;
  Value beta;
};

/// Constants of dx = scale * dy - offset - ((x - mean) - mean_lo) * slope. Each but the mean is a
/// double-double; only float64 results take the low parts into account.
template <class Value>
struct Gradient {
  Value mean;
  Value mean_lo;
  Value scale;
  Value scale_lo;
  Value offset;
  Value offset_lo;
  Value slope;
  Value slope_lo;
};

/// Shorter runs have no room for vectors along them: their elements are taken as columns.
constexpr std::size_t kShortRun = 16;

using Channel = double;
using Columns = const double*;

/// Where results go: into the caches like everything, or past them by non-temporal stores, which
/// spares reading what they replace.
enum class Store : bool { cached, past_caches };

/// Each writes n results and returns whether one of them may be infinite or NaN.
template <class Value>
struct Elementwise {
  template <class X, class Y>
  using Normalise = bool(const X* x, std::size_t n, const Affine<Value>&, Y* y, Store);
  template <class In, class Out>
  using Differentiate = bool(const In* x, const In* dy, std::size_t n, const Gradient<Value>&,
                             Out* dx, Store);

  Normalise<float, float>* normalise_ff;
  Normalise<float, double>* normalise_fd;
  Normalise<double, float>* normalise_df;
  Normalise<double, double>* normalise_dd;
  Differentiate<float, float>* gradient_ff;
  Differentiate<float, double>* gradient_fd;
  Differentiate<double, float>* gradient_df;
  Differentiate<double, double>* gradient_dd;
};

struct Table {
  const char* instruction_set;
  Sums<float> float_sums;
  Sums<double> double_sums;
  Elementwise<Channel> channel;
  Elementwise<Columns> columns;

  void (*widen_half)(const std::uint16_t* half, std::size_t n, float* value);
  /// Rounds once, to nearest even. Returns whether one result is infinite or NaN.
  bool (*narrow_half)(const double* value, std::size_t n, std::uint16_t* half);

  /// Sum of word * weight(position + i) modulo 2^64; see Checksum in checksum.hpp.
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
