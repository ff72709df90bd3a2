// The worst that the proof at the top of exact_sums.hpp allows: full chunks that bring every sum of
// a lane as far from zero as it can get, with something in the last bit that the sum must not lose.
#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "bn/kernels/kernels.hpp"
#include "catch.hpp"
#include "kernels/sums_of_kernels.hpp"
#include "support.hpp"

namespace kernels = bn::kernels;
using kernels::Table;
using support::sums;
using support::total;

namespace {

struct Expected {
  mpq_class sum;
  mpq_class products;
};

// sum last, sum first * last
template <class Real>
Expected expected(const std::vector<Real>& first, const std::vector<Real>& last) {
  oracle::ExactSum sum;
  oracle::ExactSum products;
  for (std::size_t i = 0; i < last.size(); ++i) {
    const mpq_class value(static_cast<double>(last[i]));
    sum.add(value);
    products.add_product(mpq_class(static_cast<double>(first[i])), value);
  }
  return {sum.value(), products.value()};
}

// What one lane adds up: addition i of n, of x and of dy, for exponents of zero.
struct Pattern {
  std::string name;
  std::function<double(std::size_t i, std::size_t n)> x;
  std::function<double(std::size_t i, std::size_t n)> dy;
};

// The same patterns with other signs: sums go up, go down, stay near zero.
std::vector<Pattern> with_signs(const std::vector<Pattern>& patterns) {
  std::vector<Pattern> all;
  const auto alternating = [](std::size_t i) { return i % 2 == 0 ? 1.0 : -1.0; };
  for (const Pattern& p : patterns) {
    all.push_back({p.name, p.x, p.dy});
    all.push_back(
        {p.name + ", products negative", p.x, [=](auto i, auto n) { return -p.dy(i, n); }});
    all.push_back({p.name + ", both negative", [=](auto i, auto n) { return -p.x(i, n); },
                   [=](auto i, auto n) { return -p.dy(i, n); }});
    all.push_back({p.name + ", products alternating", p.x,
                   [=](auto i, auto n) { return alternating(i) * p.dy(i, n); }});
    all.push_back({p.name + ", values alternating",
                   [=](auto i, auto n) { return alternating(i) * p.x(i, n); },
                   [=](auto i, auto n) { return alternating(i) * p.dy(i, n); }});
  }
  return all;
}

template <class Real>
std::vector<Pattern> patterns();

// float: significands s of 24 bits. At the top of the window, value = s * 2^-23, the first sum of
// products counts in 2^-41, which is 2^5 units of s * t; at the bottom, value = s * 2^-43, in 2^45
// of them.
//
// - s = 2^24 - 1 at the top makes the most of x and of the first sum of products: 2^8 times nearly
//   2^43 units.
// - s * t = 15 modulo 2^5, both nearly 2^24, does that and leaves the second sum nearly half a unit
//   of the first at every addition, always of the same sign. If the first sum then left its
//   exponent, s * t = 31 modulo 2^6 would leave it nearly a whole one.
// - s * s = 2^44 - few modulo 2^45 at the bottom leaves the second sum nearly 2^44 units of its own
//   at every addition: as much as there can be; and it is odd. `low` is the difference of the units
//   of the two sums, so that it is the worst for other grids, too.
//
// The last addition is always the smallest that there is, 2^-43 times an odd number: a sum of 53
// bits would have to round it off.
template <>
std::vector<Pattern> patterns<float>() {
  using Grid = kernels::Grid<float>;
  const auto at_top = [](double s) { return std::ldexp(s, -23); };
  const auto at_bottom = [](double s) { return std::ldexp(s, -23 - Grid::window); };
  const auto ended = [=](double value) {
    return [=](std::size_t i, std::size_t n) { return i + 1 < n ? value : at_bottom(0x800001); };
  };
  constexpr double kMost = 0xffffff;
  constexpr int kLow = Grid::product[0] - Grid::product[1];
  const std::int64_t below = (std::int64_t{1} << 47) + (std::int64_t{1} << (kLow - 1));
  auto s = static_cast<std::int64_t>(std::sqrt(static_cast<double>(below)));
  if (s % 2 == 0) --s;
  // 0xffffff * 0xfffff1 = 15 modulo 2^5, * 0xffffe1 = 31 modulo 2^6.
  const auto first_half = [](std::size_t i) { return i < 256; };
  return with_signs({{"the most", ended(at_top(kMost)), ended(at_top(kMost))},
                     {"the most at the bottom", ended(at_bottom(kMost)), ended(at_bottom(kMost))},
                     {"halves at the top", ended(at_top(kMost)),
                      [=](std::size_t i, std::size_t n) {
                        return i + 1 < n ? at_top(first_half(i) ? 0xfffff1 : 0xffffe1)
                                         : at_bottom(0x800001);
                      }},
                     {"halves at the bottom", ended(at_bottom(static_cast<double>(s))),
                      ended(at_bottom(static_cast<double>(s)))}});
}

// double: scaled below 1, a value is a * 2^-23 + b * 2^-47 + c * 2^-71.
//
// - 1 - 2^-24 + 2^-48 is a = 2^23, b = -2^23 (a tie, which goes to the even one), c = 2^23: a * c,
//   b * b and c * a are 2^46 each, so that the middle sum gains 3 * 2^46 at a time, the most that
//   there is. 31 of these are less than 2^53, 43 are more.
// - 1 - 2^-22 + 2^-24 is nearly the most of a, and b = 2^23: a * b and b * a add up in the second
//   sum.
// - 2^-19 * (2 - 2^-52) has all bits at the bottom of the window.
//
// The last addition is 2^-19 + 2^-47 at the bottom, a = 2^4 and b = 1: b * b is one unit of the
// middle sum, which a sum of more than 53 bits would have to round off.
template <>
std::vector<Pattern> patterns<double>() {
  constexpr double kMost = 1 - 0x1p-24 + 0x1p-48;
  constexpr double kSecond = 1 - 0x1p-22 + 0x1p-24;
  constexpr double kAll = 1 - 0x1p-53;
  constexpr double kBottom = 0x1p-19 * (2 - 0x1p-52);
  constexpr double kLast = 0x1p-19 + 0x1p-47;
  // Twice of what is said above, for exponents of 0.
  const auto ended = [](double value) {
    return [=](std::size_t i, std::size_t n) { return i + 1 < n ? 2 * value : 2 * kLast; };
  };
  return with_signs({{"the most of the middle sum", ended(kMost), ended(kMost)},
                     {"the most of the second sum", ended(kSecond), ended(kSecond)},
                     {"the most of both", ended(kMost), ended(kSecond)},
                     {"all bits", ended(kAll), ended(kAll)},
                     {"all bits at the bottom", ended(kBottom), ended(kBottom)},
                     {"the bottom and the most", ended(kBottom), ended(kMost)}});
}

template <class Real>
std::vector<Real> lane(const std::function<double(std::size_t, std::size_t)>& value, std::size_t n,
                       int e) {
  std::vector<Real> result(n);
  for (std::size_t i = 0; i < n; ++i) result[i] = static_cast<Real>(std::ldexp(value(i, n), e));
  return result;
}

// Exponents of x and of dy: what is summed must not depend on them.
template <class Real>
constexpr std::array<std::array<int, 2>, 3> kExponents = {
    {{0, 0},
     {std::numeric_limits<Real>::max_exponent - 2,
      std::numeric_limits<Real>::min_exponent - 1 + kernels::Grid<Real>::window},
     {std::numeric_limits<Real>::max_exponent - 1, 3}}};

template <class Real>
void check_runs(const Table& table) {
  using Grid = kernels::Grid<Real>;
  const auto& kernel = sums<Real>(table);
  const std::size_t additions = kernel.chunk_rows;  // as many for every lane of a run
  const std::size_t lanes = kernel.chunk / additions;
  for (const Pattern& pattern : patterns<Real>()) {
    for (const auto& e : kExponents<Real>) {
      const std::vector<Real> x_lane = lane<Real>(pattern.x, additions, e[0]);
      const std::vector<Real> dy_lane = lane<Real>(pattern.dy, additions, e[1]);
      std::vector<Real> x;
      std::vector<Real> dy;
      for (std::size_t i = 0; i < additions; ++i) {
        x.insert(x.end(), lanes, x_lane[i]);
        dy.insert(dy.end(), lanes, dy_lane[i]);
      }
      std::array<std::int64_t, std::size(Grid::sum)> sum;
      std::array<std::int64_t, std::size(Grid::product)> products;
      kernels::Extremes<Real> extremes[2];
      const Real* const arrays[2] = {x.data(), dy.data()};
      INFO(table.instruction_set << " " << pattern.name << " " << e[0] << " " << e[1]);
      kernel.along_run[0](arrays, x.size(), e.data(), sum.data(), products.data(), extremes);
      const Expected of_x = expected(x_lane, x_lane);
      REQUIRE(total(Grid::sum, e[0], sum.data(), 1) == of_x.sum * lanes);
      REQUIRE(total(Grid::product, 2 * e[0], products.data(), 1) == of_x.products * lanes);
      kernel.along_run[1](arrays, x.size(), e.data(), sum.data(), products.data(), extremes);
      const Expected of_dy = expected(x_lane, dy_lane);
      REQUIRE(total(Grid::sum, e[1], sum.data(), 1) == of_dy.sum * lanes);
      REQUIRE(total(Grid::product, e[0] + e[1], products.data(), 1) == of_dy.products * lanes);
    }
  }
}

// A pattern for every column, all side by side.
template <class Real>
void check_columns(const Table& table) {
  using Grid = kernels::Grid<Real>;
  const auto& kernel = sums<Real>(table);
  const std::size_t rows = kernel.chunk_rows;
  const std::vector<Pattern> all = patterns<Real>();
  constexpr std::size_t kWidth = 32;
  std::array<int, kWidth> e_x{};
  std::array<int, kWidth> e_dy{};
  std::vector<std::vector<Real>> x_lanes;
  std::vector<std::vector<Real>> dy_lanes;
  std::vector<Real> x(rows * kWidth);
  std::vector<Real> dy(rows * kWidth);
  for (std::size_t c = 0; c < kWidth; ++c) {
    const auto& e = kExponents<Real>[c % kExponents<Real>.size()];
    e_x[c] = e[0];
    e_dy[c] = e[1];
    const Pattern& pattern = all[c % all.size()];
    x_lanes.push_back(lane<Real>(pattern.x, rows, e[0]));
    dy_lanes.push_back(lane<Real>(pattern.dy, rows, e[1]));
    for (std::size_t r = 0; r < rows; ++r) {
      x[r * kWidth + c] = x_lanes[c][r];
      dy[r * kWidth + c] = dy_lanes[c][r];
    }
  }
  std::array<std::int64_t, std::size(Grid::sum) * kWidth> sum;
  std::array<std::int64_t, std::size(Grid::product) * kWidth> products;
  std::array<kernels::Extremes<Real>, kWidth> x_extremes;
  std::array<kernels::Extremes<Real>, kWidth> dy_extremes;
  const kernels::Matrix<Real> arrays[2] = {{x.data(), kWidth}, {dy.data(), kWidth}};
  const int* const e[2] = {e_x.data(), e_dy.data()};
  kernels::Extremes<Real>* const extremes[2] = {x_extremes.data(), dy_extremes.data()};
  const auto check = [&](const std::vector<std::vector<Real>>& last,
                         const std::size_t arrays_used) {
    kernel.down_columns[arrays_used - 1](arrays, rows, kWidth, e, sum.data(), products.data(),
                                         extremes);
    for (std::size_t c = 0; c < kWidth; ++c) {
      INFO(table.instruction_set << " " << all[c % all.size()].name << " column " << c);
      const Expected want = expected(x_lanes[c], last[c]);
      const int e_last = e[arrays_used - 1][c];
      REQUIRE(total(Grid::sum, e_last, &sum[c], kWidth) == want.sum);
      REQUIRE(total(Grid::product, e_x[c] + e_last, &products[c], kWidth) == want.products);
    }
  };
  check(x_lanes, 1);
  check(dy_lanes, 2);
}

}  // namespace

TEST_CASE(
    "Full chunks along a run are exact in the worst case of the proof, whatever their signs") {
  for (const Table* table : kernels::available()) {
    check_runs<float>(*table);
    check_runs<double>(*table);
  }
}

TEST_CASE("Full chunks of columns are exact in the worst case of the proof, whatever their signs") {
  for (const Table* table : kernels::available()) {
    check_columns<float>(*table);
    check_columns<double>(*table);
  }
}
