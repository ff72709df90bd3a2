// The loops themselves. Included once by each file that is compiled for an instruction set, which
// defines BN_KERNEL_SET (a namespace) and BN_VECTOR_BYTES.
//
// Nothing with external linkage may be instantiated here, the standard library's templates
// included: the linker would keep one copy for all, perhaps one with instructions that the CPU
// lacks.

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "bn/kernels/kernels.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

using std::int64_t;
using std::size_t;
using std::uint16_t;
using std::uint32_t;
using std::uint64_t;
using std::uint8_t;

// ---- vectors of doubles -------------------------------------------------------------------------

constexpr size_t kLanes = BN_VECTOR_BYTES / sizeof(double);
using Doubles = double __attribute__((vector_size(BN_VECTOR_BYTES)));
using Floats = float __attribute__((vector_size(BN_VECTOR_BYTES / 2)));

inline __attribute__((always_inline)) Doubles load(const double* p) {
  Doubles v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

// GCC 12 converts a vector in two halves unless it is told how.
inline __attribute__((always_inline)) Doubles load(const float* p) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Doubles);
#endif
}

inline __attribute__((always_inline)) Floats to_floats(Doubles v) {
#if defined(__AVX512F__)
  return _mm512_cvtpd_ps(v);
#elif defined(__AVX2__)
  return _mm256_cvtpd_ps(v);
#else
  return __builtin_convertvector(v, Floats);
#endif
}

inline __attribute__((always_inline)) Doubles broadcast(double value) { return value - Doubles{}; }

template <class Lane>
Doubles each_lane(Lane lane) {
  double values[kLanes];
  for (size_t l = 0; l < kLanes; ++l) values[l] = lane(l);
  return load(values);
}

// 2^exponent; down to subnormal ones, which scale the largest doubles.
double power_of_two(int exponent) {
  const uint64_t bits = exponent >= -1022 ? static_cast<uint64_t>(exponent + 1023) << 52
                                          : uint64_t{1} << (exponent + 1074);
  double value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}

// ---- exact sums ---------------------------------------------------------------------------------
//
// Every lane holds sums that are integers of at most 53 bits on a fixed grid, so that no addition
// rounds. (v + magic) - magic rounds v to the grid whose unit is the last bit of magic.

template <class Real>
struct Lanes;

// A float has 24 bits and spans 24 + 22 within the window: x itself is on the grid 2^(e - 45), and
// 2^7 of them fit. A product is less than 2^(e + 2) and a multiple of 2^(e - 90), e = e_x + e_dy:
// it is split at 2^(e - 44), and 2^7 of either part fit.
template <>
struct Lanes<float> {
  static constexpr size_t kMostAdditions = 128;
  static constexpr size_t kSums = Grid<float>::sum.size();
  static constexpr size_t kProducts = Grid<float>::product.size();
  using Parts = Doubles;

  Doubles sum[kSums] = {};
  Doubles product[kProducts] = {};

  static double scale(int) { return 1; }
  static double magic(int e) { return 1.5 * power_of_two(52 - 44 + e); }
  static double sum_unit(int e, size_t t) { return power_of_two(-(e + Grid<float>::sum[t])); }
  static double product_unit(int e, size_t t) {
    return power_of_two(-(e + Grid<float>::product[t]));
  }

  static inline __attribute__((always_inline)) Parts split(Doubles x, Doubles) { return x; }
  inline __attribute__((always_inline)) void add(Parts x) { sum[0] += x; }
  inline __attribute__((always_inline)) void add_product(Parts x, Parts y, Doubles magic) {
    const Doubles p = x * y;
    const Doubles high = (p + magic) - magic;
    product[0] += high;
    product[1] += p - high;
  }
};

// A double, scaled below 1, spans 53 + 18 bits within the window: three parts of at most 2^23 units
// of 2^-23, 2^-47 and 2^-71. Products of parts have at most 2^46 units; the worst sum of them, the
// middle one, gains 3 of those at a time, and 2^5 times that fit.
template <>
struct Lanes<double> {
  static constexpr size_t kMostAdditions = 32;
  static constexpr size_t kSums = Grid<double>::sum.size();
  static constexpr size_t kProducts = Grid<double>::product.size();
  struct Parts {
    Doubles a;
    Doubles b;
    Doubles c;
  };

  Doubles sum[kSums] = {};
  Doubles product[kProducts] = {};

  static double scale(int e) { return power_of_two(-(e + 1)); }
  static double magic(int) { return 0; }
  static double sum_unit(int, size_t t) { return power_of_two(1 - Grid<double>::sum[t]); }
  static double product_unit(int, size_t t) { return power_of_two(2 - Grid<double>::product[t]); }

  static inline __attribute__((always_inline)) Parts split(Doubles x, Doubles scale) {
    constexpr double kMagicA = 1.5 * (1ULL << (52 - 23));
    constexpr double kMagicB = 1.5 * (1ULL << (52 - 47));
    const Doubles v = x * scale;
    Parts parts;
    parts.a = (v + kMagicA) - kMagicA;
    const Doubles rest = v - parts.a;
    parts.b = (rest + kMagicB) - kMagicB;
    parts.c = rest - parts.b;
    return parts;
  }
  inline __attribute__((always_inline)) void add(const Parts& x) {
    sum[0] += x.a;
    sum[1] += x.b;
    sum[2] += x.c;
  }
  inline __attribute__((always_inline)) void add_product(const Parts& x, const Parts& y, Doubles) {
    product[0] += x.a * y.a;
    product[1] += x.a * y.b + x.b * y.a;
    product[2] += x.a * y.c + x.b * y.b + x.c * y.a;
    product[3] += x.b * y.c + x.c * y.b;
    product[4] += x.c * y.c;
  }
};

// Two sets of lanes hide the latency of the additions.
constexpr size_t kUnroll = 2;
constexpr size_t kStep = kUnroll * kLanes;

template <class Real>
constexpr size_t kChunk = Lanes<Real>::kMostAdditions* kStep;

// Asks for the step that a loop over memory comes to after some hundred instructions: the
// hardware's own prefetching leaves the memory idle while a core computes.
template <class Real>
inline __attribute__((always_inline)) void prefetch(const Real* p) {
  for (size_t line = 0; line < kStep * sizeof(Real); line += 64) {
    __builtin_prefetch(reinterpret_cast<const char*>(p) + line);
  }
}

// How far ahead along a run.
template <class Real>
constexpr size_t kAhead = 2048 / sizeof(Real);

template <class Real>
struct bit_vector;
template <>
struct bit_vector<float> {
  using type = uint32_t __attribute__((vector_size(BN_VECTOR_BYTES)));
};
template <>
struct bit_vector<double> {
  using type = uint64_t __attribute__((vector_size(BN_VECTOR_BYTES)));
};

// What a vector of doubles becomes as results, and their bits.
template <class Real>
struct result_vector;
template <>
struct result_vector<float> {
  using type = Floats;
  using bits = uint32_t __attribute__((vector_size(BN_VECTOR_BYTES / 2)));
};
template <>
struct result_vector<double> {
  using type = Doubles;
  using bits = uint64_t __attribute__((vector_size(BN_VECTOR_BYTES)));
};

// Extremes of the values of every lane. Twice the bits lose the sign; less 1, zero is the largest.
template <class Real>
struct Tracker {
  using Vector = typename bit_vector<Real>::type;
  static constexpr size_t kWidth = BN_VECTOR_BYTES / sizeof(Real);
  static constexpr size_t kVectors = kStep / kWidth;

  Vector largest[kVectors] = {};
  Vector smallest_less_1[kVectors];

  Tracker() {
    for (Vector& v : smallest_less_1) v = ~Vector{};
  }

  inline __attribute__((always_inline)) void add(const Real* p) {
    for (size_t v = 0; v < kVectors; ++v) {
      Vector bits;
      __builtin_memcpy(&bits, p + v * kWidth, sizeof bits);
      bits += bits;
      largest[v] = bits > largest[v] ? bits : largest[v];
      bits -= 1;
      smallest_less_1[v] = bits < smallest_less_1[v] ? bits : smallest_less_1[v];
    }
  }

  [[nodiscard]] Extremes<Real> lane(size_t l) const {
    return {largest[l / kWidth][l % kWidth] >> 1, smallest_less_1[l / kWidth][l % kWidth] >> 1};
  }

  [[nodiscard]] Extremes<Real> all() const {
    Extremes<Real> result = lane(0);
    for (size_t l = 1; l < kStep; ++l) {
      const Extremes<Real> e = lane(l);
      if (e.largest > result.largest) result.largest = e.largest;
      if (e.smallest_minus_one < result.smallest_minus_one) {
        result.smallest_minus_one = e.smallest_minus_one;
      }
    }
    return result;
  }
};

// What a guess decides, for each vector of a step.
struct Grids {
  Doubles scale_x[kUnroll];
  Doubles scale_dy[kUnroll];
  Doubles magic[kUnroll];
};

// The state of sum x and sum x^2 over steps of kStep values (along a run, or columns side by side).
template <class Real>
struct Moments {
  Lanes<Real> lanes[kUnroll];
  Tracker<Real> tracker;

  inline __attribute__((always_inline)) void add(const Real* x, const Grids& grids) {
    tracker.add(x);
    for (size_t u = 0; u < kUnroll; ++u) {
      const auto parts = Lanes<Real>::split(load(x + u * kLanes), grids.scale_x[u]);
      lanes[u].add(parts);
      lanes[u].add_product(parts, parts, grids.magic[u]);
    }
  }
};

// The same for sum dy and sum dy * x.
template <class Real>
struct Products {
  Lanes<Real> lanes[kUnroll];
  Tracker<Real> x_tracker;
  Tracker<Real> dy_tracker;

  inline __attribute__((always_inline)) void add(const Real* x, const Real* dy,
                                                 const Grids& grids) {
    x_tracker.add(x);
    dy_tracker.add(dy);
    for (size_t u = 0; u < kUnroll; ++u) {
      const auto parts_x = Lanes<Real>::split(load(x + u * kLanes), grids.scale_x[u]);
      const auto parts_dy = Lanes<Real>::split(load(dy + u * kLanes), grids.scale_dy[u]);
      lanes[u].add(parts_dy);
      lanes[u].add_product(parts_x, parts_dy, grids.magic[u]);
    }
  }
};

// Grids of kStep columns, or of one run whose exponents are all the same.
template <class Real>
inline __attribute__((always_inline)) Grids make_grids(const int* e_x, const int* e_dy,
                                                       size_t columns) {
  Grids grids;
  for (size_t u = 0; u < kUnroll; ++u) {
    const auto at = [&](size_t l) { return columns == 1 ? 0 : u * kLanes + l; };
    grids.scale_x[u] = each_lane([&](size_t l) { return Lanes<Real>::scale(e_x[at(l)]); });
    grids.scale_dy[u] = each_lane([&](size_t l) { return Lanes<Real>::scale(e_dy[at(l)]); });
    grids.magic[u] =
        each_lane([&](size_t l) { return Lanes<Real>::magic(e_x[at(l)] + e_dy[at(l)]); });
  }
  return grids;
}

// Exact where the guesses were right; otherwise anything.
inline int64_t to_integer(double v) {
  return v > -0x1p62 && v < 0x1p62 ? static_cast<int64_t>(v) : 0;
}

template <class Real>
void collect(const Lanes<Real>* lanes, int e_sum, int e_product, int64_t* sum, int64_t* products) {
  for (size_t t = 0; t < Lanes<Real>::kSums; ++t) {
    sum[t] = 0;
    const double unit = Lanes<Real>::sum_unit(e_sum, t);
    for (size_t u = 0; u < kUnroll; ++u) {
      const Doubles scaled = lanes[u].sum[t] * unit;
      for (size_t l = 0; l < kLanes; ++l) sum[t] += to_integer(scaled[l]);
    }
  }
  for (size_t t = 0; t < Lanes<Real>::kProducts; ++t) {
    products[t] = 0;
    const double unit = Lanes<Real>::product_unit(e_product, t);
    for (size_t u = 0; u < kUnroll; ++u) {
      const Doubles scaled = lanes[u].product[t] * unit;
      for (size_t l = 0; l < kLanes; ++l) products[t] += to_integer(scaled[l]);
    }
  }
}

template <class Real>
void collect_columns(const Lanes<Real>* lanes, const int* e_sum, const int* e_x, const int* e_dy,
                     size_t width, int64_t* sum, int64_t* products) {
  for (size_t c = 0; c < kStep; ++c) {
    const Lanes<Real>& of_column = lanes[c / kLanes];
    for (size_t t = 0; t < Lanes<Real>::kSums; ++t) {
      sum[t * width + c] =
          to_integer(of_column.sum[t][c % kLanes] * Lanes<Real>::sum_unit(e_sum[c], t));
    }
    for (size_t t = 0; t < Lanes<Real>::kProducts; ++t) {
      products[t * width + c] = to_integer(of_column.product[t][c % kLanes] *
                                           Lanes<Real>::product_unit(e_x[c] + e_dy[c], t));
    }
  }
}

template <class Real>
Extremes<Real> moments(const Real* x, size_t n, int e, int64_t* sum, int64_t* sum_squares) {
  const Grids grids = make_grids<Real>(&e, &e, 1);
  Moments<Real> state;
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    prefetch(x + i + kAhead<Real>);
    state.add(x + i, grids);
  }
  if (i < n) {
    Real padded[kStep] = {};  // zeros add nothing
    __builtin_memcpy(padded, x + i, (n - i) * sizeof(Real));
    state.add(padded, grids);
  }
  collect(state.lanes, e, 2 * e, sum, sum_squares);
  return state.tracker.all();
}

template <class Real>
void products(const Real* x, const Real* dy, size_t n, int e_x, int e_dy, int64_t* sum_dy,
              int64_t* sum_products, Extremes<Real>* extremes) {
  const Grids grids = make_grids<Real>(&e_x, &e_dy, 1);
  Products<Real> state;
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    prefetch(x + i + kAhead<Real>);
    prefetch(dy + i + kAhead<Real>);
    state.add(x + i, dy + i, grids);
  }
  if (i < n) {
    Real x_padded[kStep] = {};
    Real dy_padded[kStep] = {};
    __builtin_memcpy(x_padded, x + i, (n - i) * sizeof(Real));
    __builtin_memcpy(dy_padded, dy + i, (n - i) * sizeof(Real));
    state.add(x_padded, dy_padded, grids);
  }
  collect(state.lanes, e_dy, e_x + e_dy, sum_dy, sum_products);
  extremes[0] = state.x_tracker.all();
  extremes[1] = state.dy_tracker.all();
}

// Rows taken at once between loading and storing the state of a step of columns: the rows are read
// from end to end, as memory likes it, and the states stay in the first cache.
constexpr size_t kRows = 4;

template <class Real>
void moments_columns(const Real* x, size_t stride, size_t rows, size_t width, const int* e,
                     int64_t* sum, int64_t* sum_squares, Extremes<Real>* extremes) {
  Moments<Real> states[kMostColumns<Real> / kStep];
  Grids grids[kMostColumns<Real> / kStep];
  for (size_t c = 0; c < width; c += kStep)
    grids[c / kStep] = make_grids<Real>(e + c, e + c, kStep);
  for (size_t r = 0; r < rows; r += kRows, x += kRows * stride) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    for (size_t c = 0; c < width; c += kStep) {
      Moments<Real> state = states[c / kStep];
      const Grids& grid = grids[c / kStep];
      if (count == kRows) {
        for (size_t k = 0; k < kRows; ++k) {
          prefetch(x + (kRows + k) * stride + c);
          state.add(x + k * stride + c, grid);
        }
      } else {
        for (size_t k = 0; k < count; ++k) state.add(x + k * stride + c, grid);
      }
      states[c / kStep] = state;
    }
  }
  for (size_t c = 0; c < width; c += kStep) {
    const Moments<Real>& state = states[c / kStep];
    collect_columns(state.lanes, e + c, e + c, e + c, width, sum + c, sum_squares + c);
    for (size_t l = 0; l < kStep; ++l) extremes[c + l] = state.tracker.lane(l);
  }
}

template <class Real>
void products_columns(const Real* x, size_t x_stride, const Real* dy, size_t dy_stride, size_t rows,
                      size_t width, const int* e_x, const int* e_dy, int64_t* sum_dy,
                      int64_t* sum_products, Extremes<Real>* x_extremes,
                      Extremes<Real>* dy_extremes) {
  Products<Real> states[kMostColumns<Real> / kStep];
  Grids grids[kMostColumns<Real> / kStep];
  for (size_t c = 0; c < width; c += kStep) {
    grids[c / kStep] = make_grids<Real>(e_x + c, e_dy + c, kStep);
  }
  for (size_t r = 0; r < rows; r += kRows, x += kRows * x_stride, dy += kRows * dy_stride) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    for (size_t c = 0; c < width; c += kStep) {
      Products<Real> state = states[c / kStep];
      const Grids& grid = grids[c / kStep];
      if (count == kRows) {
        for (size_t k = 0; k < kRows; ++k) {
          prefetch(x + (kRows + k) * x_stride + c);
          prefetch(dy + (kRows + k) * dy_stride + c);
          state.add(x + k * x_stride + c, dy + k * dy_stride + c, grid);
        }
      } else {
        for (size_t k = 0; k < count; ++k) {
          state.add(x + k * x_stride + c, dy + k * dy_stride + c, grid);
        }
      }
      states[c / kStep] = state;
    }
  }
  for (size_t c = 0; c < width; c += kStep) {
    const Products<Real>& state = states[c / kStep];
    collect_columns(state.lanes, e_dy + c, e_x + c, e_dy + c, width, sum_dy + c, sum_products + c);
    for (size_t l = 0; l < kStep; ++l) {
      x_extremes[c + l] = state.x_tracker.lane(l);
      dy_extremes[c + l] = state.dy_tracker.lane(l);
    }
  }
}

// ---- magnitudes ---------------------------------------------------------------------------------

template <class Real>
inline __attribute__((always_inline)) typename bits_of<Real>::type magnitude(const Real& value) {
  typename bits_of<Real>::type bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  return bits & ~(typename bits_of<Real>::type{1} << (8 * sizeof(Real) - 1));
}

// Zero less 1, its top bit taken off, is larger than every other magnitude: zeros do not count.
template <class Real>
Extremes<Real> extremes(const Real* x, size_t n) {
  using Bits = typename bits_of<Real>::type;
  Bits largest = 0;
  Bits smallest = static_cast<Bits>(-1) >> 1;
  for (size_t i = 0; i < n; ++i) {
    const Bits bits = magnitude(x[i]);
    const Bits less_one = (bits - 1) & (static_cast<Bits>(-1) >> 1);
    largest = bits > largest ? bits : largest;
    smallest = less_one < smallest ? less_one : smallest;
  }
  return {largest, smallest};
}

// ---- element by element -------------------------------------------------------------------------

// Everything below exists twice, for a vector of elements and for one: D is Doubles or double.

template <class D>
inline __attribute__((always_inline)) D at(Channel value, size_t) {
  return value - D{};
}

template <class D>
inline __attribute__((always_inline)) D at(Columns values, size_t i) {
  if constexpr (sizeof(D) == sizeof(double)) {
    return values[i];
  } else {
    return load(values + i);
  }
}

template <class D, class Real>
inline __attribute__((always_inline)) D read(const Real* p) {
  if constexpr (sizeof(D) == sizeof(double)) {
    return static_cast<double>(*p);
  } else {
    return load(p);
  }
}

// Writes results, and keeps the bits of the largest magnitude of them.
template <class Real>
class Writer {
 public:
  inline __attribute__((always_inline)) void write(Real* p, Doubles v) {
    Vector reals;
    if constexpr (sizeof(Real) == sizeof(float)) {
      reals = to_floats(v);
    } else {
      reals = v;
    }
    __builtin_memcpy(p, &reals, sizeof reals);
    BitVector bits;
    __builtin_memcpy(&bits, &reals, sizeof bits);
    bits += bits;  // without the sign
    largest_ = bits > largest_ ? bits : largest_;
  }
  inline __attribute__((always_inline)) void write(Real* p, double v) {
    *p = static_cast<Real>(v);
    const auto bits = magnitude(*p);
    largest_of_rest_ = bits > largest_of_rest_ ? bits : largest_of_rest_;
  }
  [[nodiscard]] bool non_finite() const {
    auto largest = largest_of_rest_;
    for (size_t i = 0; i < kLanes; ++i) {
      const auto bits = largest_[i] >> 1;
      largest = bits > largest ? bits : largest;
    }
    return largest >= magnitude(static_cast<Real>(__builtin_huge_val()));
  }

 private:
  using Vector = typename result_vector<Real>::type;
  using BitVector = typename result_vector<Real>::bits;
  BitVector largest_ = {};
  typename bits_of<Real>::type largest_of_rest_ = 0;
};

template <class D, class Value, class X>
inline __attribute__((always_inline)) D normalised(const X* x, size_t i, const Affine<Value>& k) {
  const D centred = (read<D>(x + i) - at<D>(k.mean, i)) - at<D>(k.mean_lo, i);
  return centred * at<D>(k.scale, i) + at<D>(k.beta, i);
}

// y may be x.
template <class Value, class X, class Y>
bool normalise(const X* x, size_t n, const Affine<Value>& constants, Y* y) {
  const Affine<Value> k = constants;
  Writer<Y> writer;
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    prefetch(x + i + kAhead<X>);
    for (size_t u = i; u < i + kStep; u += kLanes) {
      writer.write(y + u, normalised<Doubles>(x, u, k));
    }
  }
  for (; i < n; ++i) writer.write(y + i, normalised<double>(x, i, k));
  return writer.non_finite();
}

template <class D>
struct Pair {
  D hi;
  D lo;
};

// The upper 26 bits of a double: products of such halves are exact. Unlike Veltkamp's splitting
// this cannot overflow.
template <class D>
inline __attribute__((always_inline)) D upper_half(D v) {
  if constexpr (sizeof(D) == sizeof(double)) {
    uint64_t bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    bits &= ~((uint64_t{1} << 27) - 1);
    __builtin_memcpy(&v, &bits, sizeof bits);
  } else {
    typename result_vector<double>::bits bits;
    __builtin_memcpy(&bits, &v, sizeof bits);
    bits &= ~((uint64_t{1} << 27) - 1);
    __builtin_memcpy(&v, &bits, sizeof bits);
  }
  return v;
}

// a * b to about 2^-104 (T. J. Dekker, "A floating-point technique for extending the available
// precision", 1971), with additions and multiplications alone, so that CPUs with and without FMA
// agree.
template <class D>
inline __attribute__((always_inline)) Pair<D> product(D a, D b) {
  const D p = a * b;
  const D a_hi = upper_half(a);
  const D a_lo = a - a_hi;
  const D b_hi = upper_half(b);
  const D b_lo = b - b_hi;
  return {p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

// a + b exactly (D. E. Knuth's TwoSum).
template <class D>
inline __attribute__((always_inline)) Pair<D> sum(D a, D b) {
  const D s = a + b;
  const D b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

template <class D, class Out, class Value, class In>
inline __attribute__((always_inline)) D differentiated(const In* x_values, const In* dy_values,
                                                       size_t i, const Gradient<Value>& k) {
  const D x = read<D>(x_values + i);
  const D dy = read<D>(dy_values + i);
  const D mean = at<D>(k.mean, i);
  const D mean_lo = at<D>(k.mean_lo, i);
  const D scale = at<D>(k.scale, i);
  const D offset = at<D>(k.offset, i);
  const D slope = at<D>(k.slope, i);
  if constexpr (sizeof(Out) == sizeof(float)) {
    return (scale * dy - offset) - ((x - mean) - mean_lo) * slope;
  } else {
    // Three terms that may cancel: each to about 100 bits, rounded once at the end.
    const Pair<D> difference = sum<D>(x, -mean);
    const Pair<D> centred = sum<D>(difference.hi, difference.lo - mean_lo);
    const Pair<D> a = product<D>(scale, dy);
    const Pair<D> b = product<D>(centred.hi, slope);
    const D a_lo = a.lo + at<D>(k.scale_lo, i) * dy;
    const D b_lo = b.lo + (centred.hi * at<D>(k.slope_lo, i) + centred.lo * slope);
    const Pair<D> first = sum<D>(a.hi, -offset);
    const Pair<D> second = sum<D>(first.hi, -b.hi);
    return second.hi + ((first.lo + second.lo) + ((a_lo - at<D>(k.offset_lo, i)) - b_lo));
  }
}

// dx may be x or dy.
template <class Value, class In, class Out>
bool gradient(const In* x, const In* dy, size_t n, const Gradient<Value>& constants, Out* dx) {
  const Gradient<Value> k = constants;
  Writer<Out> writer;
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    prefetch(x + i + kAhead<In>);
    prefetch(dy + i + kAhead<In>);
    for (size_t u = i; u < i + kStep; u += kLanes) {
      writer.write(dx + u, differentiated<Doubles, Out>(x, dy, u, k));
    }
  }
  for (; i < n; ++i) writer.write(dx + i, differentiated<double, Out>(x, dy, i, k));
  return writer.non_finite();
}

// ---- float16 ------------------------------------------------------------------------------------

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

// ---- checksums ----------------------------------------------------------------------------------

template <class Word>
uint64_t checksum(const Word* words, size_t n, uint64_t position) {
  uint64_t total = 0;
  const auto first = static_cast<uint32_t>(position);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t place = first + static_cast<uint32_t>(i) + 1U;
    const uint64_t word = words[i];
    total += (word & 0xffffffffU) * (place * 0x9e3779b1U);
    if constexpr (sizeof(Word) > 4) total += (word >> 32) * (place * 0x85ebca77U);
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
