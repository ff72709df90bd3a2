// Every version of the kernels that this CPU can run, side by side.
#include "bn/kernels/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "kernels/sums_of_kernels.hpp"
#include "support.hpp"

namespace kernels = bn::kernels;
using kernels::Table;
using support::sums;
using support::total;

namespace {

template <class Real>
using Bits = typename kernels::bits_of<Real>::type;

template <class Real>
Bits<Real> magnitude(Real value) {
  return std::bit_cast<Bits<Real>>(std::fabs(value));
}

// Values with exponents in [top - spread, top], both ends included where there are two or more.
template <class Real>
std::vector<Real> values(data::Random& random, std::size_t n, int top, int spread) {
  constexpr int kDigits = std::numeric_limits<Real>::digits;
  std::vector<Real> result(n);
  for (std::size_t i = 0; i < n; ++i) {
    const int exponent = i == 0 ? top : i == 1 ? top - spread : random.between(top - spread, top);
    // All bits of the significand, which make the most of a lane; some are random instead.
    std::uint64_t significand = (std::uint64_t{1} << kDigits) - 1;
    if (random.below(2) == 0) significand = random.next() >> (64 - kDigits) | 1;
    significand |= std::uint64_t{1} << (kDigits - 1);
    const double value = std::ldexp(static_cast<double>(significand), exponent - kDigits + 1);
    result[i] = static_cast<Real>(random.below(4) == 0 ? -value : value);
    if (i > 1 && random.below(20) == 0) result[i] = 0;
  }
  return result;
}

template <class Real>
bool same_extremes(kernels::Extremes<Real> a, kernels::Extremes<Real> b) {
  return a.largest == b.largest && a.smallest_minus_one == b.smallest_minus_one;
}

template <class Real>
void check_sums(const Table& table) {
  using Grid = kernels::Grid<Real>;
  const auto& kernel = sums<Real>(table);
  data::Random random(1);
  const std::size_t chunk = kernel.chunk;
  const int highest = std::numeric_limits<Real>::max_exponent - 1;
  const int lowest = std::numeric_limits<Real>::min_exponent - 1;  // of normal values
  for (const std::size_t n :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{15},
        std::size_t{16}, std::size_t{17}, chunk - 1, chunk}) {
    // 2^-(top + 1), which doubles are scaled by, is the least normal one, and subnormal ones.
    for (const int top : {0, 10, lowest + Grid::window, highest - 2, highest - 1, highest}) {
      for (const int top_dy : {-3, highest, lowest + Grid::window}) {
        INFO(table.instruction_set << " " << n << " " << top << " " << top_dy);
        const std::vector<Real> x = values<Real>(random, n, top, n < 2 ? 0 : Grid::window);
        const std::vector<Real> dy = values<Real>(random, n, top_dy, n < 2 ? 0 : Grid::window);
        std::array<std::int64_t, std::size(Grid::sum)> sum;
        std::array<std::int64_t, std::size(Grid::product)> products;
        oracle::ExactSum want_x;
        oracle::ExactSum want_x_x;
        oracle::ExactSum want_dy;
        oracle::ExactSum want_dy_x;
        for (std::size_t i = 0; i < n; ++i) {
          const mpq_class x_i(static_cast<double>(x[i]));
          const mpq_class dy_i(static_cast<double>(dy[i]));
          want_x.add(x_i);
          want_dy.add(dy_i);
          want_x_x.add_product(x_i, x_i);
          want_dy_x.add_product(dy_i, x_i);
        }
        kernels::Extremes<Real> extremes[2];
        const Real* const arrays[2] = {x.data(), dy.data()};
        const int e[2] = {top, top_dy};
        kernel.along_run[0](arrays, n, e, sum.data(), products.data(), extremes);
        REQUIRE(same_extremes(extremes[0], kernel.extremes(x.data(), n)));
        REQUIRE(total(Grid::sum, top, sum.data(), 1) == want_x.value());
        REQUIRE(total(Grid::product, 2 * top, products.data(), 1) == want_x_x.value());
        kernel.along_run[1](arrays, n, e, sum.data(), products.data(), extremes);
        REQUIRE(same_extremes(extremes[0], kernel.extremes(x.data(), n)));
        REQUIRE(same_extremes(extremes[1], kernel.extremes(dy.data(), n)));
        REQUIRE(total(Grid::sum, top_dy, sum.data(), 1) == want_dy.value());
        REQUIRE(total(Grid::product, top + top_dy, products.data(), 1) == want_dy_x.value());
      }
    }
  }
}

template <class Real>
void check_columns(const Table& table) {
  using Grid = kernels::Grid<Real>;
  const auto& kernel = sums<Real>(table);
  data::Random random(2);
  for (const std::size_t width :
       {std::size_t{16}, std::size_t{32}, std::size_t{48}, kernels::kMaxColumns<Real>}) {
    for (const std::size_t rows :
         {std::size_t{1}, std::size_t{3}, kernel.chunk_rows - 1, kernel.chunk_rows}) {
      const std::size_t x_stride = width + 5;
      const std::size_t dy_stride = width + 3;
      std::vector<Real> x(rows * x_stride);
      std::vector<Real> dy(rows * dy_stride);
      std::vector<int> e_x(width);
      std::vector<int> e_dy(width);
      for (std::size_t c = 0; c < width; ++c) {
        e_x[c] = random.between(-30, 30);
        e_dy[c] = random.between(-30, 30);
        const auto column_x = values<Real>(random, rows, e_x[c], rows < 2 ? 0 : Grid::window);
        const auto column_dy = values<Real>(random, rows, e_dy[c], rows < 2 ? 0 : Grid::window);
        for (std::size_t r = 0; r < rows; ++r) {
          x[r * x_stride + c] = column_x[r];
          dy[r * dy_stride + c] = column_dy[r];
        }
      }
      std::vector<std::int64_t> sum(std::size(Grid::sum) * width);
      std::vector<std::int64_t> squares(std::size(Grid::product) * width);
      std::vector<std::int64_t> sum_dy(std::size(Grid::sum) * width);
      std::vector<std::int64_t> products(std::size(Grid::product) * width);
      std::vector<kernels::Extremes<Real>> extremes(width);
      std::vector<kernels::Extremes<Real>> x_extremes(width);
      std::vector<kernels::Extremes<Real>> dy_extremes(width);
      const kernels::Matrix<Real> arrays[2] = {{x.data(), x_stride}, {dy.data(), dy_stride}};
      const int* const e[2] = {e_x.data(), e_dy.data()};
      kernels::Extremes<Real>* const of_one[1] = {extremes.data()};
      kernels::Extremes<Real>* const of_two[2] = {x_extremes.data(), dy_extremes.data()};
      kernel.down_columns[0](arrays, rows, width, e, sum.data(), squares.data(), of_one);
      kernel.down_columns[1](arrays, rows, width, e, sum_dy.data(), products.data(), of_two);
      for (std::size_t c = 0; c<width; c += width> 48 ? 37 : 1) {
        INFO(table.instruction_set << " " << width << " " << rows << " column " << c);
        oracle::ExactSum want_x;
        oracle::ExactSum want_x_x;
        oracle::ExactSum want_dy;
        oracle::ExactSum want_dy_x;
        std::vector<Real> column_x(rows);
        std::vector<Real> column_dy(rows);
        for (std::size_t r = 0; r < rows; ++r) {
          column_x[r] = x[r * x_stride + c];
          column_dy[r] = dy[r * dy_stride + c];
          const mpq_class x_i(static_cast<double>(column_x[r]));
          const mpq_class dy_i(static_cast<double>(column_dy[r]));
          want_x.add(x_i);
          want_dy.add(dy_i);
          want_x_x.add_product(x_i, x_i);
          want_dy_x.add_product(dy_i, x_i);
        }
        REQUIRE(same_extremes(extremes[c], kernel.extremes(column_x.data(), rows)));
        REQUIRE(same_extremes(x_extremes[c], kernel.extremes(column_x.data(), rows)));
        REQUIRE(same_extremes(dy_extremes[c], kernel.extremes(column_dy.data(), rows)));
        REQUIRE(total(Grid::sum, e_x[c], &sum[c], width) == want_x.value());
        REQUIRE(total(Grid::product, 2 * e_x[c], &squares[c], width) == want_x_x.value());
        REQUIRE(total(Grid::sum, e_dy[c], &sum_dy[c], width) == want_dy.value());
        REQUIRE(total(Grid::product, e_x[c] + e_dy[c], &products[c], width) == want_dy_x.value());
      }
    }
  }
}

template <class Real>
void check_extremes(const Table& table) {
  const auto& kernel = sums<Real>(table);
  data::Random random(3);
  for (const std::size_t n : {1U, 3U, 7U, 15U, 16U, 17U, 33U, 100U, 255U, 1025U}) {
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::vector<Real> x(n);
      for (Real& value : x) {
        value = std::bit_cast<Real>(static_cast<Bits<Real>>(random.next()));
        if (random.below(3) == 0) value = random.below(2) == 0 ? Real{0} : -Real{0};
      }
      Bits<Real> largest = 0;
      Bits<Real> smallest = 0;
      for (const Real value : x) {
        const Bits<Real> bits = magnitude(value);
        largest = std::max(largest, bits);
        if (bits != 0 && (smallest == 0 || bits < smallest)) smallest = bits;
      }
      const auto have = kernel.extremes(x.data(), n);
      INFO(table.instruction_set << " " << n);
      REQUIRE(have.largest == largest);
      if (smallest != 0) {
        REQUIRE(have.smallest_minus_one == smallest - 1);
      } else {
        REQUIRE(have.smallest_minus_one == static_cast<Bits<Real>>(-1) >> 1);
      }
    }
  }
}

template <class T>
bool same(const std::vector<T>& a, const std::vector<T>& b) {
  return std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

template <class T>
std::vector<T> noise(data::Random& random, std::size_t n, double scale) {
  std::vector<T> result(n);
  for (T& value : result) value = static_cast<T>(scale * random.normal());
  return result;
}

// run(table) -> results, the same for every table
template <class Run>
void require_same(Run run) {
  const auto tables = kernels::available();
  const auto want = run(*tables[0]);
  for (const Table* table : tables) {
    INFO(table->instruction_set);
    REQUIRE(same(run(*table), want));
  }
}

}  // namespace

TEST_CASE("The environment variable names the instruction set that is used") {
  const char* wanted = std::getenv("BN_INSTRUCTION_SET");
  const auto tables = kernels::available();
  REQUIRE(std::string(tables[0]->instruction_set) == "baseline");
  const bool known = wanted != nullptr && std::any_of(tables.begin(), tables.end(), [&](auto* t) {
                       return std::string(t->instruction_set) == wanted;
                     });
  const std::string used = kernels::table().instruction_set;
  REQUIRE(used == (known ? wanted : tables.back()->instruction_set));
}

TEST_CASE("Every instruction set sums runs exactly up to the window's edge and a whole chunk") {
  for (const Table* table : kernels::available()) {
    check_sums<float>(*table);
    check_sums<double>(*table);
  }
}

TEST_CASE("Every instruction set sums columns exactly up to the window's edge and a whole chunk") {
  for (const Table* table : kernels::available()) {
    check_columns<float>(*table);
    check_columns<double>(*table);
  }
}

TEST_CASE("Every instruction set finds the extreme magnitudes") {
  for (const Table* table : kernels::available()) {
    check_extremes<float>(*table);
    check_extremes<double>(*table);
  }
}

// Those of the constants' type.
template <class Constants>
const kernels::KernelsOf<Constants>& kernels_of(const Table& table, const Constants& /*type*/) {
  return table.elementwise;
}

// use(kernel, operands as In, room for results as Out) for every pair of types of a formula.
template <class Constants, class Use>
void for_each_kernel(const kernels::SingleKernels<Constants>& of, Use use) {
  use(of.half_from_float);
  use(of.half_from_double);
  use(of.float_from_float);
  use(of.float_from_double);
}
template <class Constants, class Use>
void for_each_kernel(const kernels::PairKernels<Constants>& of, Use use) {
  use(of.double_from_float);
  use(of.double_from_double);
}

TEST_CASE(
    "Element-wise results have the same bits with every instruction set, wherever they are "
    "stored") {
  data::Random random(5);
  constexpr double kError = 0x1p-50;
  constexpr double kPairError = 0x1p-96;
  constexpr double kRoot2 =
      1.4142135623730951;  // no result is halfway between two values by chance
  const auto check = [&](const auto& constants, std::size_t n) {
    const auto noise_of = [&]<class In>(In) {
      return std::array{noise<In>(random, n, 3), noise<In>(random, n, 2)};
    };
    const auto floats = noise_of(0.0F);
    const auto doubles = noise_of(0.0);
    for (const kernels::Store store : {kernels::Store::cached, kernels::Store::non_temporal}) {
      for (const std::size_t at : {0U, 1U, 6U}) {
        require_same([&](const Table& table) {
          std::vector<std::byte> all;
          const auto run = [&]<class Constants, class In, class Out>(
                               kernels::Evaluate<Constants, In, Out>* kernel) {
            const In* in[2] = {};
            for (std::size_t a = 0; a < 2; ++a) {
              if constexpr (sizeof(In) == sizeof(float)) in[a] = floats[a].data();
              if constexpr (sizeof(In) == sizeof(double)) in[a] = doubles[a].data();
            }
            std::vector<Out> y(at + n);
            REQUIRE_FALSE(kernel(in, n, constants, y.data() + at, store));
            const auto* bytes = reinterpret_cast<const std::byte*>(y.data());
            all.insert(all.end(), bytes, bytes + y.size() * sizeof(Out));
          };
          for_each_kernel(kernels_of(table, constants), run);
          return all;
        });
      }
    }
  };
  for (const std::size_t n : {1U, 3U, 7U, 15U, 16U, 17U, 100U, 1000U}) {
    std::vector<std::vector<double>> k;
    for (int i = 0; i < 5; ++i) k.push_back(noise<double>(random, n, 1));
    const std::vector<double> lows = noise<double>(random, n, 1e-17);
    const std::vector<double> errors(n, kError);
    const std::vector<double> pair_errors(n, kPairError);
    const double* e = errors.data();
    const double* lo = lows.data();
    const std::vector<double> no_errors(n);
    const double* p = pair_errors.data();
    const double* none = no_errors.data();
    const auto of = [&](std::size_t which) { return k[which].data(); };
    check(kernels::Affine<kernels::Channel>{0.1, 1.7, kError, 64, -0.3, kError}, n);
    check(kernels::Affine<kernels::Columns>{of(0), of(1), e, none, of(2), e}, n);
    check(kernels::Gradient<kernels::Channel>{0.1, 0.4, kError, 64, 1.7, kError, 64, 0.2, kError},
          n);
    check(kernels::Gradient<kernels::Columns>{of(0), of(1), e, none, of(2), e, none, of(3), e}, n);
    check(
        kernels::AffinePair<kernels::Channel>{1.7, 1e-17, kPairError, 64, -0.3, 3e-18, kPairError},
        n);
    check(kernels::AffinePair<kernels::Columns>{of(0), lo, p, none, of(1), lo, p}, n);
    check(kernels::GradientPair<kernels::Channel>{0.4, 1e-17, kPairError, 64, 1.7, 1e-17,
                                                  kPairError, 64, 0.2, 3e-18, kPairError},
          n);
    check(kernels::GradientPair<kernels::Columns>{of(0), lo, p, none, of(1), lo, p, none, of(2), lo,
                                                  p},
          n);
    check(kernels::BoundedAffine<kernels::Channel>{kRoot2, -0.3, -0.3 + kError}, n);
    check(kernels::BoundedAffine<kernels::Columns>{of(0), of(1), of(1)}, n);
    check(kernels::BoundedGradient<kernels::Channel>{0.4, kRoot2, 0.2, 0.2 + kError}, n);
    check(kernels::BoundedGradient<kernels::Columns>{of(0), of(1), of(2), of(2)}, n);
    check(kernels::BoundedAffinePair<kernels::Channel>{1.7, 1e-17, -0.3, 3e-18, 3e-18 + kPairError},
          n);
    check(kernels::BoundedAffinePair<kernels::Columns>{of(0), lo, of(1), lo, lo}, n);
    check(kernels::BoundedGradientPair<kernels::Channel>{0.4, 1e-17, 1.7, 1e-17, 0.2, 3e-18,
                                                         3e-18 + kPairError},
          n);
    check(kernels::BoundedGradientPair<kernels::Columns>{of(0), lo, of(1), lo, of(2), lo, lo}, n);
  }
}

TEST_CASE("A kernel says whether a result is not certain, or not finite, wherever it stands") {
  // Halfway between two values of each type of result, and what a bound of 2^-40 of a last bit
  // spoils.
  const auto check = [](auto kernel, const auto& no_error, const auto& error, double tie,
                        double overflow) {
    const auto run = [&]<class Constants, class In, class Out>(
                         kernels::Evaluate<Constants, In, Out>* evaluate) {
      const double infinity = std::numeric_limits<double>::infinity();
      for (const std::size_t n : {1U, 8U, 17U, 40U}) {
        std::vector<In> x(n, In{10.5});
        std::vector<Out> y(n);
        const In* const in[1] = {x.data()};
        for (const kernels::Store store : {kernels::Store::cached, kernels::Store::non_temporal}) {
          REQUIRE_FALSE(evaluate(in, n, error, y.data(), store));
          for (std::size_t at = 0; at < n; ++at) {
            const double sign = at % 2 == 0 ? 1 : -1;
            const auto with = [&](double value, const auto& constants) {
              x[at] = static_cast<In>(value);
              const bool undecided = evaluate(in, n, constants, y.data(), store);
              x[at] = In{10.5};
              return undecided;
            };
            if (static_cast<double>(static_cast<In>(tie)) == tie) {
              REQUIRE_FALSE(with(sign * tie, no_error));
              REQUIRE(with(sign * tie, error));
            }
            REQUIRE(with(sign * infinity, no_error));
            REQUIRE(with(std::nan(""), no_error));
            if (static_cast<double>(static_cast<In>(overflow)) == overflow) {
              REQUIRE(with(sign * overflow, no_error));
            }
          }
        }
      }
    };
    run(kernel);
  };
  using One = kernels::Affine<kernels::Channel>;
  using Pair = kernels::AffinePair<kernels::Channel>;
  for (const Table* table : kernels::available()) {
    INFO(table->instruction_set);
    const One no_error{0, 1, 0, 64, 0, 0};
    const One with_small_error{0, 1, 0, 64, 0, 0x1p-40};
    const auto& single = kernels_of(*table, no_error);
    const double half_tie = 1 + 0x1p-11;
    const double float_tie = 1 + 0x1p-24;
    check(single.half_from_float, no_error, with_small_error, half_tie, 65520);
    check(single.half_from_double, no_error, with_small_error, half_tie, 65520);
    check(single.float_from_float, no_error, with_small_error, float_tie, 1e39);
    check(single.float_from_double, no_error, with_small_error, float_tie, 1e39);
    // No double: 3 + 2^-52, of which the shift is the lower part.
    const Pair exact{1, 0, 0, 64, 0x1p-52, 0, 0};
    const auto& pair = kernels_of(*table, exact);
    const Pair with_error{1, 0, 0, 64, 0x1p-52, 0, 0x1p-90};
    check(pair.double_from_double, exact, with_error, 3, std::numeric_limits<double>::infinity());
    check(pair.double_from_float, exact, with_error, 3, std::numeric_limits<double>::infinity());
  }
}

TEST_CASE("Constants that are NaN leave every result uncertain") {
  const double nan = std::nan("");
  for (const Table* table : kernels::available()) {
    const std::vector<float> x(5, 1);
    const float* const in[2] = {x.data(), x.data()};
    std::vector<float> y(5);
    std::vector<double> y_double(5);
    const auto cached = kernels::Store::cached;
    const auto undecided = [&](const auto& constants, auto& to) {
      const auto& of = kernels_of(*table, constants);
      if constexpr (std::is_same_v<decltype(to), std::vector<float>&>) {
        return of.float_from_float(in, 5, constants, to.data(), cached);
      } else {
        return of.double_from_float(in, 5, constants, to.data(), cached);
      }
    };
    REQUIRE(undecided(kernels::Affine<kernels::Channel>{0, nan, 0, 0, 0, 0}, y));
    REQUIRE(undecided(kernels::Gradient<kernels::Channel>{0, nan, 0, 0, 1, 0, 0, 0, 0}, y));
    REQUIRE(undecided(kernels::AffinePair<kernels::Channel>{nan, 0, 0, 0, 0, 0, 0}, y_double));
    REQUIRE(undecided(kernels::GradientPair<kernels::Channel>{0, nan, 0, 0, 1, 0, 0, 0, 0, 0, 0},
                      y_double));
  }
}

TEST_CASE("Every float16 widens to its value with every instruction set") {
  std::vector<std::uint16_t> halves(65536);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
  for (const Table* table : kernels::available()) {
    for (const std::size_t first : {0U, 3U}) {
      std::vector<float> wide(65536);
      table->widen_half(halves.data() + first, halves.size() - first, wide.data());
      std::size_t wrong = 0;
      for (std::size_t i = first; i < halves.size(); ++i) {
        const double want = oracle::half_value(halves[i]);
        const auto have = static_cast<double>(wide[i - first]);
        const bool right = std::isnan(want) ? std::isnan(have) : support::same_bits(have, want);
        wrong += right ? 0 : 1;
      }
      INFO(table->instruction_set);
      REQUIRE(wrong == 0);
    }
  }
}

TEST_CASE("Doubles round to the nearest float16 with every instruction set") {
  std::vector<double> values;
  for (std::uint16_t bits = 0; bits < 0x7bff; ++bits) {
    const double low = oracle::half_value(bits);
    const double high = oracle::half_value(static_cast<std::uint16_t>(bits + 1));
    const double tie = (low + high) / 2;
    for (const double value : {low, tie, std::nextafter(tie, 0.0), std::nextafter(tie, 1e9)}) {
      values.push_back(value);
      if (value != 0) values.push_back(-value);
    }
  }
  for (const double value : {1e-290, 1e-30, 65519.999}) {
    values.push_back(value);
    values.push_back(-value);
  }
  std::vector<std::uint16_t> want(values.size());
  std::transform(values.begin(), values.end(), want.begin(), oracle::half_bits);
  const kernels::Affine<kernels::Channel> same_value{0, 1, 0, 64, -0.0, 0};
  for (const Table* table : kernels::available()) {
    INFO(table->instruction_set);
    const auto narrow = [&](std::size_t first, std::vector<std::uint16_t>& to) {
      const double* const in[1] = {values.data() + first};
      return kernels_of(*table, same_value)
          .half_from_double(in, to.size(), same_value, to.data(), kernels::Store::cached);
    };
    std::vector<std::uint16_t> have(values.size());
    REQUIRE_FALSE(narrow(0, have));
    REQUIRE(same(have, want));
    for (const std::size_t n : {1U, 3U, 7U, 9U, 17U}) {
      std::vector<std::uint16_t> few(n);
      REQUIRE_FALSE(narrow(100, few));
      REQUIRE(std::equal(few.begin(), few.end(), want.begin() + 100));
    }
  }
}

TEST_CASE("Checksums are the same with every instruction set") {
  data::Random random(8);
  std::vector<std::uint64_t> words(600);
  for (std::uint64_t& word : words) word = random.next();
  const void* bytes = words.data();
  for (const std::uint64_t position : {std::uint64_t{0}, std::uint64_t{0xffffff00}}) {
    for (const std::size_t n : {1U, 7U, 16U, 33U, 600U}) {
      require_same([&](const Table& table) {
        return std::vector<std::uint64_t>{
            table.checksum_8(static_cast<const std::uint8_t*>(bytes), n, position),
            table.checksum_16(static_cast<const std::uint16_t*>(bytes), n, position),
            table.checksum_32(static_cast<const std::uint32_t*>(bytes), n, position),
            table.checksum_64(static_cast<const std::uint64_t*>(bytes), n, position)};
      });
    }
  }
}
