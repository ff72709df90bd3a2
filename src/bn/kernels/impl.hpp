// The loops themselves. Included once by each file that is compiled for an instruction set, which
// defines BN_KERNEL_SET (a namespace) and BN_VECTOR_BYTES.
//
// Nothing with external linkage may be instantiated here, the standard library's templates
// included: the linker would keep one copy for all, perhaps one with instructions that the CPU
// lacks.

#if defined(__F16C__)
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

inline __attribute__((always_inline)) Doubles load(const float* p) {
  Floats v;
  __builtin_memcpy(&v, p, sizeof v);
  return __builtin_convertvector(v, Doubles);
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

// step(pointer..., lanes) for each vector of the runs; the last values are padded with zeros, which
// add nothing.
template <class Real, class Step>
inline __attribute__((always_inline)) void along_run(const Real* x, size_t n, Step step) {
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    for (size_t u = 0; u < kUnroll; ++u) step(x + i + u * kLanes, i + u * kLanes, u);
  }
  if (i < n) {
    Real padded[kStep] = {};
    __builtin_memcpy(padded, x + i, (n - i) * sizeof(Real));
    for (size_t u = 0; u < kUnroll; ++u) step(padded + u * kLanes, i + u * kLanes, u);
  }
}

template <class Real>
void collect(const Lanes<Real>* lanes, int e_sum, int e_product, int64_t* sum, int64_t* products) {
  for (size_t t = 0; t < Lanes<Real>::kSums; ++t) {
    sum[t] = 0;
    const double unit = Lanes<Real>::sum_unit(e_sum, t);
    for (size_t u = 0; u < kUnroll; ++u) {
      const Doubles scaled = lanes[u].sum[t] * unit;
      for (size_t l = 0; l < kLanes; ++l) sum[t] += static_cast<int64_t>(scaled[l]);
    }
  }
  for (size_t t = 0; t < Lanes<Real>::kProducts; ++t) {
    products[t] = 0;
    const double unit = Lanes<Real>::product_unit(e_product, t);
    for (size_t u = 0; u < kUnroll; ++u) {
      const Doubles scaled = lanes[u].product[t] * unit;
      for (size_t l = 0; l < kLanes; ++l) products[t] += static_cast<int64_t>(scaled[l]);
    }
  }
}

template <class Real>
void moments(const Real* x, size_t n, int e, int64_t* sum, int64_t* sum_squares) {
  Lanes<Real> lanes[kUnroll];
  const Doubles scale = broadcast(Lanes<Real>::scale(e));
  const Doubles magic = broadcast(Lanes<Real>::magic(2 * e));
  along_run(
      x, n, [&](const Real* p, size_t, size_t u) __attribute__((always_inline)) {
        const auto parts = Lanes<Real>::split(load(p), scale);
        lanes[u].add(parts);
        lanes[u].add_product(parts, parts, magic);
      });
  collect(lanes, e, 2 * e, sum, sum_squares);
}

template <class Real>
void products(const Real* x, const Real* dy, size_t n, int e_x, int e_dy, int64_t* sum_dy,
              int64_t* sum_products) {
  Lanes<Real> lanes[kUnroll];
  const Doubles scale_x = broadcast(Lanes<Real>::scale(e_x));
  const Doubles scale_dy = broadcast(Lanes<Real>::scale(e_dy));
  const Doubles magic = broadcast(Lanes<Real>::magic(e_x + e_dy));
  Real x_padded[kStep] = {};
  const size_t whole = n - n % kStep;
  __builtin_memcpy(x_padded, x + whole, (n - whole) * sizeof(Real));
  along_run(
      dy, n, [&](const Real* p, size_t i, size_t u) __attribute__((always_inline)) {
        const auto parts_x =
            Lanes<Real>::split(load(i < whole ? x + i : x_padded + (i - whole)), scale_x);
        const auto parts_dy = Lanes<Real>::split(load(p), scale_dy);
        lanes[u].add(parts_dy);
        lanes[u].add_product(parts_x, parts_dy, magic);
      });
  collect(lanes, e_dy, e_x + e_dy, sum_dy, sum_products);
}

template <class Real>
void store_columns(const Lanes<Real>& lanes, const int* e_sum, const int* e_x, const int* e_dy,
                   size_t column, size_t width, int64_t* sum, int64_t* products) {
  for (size_t t = 0; t < Lanes<Real>::kSums; ++t) {
    for (size_t l = 0; l < kLanes; ++l) {
      sum[t * width + column + l] =
          static_cast<int64_t>(lanes.sum[t][l] * Lanes<Real>::sum_unit(e_sum[column + l], t));
    }
  }
  for (size_t t = 0; t < Lanes<Real>::kProducts; ++t) {
    for (size_t l = 0; l < kLanes; ++l) {
      const int e = e_x[column + l] + e_dy[column + l];
      products[t * width + column + l] =
          static_cast<int64_t>(lanes.product[t][l] * Lanes<Real>::product_unit(e, t));
    }
  }
}

// Columns whose accumulators stay in registers at a time: floats need few of them.
template <class Real>
constexpr size_t kColumnVectors = sizeof(Real) == sizeof(float) ? 2 : 1;

template <class Real>
void moments_columns(const Real* x, size_t stride, size_t rows, size_t width, const int* e,
                     int64_t* sum, int64_t* sum_squares) {
  constexpr size_t kVectors = kColumnVectors<Real>;
  for (size_t column = 0; column < width; column += kVectors * kLanes) {
    Lanes<Real> lanes[kVectors];
    Doubles scale[kVectors];
    Doubles magic[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      const int* const e_lane = e + column + v * kLanes;
      scale[v] = each_lane([&](size_t l) { return Lanes<Real>::scale(e_lane[l]); });
      magic[v] = each_lane([&](size_t l) { return Lanes<Real>::magic(2 * e_lane[l]); });
    }
    const Real* p = x + column;
    for (size_t r = 0; r < rows; ++r, p += stride) {
      for (size_t v = 0; v < kVectors; ++v) {
        const auto parts = Lanes<Real>::split(load(p + v * kLanes), scale[v]);
        lanes[v].add(parts);
        lanes[v].add_product(parts, parts, magic[v]);
      }
    }
    for (size_t v = 0; v < kVectors; ++v) {
      store_columns(lanes[v], e, e, e, column + v * kLanes, width, sum, sum_squares);
    }
  }
}

template <class Real>
void products_columns(const Real* x, size_t x_stride, const Real* dy, size_t dy_stride, size_t rows,
                      size_t width, const int* e_x, const int* e_dy, int64_t* sum_dy,
                      int64_t* sum_products) {
  constexpr size_t kVectors = kColumnVectors<Real>;
  for (size_t column = 0; column < width; column += kVectors * kLanes) {
    Lanes<Real> lanes[kVectors];
    Doubles scale_x[kVectors];
    Doubles scale_dy[kVectors];
    Doubles magic[kVectors];
    for (size_t v = 0; v < kVectors; ++v) {
      const int* const x_lane = e_x + column + v * kLanes;
      const int* const dy_lane = e_dy + column + v * kLanes;
      scale_x[v] = each_lane([&](size_t l) { return Lanes<Real>::scale(x_lane[l]); });
      scale_dy[v] = each_lane([&](size_t l) { return Lanes<Real>::scale(dy_lane[l]); });
      magic[v] = each_lane([&](size_t l) { return Lanes<Real>::magic(x_lane[l] + dy_lane[l]); });
    }
    const Real* p = x + column;
    const Real* q = dy + column;
    for (size_t r = 0; r < rows; ++r, p += x_stride, q += dy_stride) {
      for (size_t v = 0; v < kVectors; ++v) {
        const auto parts_x = Lanes<Real>::split(load(p + v * kLanes), scale_x[v]);
        const auto parts_dy = Lanes<Real>::split(load(q + v * kLanes), scale_dy[v]);
        lanes[v].add(parts_dy);
        lanes[v].add_product(parts_x, parts_dy, magic[v]);
      }
    }
    for (size_t v = 0; v < kVectors; ++v) {
      store_columns(lanes[v], e_dy, e_x, e_dy, column + v * kLanes, width, sum_dy, sum_products);
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

template <class Real>
void extremes_columns(const Real* x, size_t stride, size_t rows, size_t width,
                      typename bits_of<Real>::type* __restrict largest,
                      typename bits_of<Real>::type* __restrict smallest) {
  using Bits = typename bits_of<Real>::type;
  for (size_t c = 0; c < width; ++c) {
    largest[c] = 0;
    smallest[c] = static_cast<Bits>(-1) >> 1;
  }
  for (size_t r = 0; r < rows; ++r, x += stride) {
    for (size_t c = 0; c < width; ++c) {
      const Bits bits = magnitude(x[c]);
      const Bits less_one = (bits - 1) & (static_cast<Bits>(-1) >> 1);
      largest[c] = bits > largest[c] ? bits : largest[c];
      smallest[c] = less_one < smallest[c] ? less_one : smallest[c];
    }
  }
}

// ---- element by element -------------------------------------------------------------------------

inline __attribute__((always_inline)) double at(Channel value, size_t) { return value; }
inline __attribute__((always_inline)) double at(Columns values, size_t i) { return values[i]; }

// y may be x.
template <class Value, class X, class Y>
bool normalise(const X* x, size_t n, const Affine<Value>& k, Y* y) {
  const Affine<Value> c = k;
  typename bits_of<Y>::type largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const double centred = (static_cast<double>(x[i]) - at(c.mean, i)) - at(c.mean_lo, i);
    const Y result = static_cast<Y>(centred * at(c.scale, i) + at(c.beta, i));
    y[i] = result;
    const auto bits = magnitude(result);
    largest = bits > largest ? bits : largest;
  }
  return largest >= magnitude(static_cast<Y>(__builtin_huge_val()));
}

struct Pair {
  double hi;
  double lo;
};

// The upper 26 bits of a double: products of such halves are exact. Unlike Veltkamp's splitting
// this cannot overflow.
inline __attribute__((always_inline)) double upper_half(double v) {
  uint64_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  bits &= ~((uint64_t{1} << 27) - 1);
  __builtin_memcpy(&v, &bits, sizeof bits);
  return v;
}

// a * b to about 2^-104 (T. J. Dekker, "A floating-point technique for extending the available
// precision", 1971), with additions and multiplications alone, so that CPUs with and without FMA
// agree.
inline __attribute__((always_inline)) Pair product(double a, double b) {
  const double p = a * b;
  const double a_hi = upper_half(a);
  const double a_lo = a - a_hi;
  const double b_hi = upper_half(b);
  const double b_lo = b - b_hi;
  return {p, ((a_hi * b_hi - p) + a_hi * b_lo + a_lo * b_hi) + a_lo * b_lo};
}

// a + b exactly (D. E. Knuth's TwoSum).
inline __attribute__((always_inline)) Pair sum(double a, double b) {
  const double s = a + b;
  const double b_part = s - a;
  return {s, (a - (s - b_part)) + (b - b_part)};
}

template <class Value, class In, class Out>
bool gradient(const In* x, const In* dy, size_t n, const Gradient<Value>& k, Out* dx) {
  const Gradient<Value> c = k;
  typename bits_of<Out>::type largest = 0;
  for (size_t i = 0; i < n; ++i) {
    const double x_i = static_cast<double>(x[i]);
    const double dy_i = static_cast<double>(dy[i]);
    Out result;
    if constexpr (sizeof(Out) == sizeof(float)) {
      const double centred = (x_i - at(c.mean, i)) - at(c.mean_lo, i);
      result =
          static_cast<Out>((at(c.scale, i) * dy_i - at(c.offset, i)) - centred * at(c.slope, i));
    } else {
      // Three terms that may cancel: each to about 100 bits, rounded once at the end.
      const Pair difference = sum(x_i, -at(c.mean, i));
      const Pair centred = sum(difference.hi, difference.lo - at(c.mean_lo, i));
      const Pair a = product(at(c.scale, i), dy_i);
      const Pair b = product(centred.hi, at(c.slope, i));
      const double a_lo = a.lo + at(c.scale_lo, i) * dy_i;
      const double b_lo = b.lo + (centred.hi * at(c.slope_lo, i) + centred.lo * at(c.slope, i));
      const Pair first = sum(a.hi, -at(c.offset, i));
      const Pair second = sum(first.hi, -b.hi);
      result = static_cast<Out>(second.hi +
                                ((first.lo + second.lo) + ((a_lo - at(c.offset_lo, i)) - b_lo)));
    }
    dx[i] = result;
    const auto bits = magnitude(result);
    largest = bits > largest ? bits : largest;
  }
  return largest >= magnitude(static_cast<Out>(__builtin_huge_val()));
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
                           extremes_columns<Real>,
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
