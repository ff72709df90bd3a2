// Exact sums within the window of Grid, along a run and down columns.
#pragma once

#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// Why sums within the window are exact. Every lane holds sums that are integers of at most 53 bits
// on a fixed grid, so that additions do not round, or round off what another sum then takes.
//
// float: it has 24 bits and spans 24 + 20 within the window: x itself is on the grid 2^(e - 43),
// and 2^8 of them fit. A product is less than 2^(e + 2) and a multiple of 2^(e - 86), e = e_x +
// e_dy. One sum takes what is above 2^(e - 41): it starts at a constant whose last bit is that, so
// that every addition rounds to this grid, and 2^8 times 2^43 units leave its exponent as it is.
// The other sum takes what the first one lost or gained by rounding, at most 2^44 units of its own
// at a time.
//
// double: scaled below 1, it spans 53 + 18 bits within the window: three parts of at most 2^23
// units of 2^-23, 2^-47 and 2^-71. Products of parts have at most 2^46 units; the worst sum of
// them, the middle one, gains 3 of those at a time, and 2^5 times that fit.
template <class Real>
struct PartialSums;

template <>
struct PartialSums<float> {
  static constexpr size_t kMaxAdditions = 256;
  static constexpr size_t kSums = sizeof(Grid<float>::sum) / sizeof(int);
  static constexpr size_t kProducts = sizeof(Grid<float>::product) / sizeof(int);
  using Parts = Doubles;

  Doubles sum[kSums];
  Doubles product[kProducts];

  static double scale(int) { return 1; }
  static double rounding_constant(int e) {
    return 1.5 * power_of_two(52 + Grid<float>::product[0] + e);
  }
  // unit(e) * sum_unit(t) is one over the unit of term t: two factors, for unit(e) to be looked up
  // once per column.
  static double unit(int e) { return power_of_two(-e); }
  static double sum_unit(size_t t) { return power_of_two(-Grid<float>::sum[t]); }
  static double product_unit(size_t t) { return power_of_two(-Grid<float>::product[t]); }

  static BN_INLINE Parts split(Doubles x, Doubles) { return x; }
  BN_INLINE void add(Parts x) { sum[0] += x; }
  BN_INLINE void add_product(Parts x, Parts y) {
    const Doubles before = product[0];
    product[0] = multiply_add(x, y, before);
    product[1] += multiply_add(x, y, before - product[0]);
  }
};

template <>
struct PartialSums<double> {
  static constexpr size_t kMaxAdditions = 32;
  static constexpr size_t kSums = sizeof(Grid<double>::sum) / sizeof(int);
  static constexpr size_t kProducts = sizeof(Grid<double>::product) / sizeof(int);
  struct Parts {
    Doubles a;
    Doubles b;
    Doubles c;
  };

  Doubles sum[kSums];
  Doubles product[kProducts];

  static double scale(int e) { return power_of_two(-(e + 1)); }
  static double rounding_constant(int) { return 0; }
  static double unit(int) { return 1; }
  static double sum_unit(size_t t) { return power_of_two(1 - Grid<double>::sum[t]); }
  static double product_unit(size_t t) { return power_of_two(2 - Grid<double>::product[t]); }

  static BN_INLINE Parts split(Doubles x, Doubles scale) {
    // (v + constant) - constant rounds v to the grid whose unit is the last bit of the constant.
    constexpr double kRoundA = 1.5 * (1ULL << (52 - 23));
    constexpr double kRoundB = 1.5 * (1ULL << (52 - 47));
    const Doubles v = x * scale;
    Parts parts;
    parts.a = (v + kRoundA) - kRoundA;
    const Doubles rest = v - parts.a;
    parts.b = (rest + kRoundB) - kRoundB;
    parts.c = rest - parts.b;
    return parts;
  }
  BN_INLINE void add(const Parts& x) {
    sum[0] += x.a;
    sum[1] += x.b;
    sum[2] += x.c;
  }
  BN_INLINE void add_product(const Parts& x, const Parts& y) {
    const auto add = [&](size_t t, Doubles a, Doubles b) {
      product[t] = multiply_add(a, b, product[t]);
    };
    add(0, x.a, y.a);
    add(1, x.a, y.b);
    add(1, x.b, y.a);
    add(2, x.a, y.c);
    add(2, x.b, y.b);
    add(2, x.c, y.a);
    add(3, x.b, y.c);
    add(3, x.c, y.b);
    add(4, x.c, y.c);
  }
};

template <class Real>
constexpr size_t kChunk = PartialSums<Real>::kMaxAdditions* kStep;

// Extremes of the values of every lane. Twice the bits lose the sign; less 1, zero is the largest.
template <class Real>
struct MagnitudeRange {
  using Vector = typename bit_vector<Real>::type;
  static constexpr size_t kWidth = BN_VECTOR_BYTES / sizeof(Real);
  static constexpr size_t kVectors = kStep / kWidth;

  Vector largest[kVectors];
  Vector smallest_minus_one[kVectors];

  BN_INLINE void start() {
    for (size_t v = 0; v < kVectors; ++v) {
      largest[v] = Vector{};
      smallest_minus_one[v] = ~Vector{};
    }
  }

  BN_INLINE void add(const Real* p) {
    for (size_t v = 0; v < kVectors; ++v) {
      Vector bits;
      __builtin_memcpy(&bits, p + v * kWidth, sizeof bits);
      bits += bits;
      largest[v] = bits > largest[v] ? bits : largest[v];
      bits -= 1;
      smallest_minus_one[v] = bits < smallest_minus_one[v] ? bits : smallest_minus_one[v];
    }
  }

  [[nodiscard]] Extremes<Real> lane(size_t l) const {
    return {largest[l / kWidth][l % kWidth] >> 1, smallest_minus_one[l / kWidth][l % kWidth] >> 1};
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

// What the predicted exponents decide, for each vector of a step.
template <size_t kArrays>
struct Grids {
  Doubles scale[kArrays][kUnroll];
  Doubles rounding[kUnroll];  // what the first sum of products starts at
};

// The sums of kArrays arrays over steps of kStep values, along a run or of columns side by side.
template <class Real, size_t kArrays>
struct SumState {
  PartialSums<Real> sums[kUnroll];
  MagnitudeRange<Real> range[kArrays];

  // The rounding constant is in the first sum of products to the end.
  BN_INLINE void start(const Grids<kArrays>& grids) {
    for (size_t u = 0; u < kUnroll; ++u) sums[u] = {{}, {grids.rounding[u]}};
    for (size_t a = 0; a < kArrays; ++a) range[a].start();
  }

  BN_INLINE void add(const Real* const (&values)[kArrays], const Grids<kArrays>& grids) {
    for (size_t a = 0; a < kArrays; ++a) range[a].add(values[a]);
    for (size_t u = 0; u < kUnroll; ++u) {
      typename PartialSums<Real>::Parts parts[kArrays];
      for (size_t a = 0; a < kArrays; ++a) {
        parts[a] = PartialSums<Real>::split(load(values[a] + u * kLanes), grids.scale[a][u]);
      }
      sums[u].add(parts[kArrays - 1]);
      sums[u].add_product(parts[0], parts[kArrays - 1]);
    }
  }
};

// Grids of kStep columns, or of one run whose exponents are all the same.
template <class Real, size_t kArrays>
BN_INLINE Grids<kArrays> make_grids(const int* const (&e)[kArrays], size_t columns) {
  Grids<kArrays> grids;
  for (size_t u = 0; u < kUnroll; ++u) {
    const auto at = [&](size_t l) { return columns == 1 ? 0 : u * kLanes + l; };
    for (size_t a = 0; a < kArrays; ++a) {
      grids.scale[a][u] =
          each_lane([&](size_t l) { return PartialSums<Real>::scale(e[a][at(l)]); });
    }
    grids.rounding[u] = each_lane([&](size_t l) {
      return PartialSums<Real>::rounding_constant(e[0][at(l)] + e[kArrays - 1][at(l)]);
    });
  }
  return grids;
}

template <class Real>
BN_INLINE Doubles product_sum(const PartialSums<Real>& sums, size_t t, Doubles rounding) {
  return t == 0 ? sums.product[0] - rounding : sums.product[t];
}

inline int64_t total(Integers lanes) {
  int64_t sum = 0;
  for (size_t l = 0; l < kLanes; ++l) sum += lanes[l];
  return sum;
}

// Sums of lanes are at most 2^53 where the predictions were right; otherwise anything that can be
// added up.
template <class Real, size_t kArrays>
void collect(const SumState<Real, kArrays>& state, const Grids<kArrays>& grids, const int* e,
             int64_t* sum, int64_t* products) {
  const double sum_unit = PartialSums<Real>::unit(e[kArrays - 1]);
  const double product_unit = PartialSums<Real>::unit(e[0] + e[kArrays - 1]);
  for (size_t t = 0; t < PartialSums<Real>::kSums; ++t) {
    const double unit = sum_unit * PartialSums<Real>::sum_unit(t);
    Integers integers{};
    for (size_t u = 0; u < kUnroll; ++u) integers += to_integers(state.sums[u].sum[t] * unit);
    sum[t] = total(integers);
  }
  for (size_t t = 0; t < PartialSums<Real>::kProducts; ++t) {
    const double unit = product_unit * PartialSums<Real>::product_unit(t);
    Integers integers{};
    for (size_t u = 0; u < kUnroll; ++u) {
      integers += to_integers(product_sum(state.sums[u], t, grids.rounding[u]) * unit);
    }
    products[t] = total(integers);
  }
}

// The same for kStep columns of `width`.
template <class Real, size_t kArrays>
void collect_columns(const SumState<Real, kArrays>& state, const Grids<kArrays>& grids,
                     const int* const (&e)[kArrays], size_t width, int64_t* sum,
                     int64_t* products) {
  const auto store = [](Integers integers, int64_t* to) {
    __builtin_memcpy(to, &integers, sizeof integers);
  };
  for (size_t u = 0; u < kUnroll; ++u) {
    const size_t c = u * kLanes;
    const int* e_first = e[0] + c;
    const int* e_last = e[kArrays - 1] + c;
    const Doubles sum_unit =
        each_lane([&](size_t l) { return PartialSums<Real>::unit(e_last[l]); });
    const Doubles product_unit =
        each_lane([&](size_t l) { return PartialSums<Real>::unit(e_first[l] + e_last[l]); });
    for (size_t t = 0; t < PartialSums<Real>::kSums; ++t) {
      const Doubles unit = sum_unit * PartialSums<Real>::sum_unit(t);
      store(to_integers(state.sums[u].sum[t] * unit), sum + t * width + c);
    }
    for (size_t t = 0; t < PartialSums<Real>::kProducts; ++t) {
      const Doubles unit = product_unit * PartialSums<Real>::product_unit(t);
      store(to_integers(product_sum(state.sums[u], t, grids.rounding[u]) * unit),
            products + t * width + c);
    }
  }
}

template <class Real, size_t kArrays>
void along_run(const Real* const* values, size_t n, const int* e, int64_t* sum, int64_t* products,
               Extremes<Real>* extremes) {
  const Real* next[kArrays];
  const int* exponents[kArrays];
  for (size_t a = 0; a < kArrays; ++a) {
    next[a] = values[a];
    exponents[a] = e + a;
  }
  const Grids<kArrays> grids = make_grids<Real>(exponents, 1);
  SumState<Real, kArrays> state;
  state.start(grids);
  size_t left = n;
  for (; left >= kStep; left -= kStep) {
    for (size_t a = 0; a < kArrays; ++a) prefetch(next[a], kAhead<Real>);
    state.add(next, grids);
    for (size_t a = 0; a < kArrays; ++a) next[a] += kStep;
  }
  if (left > 0) {
    Real padded[kArrays][kStep] = {};  // zeros add nothing
    for (size_t a = 0; a < kArrays; ++a) {
      __builtin_memcpy(padded[a], next[a], left * sizeof(Real));
      next[a] = padded[a];
    }
    state.add(next, grids);
  }
  collect(state, grids, e, sum, products);
  for (size_t a = 0; a < kArrays; ++a) extremes[a] = state.range[a].all();
  leave_vectors();
}

// Rows taken at once between loading and storing the state of a step of columns: the rows are read
// from end to end, as memory likes it, and the states stay in the L1 cache.
constexpr size_t kRows = 4;

template <class Real, size_t kArrays>
void down_columns(const Matrix<Real>* values, size_t rows, size_t width, const int* const* e,
                  int64_t* sum, int64_t* products, Extremes<Real>* const* extremes) {
  constexpr size_t kMaxSteps = kMaxColumns<Real> / kStep;
  SumState<Real, kArrays> states[kMaxSteps];
  Grids<kArrays> grids[kMaxSteps];
  const auto exponents_from = [&](size_t c, const int*(&from)[kArrays]) {
    for (size_t a = 0; a < kArrays; ++a) from[a] = e[a] + c;
  };
  const int* exponents[kArrays];
  for (size_t c = 0; c < width; c += kStep) {
    exponents_from(c, exponents);
    grids[c / kStep] = make_grids<Real>(exponents, kStep);
    states[c / kStep].start(grids[c / kStep]);
  }

  const Real* row[kArrays];
  size_t stride[kArrays];
  for (size_t a = 0; a < kArrays; ++a) {
    row[a] = values[a].values;
    stride[a] = values[a].stride;
  }
  for (size_t r = 0; r < rows; r += kRows) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    for (size_t c = 0; c < width; c += kStep) {
      SumState<Real, kArrays> state = states[c / kStep];
      const Grids<kArrays>& grid = grids[c / kStep];
      const auto add_row = [&](size_t k) __attribute__((always_inline)) {
        const Real* step[kArrays];
        for (size_t a = 0; a < kArrays; ++a) step[a] = row[a] + k * stride[a] + c;
        for (size_t a = 0; a < kArrays; ++a) prefetch(step[a], kRows * stride[a]);
        state.add(step, grid);
      };
      if (count == kRows) {
        for (size_t k = 0; k < kRows; ++k) add_row(k);
      } else {
        for (size_t k = 0; k < count; ++k) add_row(k);
      }
      states[c / kStep] = state;
    }
    for (size_t a = 0; a < kArrays; ++a) row[a] += kRows * stride[a];
  }

  for (size_t c = 0; c < width; c += kStep) {
    const SumState<Real, kArrays>& state = states[c / kStep];
    exponents_from(c, exponents);
    collect_columns(state, grids[c / kStep], exponents, width, sum + c, products + c);
    for (size_t a = 0; a < kArrays; ++a) {
      for (size_t l = 0; l < kStep; ++l) extremes[a][c + l] = state.range[a].lane(l);
    }
  }
  leave_vectors();
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

}  // namespace
}  // namespace bn::kernels::BN_KERNEL_SET
