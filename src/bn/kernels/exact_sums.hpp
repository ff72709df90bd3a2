// Exact sums within the window of Grid, along a run and down columns.
#pragma once

#include "bn/kernels/vectors.hpp"

namespace bn::kernels::BN_KERNEL_SET {
namespace {

// Every lane holds sums that are integers of at most 53 bits on a fixed grid, so that additions do
// not round, or round off what another sum then takes.

template <class Real>
struct Lanes;

// A float has 24 bits and spans 24 + 20 within the window: x itself is on the grid 2^(e - 43), and
// 2^8 of them fit. A product is less than 2^(e + 2) and a multiple of 2^(e - 86), e = e_x + e_dy.
// One sum takes what is above 2^(e - 41): it starts at a magic, so that every addition rounds to
// this grid, and 2^8 times 2^43 units leave its exponent as it is. The other sum takes what the
// first one lost or gained by rounding, at most 2^44 units of its own at a time.
template <>
struct Lanes<float> {
  static constexpr size_t kMostAdditions = 256;
  static constexpr size_t kSums = sizeof(Grid<float>::sum) / sizeof(int);
  static constexpr size_t kProducts = sizeof(Grid<float>::product) / sizeof(int);
  using Parts = Doubles;

  Doubles sum[kSums];
  Doubles product[kProducts];

  static double scale(int) { return 1; }
  static double magic(int e) { return 1.5 * power_of_two(52 + Grid<float>::product[0] + e); }
  // unit(e) * sum_unit(t) is one over the unit of term t: two factors, for unit(e) to be looked up
  // once a column.
  static double unit(int e) { return power_of_two(-e); }
  static double sum_unit(size_t t) { return power_of_two(-Grid<float>::sum[t]); }
  static double product_unit(size_t t) { return power_of_two(-Grid<float>::product[t]); }

  static inline __attribute__((always_inline)) Parts split(Doubles x, Doubles) { return x; }
  inline __attribute__((always_inline)) void add(Parts x) { sum[0] += x; }
  inline __attribute__((always_inline)) void add_product(Parts x, Parts y) {
    const Doubles before = product[0];
    product[0] = add_exact_product(before, x, y);
    product[1] += add_exact_product(before - product[0], x, y);
  }
};

// A double, scaled below 1, spans 53 + 18 bits within the window: three parts of at most 2^23 units
// of 2^-23, 2^-47 and 2^-71. Products of parts have at most 2^46 units; the worst sum of them, the
// middle one, gains 3 of those at a time, and 2^5 times that fit.
template <>
struct Lanes<double> {
  static constexpr size_t kMostAdditions = 32;
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
  static double magic(int) { return 0; }
  static double unit(int) { return 1; }
  static double sum_unit(size_t t) { return power_of_two(1 - Grid<double>::sum[t]); }
  static double product_unit(size_t t) { return power_of_two(2 - Grid<double>::product[t]); }

  static inline __attribute__((always_inline)) Parts split(Doubles x, Doubles scale) {
    // (v + magic) - magic rounds v to the grid whose unit is the last bit of magic.
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
  inline __attribute__((always_inline)) void add_product(const Parts& x, const Parts& y) {
    const auto add = [&](size_t t, Doubles a, Doubles b) {
      product[t] = add_exact_product(product[t], a, b);
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
constexpr size_t kChunk = Lanes<Real>::kMostAdditions* kStep;

// Extremes of the values of every lane. Twice the bits lose the sign; less 1, zero is the largest.
template <class Real>
struct Tracker {
  using Vector = typename bit_vector<Real>::type;
  static constexpr size_t kWidth = BN_VECTOR_BYTES / sizeof(Real);
  static constexpr size_t kVectors = kStep / kWidth;

  Vector largest[kVectors];
  Vector smallest_less_1[kVectors];

  inline __attribute__((always_inline)) void start() {
    for (size_t v = 0; v < kVectors; ++v) {
      largest[v] = Vector{};
      smallest_less_1[v] = ~Vector{};
    }
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

// Sums that have taken nothing yet; what the first sum of products starts at is in it to the end.
template <class Real>
inline __attribute__((always_inline)) void clear(Lanes<Real>* lanes, const Grids& grids) {
  for (size_t u = 0; u < kUnroll; ++u) lanes[u] = {{}, {grids.magic[u]}};
}

// The state of sum x and sum x^2 over steps of kStep values (along a run, or columns side by side).
template <class Real>
struct Moments {
  Lanes<Real> lanes[kUnroll];
  Tracker<Real> tracker;

  inline __attribute__((always_inline)) void start(const Grids& grids) {
    clear(lanes, grids);
    tracker.start();
  }

  inline __attribute__((always_inline)) void add(const Real* x, const Grids& grids) {
    tracker.add(x);
    for (size_t u = 0; u < kUnroll; ++u) {
      const auto parts = Lanes<Real>::split(load(x + u * kLanes), grids.scale_x[u]);
      lanes[u].add(parts);
      lanes[u].add_product(parts, parts);
    }
  }
};

// The same for sum dy and sum dy * x.
template <class Real>
struct Products {
  Lanes<Real> lanes[kUnroll];
  Tracker<Real> x_tracker;
  Tracker<Real> dy_tracker;

  inline __attribute__((always_inline)) void start(const Grids& grids) {
    clear(lanes, grids);
    x_tracker.start();
    dy_tracker.start();
  }

  inline __attribute__((always_inline)) void add(const Real* x, const Real* dy,
                                                 const Grids& grids) {
    x_tracker.add(x);
    dy_tracker.add(dy);
    for (size_t u = 0; u < kUnroll; ++u) {
      const auto parts_x = Lanes<Real>::split(load(x + u * kLanes), grids.scale_x[u]);
      const auto parts_dy = Lanes<Real>::split(load(dy + u * kLanes), grids.scale_dy[u]);
      lanes[u].add(parts_dy);
      lanes[u].add_product(parts_x, parts_dy);
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

template <class Real>
inline __attribute__((always_inline)) Doubles product_sum(const Lanes<Real>& lanes, size_t t,
                                                          Doubles magic) {
  return t == 0 ? lanes.product[0] - magic : lanes.product[t];
}

inline int64_t total(Integers lanes) {
  int64_t sum = 0;
  for (size_t l = 0; l < kLanes; ++l) sum += lanes[l];
  return sum;
}

// Sums of lanes are at most 2^53 where the guesses were right; otherwise anything that can be added
// up.
template <class Real>
void collect(const Lanes<Real>* lanes, const Grids& grids, int e_sum, int e_product, int64_t* sum,
             int64_t* products) {
  const double sum_unit = Lanes<Real>::unit(e_sum);
  const double product_unit = Lanes<Real>::unit(e_product);
  for (size_t t = 0; t < Lanes<Real>::kSums; ++t) {
    const double unit = sum_unit * Lanes<Real>::sum_unit(t);
    Integers integers{};
    for (size_t u = 0; u < kUnroll; ++u) integers += to_integers(lanes[u].sum[t] * unit);
    sum[t] = total(integers);
  }
  for (size_t t = 0; t < Lanes<Real>::kProducts; ++t) {
    const double unit = product_unit * Lanes<Real>::product_unit(t);
    Integers integers{};
    for (size_t u = 0; u < kUnroll; ++u) {
      integers += to_integers(product_sum(lanes[u], t, grids.magic[u]) * unit);
    }
    products[t] = total(integers);
  }
}

template <class Real>
void collect_columns(const Lanes<Real>* lanes, const Grids& grids, const int* e_sum, const int* e_x,
                     const int* e_dy, size_t width, int64_t* sum, int64_t* products) {
  const auto store = [](Integers integers, int64_t* to) {
    __builtin_memcpy(to, &integers, sizeof integers);
  };
  for (size_t u = 0; u < kUnroll; ++u) {
    const size_t c = u * kLanes;
    const Doubles sum_unit = each_lane([&](size_t l) { return Lanes<Real>::unit(e_sum[c + l]); });
    const Doubles product_unit =
        each_lane([&](size_t l) { return Lanes<Real>::unit(e_x[c + l] + e_dy[c + l]); });
    for (size_t t = 0; t < Lanes<Real>::kSums; ++t) {
      const Doubles unit = sum_unit * Lanes<Real>::sum_unit(t);
      store(to_integers(lanes[u].sum[t] * unit), sum + t * width + c);
    }
    for (size_t t = 0; t < Lanes<Real>::kProducts; ++t) {
      const Doubles unit = product_unit * Lanes<Real>::product_unit(t);
      store(to_integers(product_sum(lanes[u], t, grids.magic[u]) * unit), products + t * width + c);
    }
  }
}

template <class Real>
Extremes<Real> moments(const Real* x, size_t n, int e, int64_t* sum, int64_t* sum_squares) {
  const Grids grids = make_grids<Real>(&e, &e, 1);
  Moments<Real> state;
  state.start(grids);
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    prefetch(x + i, kAhead<Real>);
    state.add(x + i, grids);
  }
  if (i < n) {
    Real padded[kStep] = {};  // zeros add nothing
    __builtin_memcpy(padded, x + i, (n - i) * sizeof(Real));
    state.add(padded, grids);
  }
  collect(state.lanes, grids, e, 2 * e, sum, sum_squares);
  const Extremes<Real> extremes = state.tracker.all();
  leave_vectors();
  return extremes;
}

template <class Real>
void products(const Real* x, const Real* dy, size_t n, int e_x, int e_dy, int64_t* sum_dy,
              int64_t* sum_products, Extremes<Real>* extremes) {
  const Grids grids = make_grids<Real>(&e_x, &e_dy, 1);
  Products<Real> state;
  state.start(grids);
  size_t i = 0;
  for (; i + kStep <= n; i += kStep) {
    prefetch(x + i, kAhead<Real>);
    prefetch(dy + i, kAhead<Real>);
    state.add(x + i, dy + i, grids);
  }
  if (i < n) {
    Real x_padded[kStep] = {};
    Real dy_padded[kStep] = {};
    __builtin_memcpy(x_padded, x + i, (n - i) * sizeof(Real));
    __builtin_memcpy(dy_padded, dy + i, (n - i) * sizeof(Real));
    state.add(x_padded, dy_padded, grids);
  }
  collect(state.lanes, grids, e_dy, e_x + e_dy, sum_dy, sum_products);
  extremes[0] = state.x_tracker.all();
  extremes[1] = state.dy_tracker.all();
  leave_vectors();
}

// Rows taken at once between loading and storing the state of a step of columns: the rows are read
// from end to end, as memory likes it, and the states stay in the first cache.
constexpr size_t kRows = 4;

template <class Real>
void moments_columns(const Real* x, size_t stride, size_t rows, size_t width, const int* e,
                     int64_t* sum, int64_t* sum_squares, Extremes<Real>* extremes) {
  Moments<Real> states[kMostColumns<Real> / kStep];
  Grids grids[kMostColumns<Real> / kStep];
  for (size_t c = 0; c < width; c += kStep) {
    grids[c / kStep] = make_grids<Real>(e + c, e + c, kStep);
    states[c / kStep].start(grids[c / kStep]);
  }
  for (size_t r = 0; r < rows; r += kRows, x += kRows * stride) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    for (size_t c = 0; c < width; c += kStep) {
      Moments<Real> state = states[c / kStep];
      const Grids& grid = grids[c / kStep];
      if (count == kRows) {
        for (size_t k = 0; k < kRows; ++k) {
          prefetch(x + k * stride + c, kRows * stride);
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
    collect_columns(state.lanes, grids[c / kStep], e + c, e + c, e + c, width, sum + c,
                    sum_squares + c);
    for (size_t l = 0; l < kStep; ++l) extremes[c + l] = state.tracker.lane(l);
  }
  leave_vectors();
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
    states[c / kStep].start(grids[c / kStep]);
  }
  for (size_t r = 0; r < rows; r += kRows, x += kRows * x_stride, dy += kRows * dy_stride) {
    const size_t count = rows - r < kRows ? rows - r : kRows;
    for (size_t c = 0; c < width; c += kStep) {
      Products<Real> state = states[c / kStep];
      const Grids& grid = grids[c / kStep];
      if (count == kRows) {
        for (size_t k = 0; k < kRows; ++k) {
          prefetch(x + k * x_stride + c, kRows * x_stride);
          prefetch(dy + k * dy_stride + c, kRows * dy_stride);
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
    collect_columns(state.lanes, grids[c / kStep], e_dy + c, e_x + c, e_dy + c, width, sum_dy + c,
                    sum_products + c);
    for (size_t l = 0; l < kStep; ++l) {
      x_extremes[c + l] = state.x_tracker.lane(l);
      dy_extremes[c + l] = state.dy_tracker.lane(l);
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
