#include "bn/tiles/channel_sums.hpp"

#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "bn/error.hpp"
#include "bn/kernels/kernels.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;
using data::Kind;

namespace {

bn::Block block(const data::Array& array, const View& view) {
  return {array.dtype(), {array.at(0), view.channel * view.inner * bn::item_size(array.dtype())}};
}

struct Expected {
  mpq_class values, products;
};

// sum last, sum first * last
Expected expected(const std::vector<mpq_class>& first, const std::vector<mpq_class>& last) {
  oracle::ExactSum values;
  oracle::ExactSum products;
  for (std::size_t i = 0; i < last.size(); ++i) {
    values.add(last[i]);
    products.add_product(first[i], last[i]);
  }
  return {values.value(), products.value()};
}

bool all_below(const std::vector<mpq_class>& values, int exponent) {
  const mpq_class bound = support::exact(bn::Dyadic(1, exponent));
  return std::all_of(values.begin(), values.end(),
                     [&](const mpq_class& value) { return abs(value) < bound; });
}

// "" or the first channel whose sums differ, or whose sizes are too small
std::string differs(const View& view, bn::ChannelSums& sums, const data::Array& first,
                    const data::Array& last) {
  for (std::size_t c = 0; c < view.channel; ++c) {
    const std::vector<mpq_class> of_first = first.channel(view, c);
    const std::vector<mpq_class> of_last = last.channel(view, c);
    const Expected want = expected(of_first, of_last);
    const bn::ChannelSums::Exact have = sums.take(c);
    if (support::exact(have.values) != want.values) return "values of " + std::to_string(c);
    if (support::exact(have.products) != want.products) return "products of " + std::to_string(c);
    const auto [below_first, below_last] = have.sizes.below;
    if (!all_below(of_first, below_first)) return "size of the first of " + std::to_string(c);
    if (!all_below(of_last, below_last)) return "size of the last of " + std::to_string(c);
  }
  return "";
}

std::string moments_differ(const View& view, const data::Array& x) {
  bn::ChannelSums sums({0, view.channel}, std::array{x.dtype()});
  sums.add(view, support::whole(view), std::array{block(x, view)});
  return differs(view, sums, x, x);
}

std::string products_differ(const View& view, const data::Array& x, const data::Array& dy) {
  bn::ChannelSums sums({0, view.channel}, std::array{x.dtype(), dy.dtype()});
  sums.add(view, support::whole(view), std::array{block(x, view), block(dy, view)});
  return differs(view, sums, x, dy);
}

// Along runs: around the lengths of vectors, of packed pieces and of the chunks of every
// instruction set. Across columns: around the width of vectors, of blocks of columns and of what is
// folded; rows around the chunks.
constexpr View kRuns[] = {{1, 1, 1},    {1, 1, 3},    {1, 2, 7},    {1, 1, 15},   {2, 2, 16},
                          {3, 1, 17},   {5, 2, 49},   {1, 2, 255},  {2, 1, 256},  {1, 1, 257},
                          {1, 1, 511},  {1, 1, 512},  {1, 1, 513},  {3, 1, 700},  {1, 1, 1023},
                          {1, 1, 1024}, {2, 1, 1025}, {1, 1, 2047}, {1, 1, 2048}, {1, 1, 2049},
                          {1, 1, 4097}};
constexpr View kColumns[] = {{1, 3, 1},    {40, 1, 1},   {700, 1, 1}, {33, 7, 1},  {130, 15, 1},
                             {129, 16, 1}, {31, 17, 1},  {33, 31, 1}, {32, 33, 1}, {16, 100, 1},
                             {17, 63, 1},  {17, 64, 1},  {9, 65, 1},  {3, 511, 1}, {2, 512, 1},
                             {3, 513, 1},  {2, 1000, 1}, {40, 3, 2},  {20, 5, 7},  {6, 9, 15},
                             {2, 70, 15},  {1, 1, 15}};

}  // namespace

TEST_CASE("Sums along runs are exact for every dtype and kind of data") {
  for (const Dtype dtype : data::kDtypes) {
    for (const Kind kind : data::kAll) {
      std::uint64_t variant = 0;
      for (const View& view : kRuns) {
        INFO(bn::name(dtype) << " " << data::name(kind) << " " << support::text(view));
        REQUIRE(moments_differ(view, data::make(dtype, view, kind, variant++)) == "");
      }
    }
  }
}

TEST_CASE("Sums across columns are exact for every dtype and kind of data") {
  for (const Dtype dtype : data::kDtypes) {
    for (const Kind kind : data::kAll) {
      std::uint64_t variant = 0;
      for (const View& view : kColumns) {
        INFO(bn::name(dtype) << " " << data::name(kind) << " " << support::text(view));
        REQUIRE(moments_differ(view, data::make(dtype, view, kind, variant++)) == "");
      }
    }
  }
}

TEST_CASE("Sums are exact on either side of the window's edge") {
  for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64}) {
    for (std::uint64_t variant = 0; variant < 3; ++variant) {  // spreads just in, at, just out
      for (const View& view :
           {View{1, 1, 16}, View{1, 2, 300}, View{1, 1, 4096}, View{400, 16, 1}, View{130, 5, 3}}) {
        INFO(bn::name(dtype) << " " << variant << " " << support::text(view));
        const data::Array x = data::make(dtype, view, Kind::window_edge, variant);
        REQUIRE(moments_differ(view, x) == "");
        REQUIRE(products_differ(view, x, data::make(dtype, view, Kind::window_edge, variant + 3)) ==
                "");
      }
    }
  }
}

TEST_CASE("Sums of products are exact for every pair of dtypes") {
  constexpr std::pair<Kind, Kind> kKinds[] = {{Kind::normal, Kind::normal},
                                              {Kind::far_mean, Kind::alternating},
                                              {Kind::mixed, Kind::normal},
                                              {Kind::drifting, Kind::alternating},
                                              {Kind::normal, Kind::drifting},
                                              {Kind::normal, Kind::mixed},
                                              {Kind::whole_range, Kind::whole_range},
                                              {Kind::extremes, Kind::extremes},
                                              {Kind::denormals, Kind::huge_and_tiny},
                                              {Kind::zeros, Kind::normal},
                                              {Kind::normal, Kind::zeros}};
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Dtype dy_dtype : data::kDtypes) {
      for (const auto& [x_kind, dy_kind] : kKinds) {
        for (const View& view : {View{2, 2, 49}, View{1, 1, 601}, View{37, 19, 1}, View{9, 2, 5}}) {
          INFO(bn::name(x_dtype) << " " << data::name(x_kind) << ", " << bn::name(dy_dtype) << " "
                                 << data::name(dy_kind) << " " << support::text(view));
          REQUIRE(products_differ(view, data::make(x_dtype, view, x_kind, 1),
                                  data::make(dy_dtype, view, dy_kind, 2)) == "");
        }
      }
    }
  }
}

TEST_CASE("Sums of products are exact at every length along runs and across columns") {
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    const auto check = [&](const View& view) {
      INFO(bn::name(dtype) << " " << support::text(view));
      REQUIRE(products_differ(view, data::make(dtype, view, Kind::normal, 1),
                              data::make(dtype, view, Kind::mixed, 2)) == "");
      REQUIRE(products_differ(view, data::make(dtype, view, Kind::drifting, 3),
                              data::make(dtype, view, Kind::drifting, 4)) == "");
    };
    for (const View& view : kRuns) check(view);
    for (const View& view : kColumns) check(view);
  }
}

TEST_CASE("Tiles of any shape, rows apart from one another, add up to the whole") {
  for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64, Dtype::int64}) {
    for (const View& view : {View{6, 5, 40}, View{50, 40, 1}, View{9, 8, 5}}) {
      INFO(bn::name(dtype) << " " << support::text(view));
      const data::Array x = data::make(dtype, view, Kind::mixed, 3);
      const std::size_t item = bn::item_size(dtype);
      bn::ChannelSums sums({0, view.channel}, std::array{dtype});
      const auto add = [&](bn::ChannelSums& to, const bn::Tile& tile) {
        to.add(view, tile,
               std::array{bn::Block{
                   dtype, {x.at(tile.position(view, 0)), view.channel * view.inner * item}}});
      };
      // Some channels through sums of their own, as another thread has them.
      const std::size_t c = view.channel / 3;
      bn::ChannelSums others({0, view.channel}, std::array{dtype});
      add(sums, {{0, view.outer}, {0, c}, {0, view.inner}});
      add(others, {{2, view.outer - 2}, {c, view.channel - c}, {0, view.inner}});
      add(others, {{0, 1}, {c, view.channel - c}, {0, view.inner}});
      for (std::size_t each = c; each < view.channel; ++each) {
        add(sums, {{1, 1}, {each, 1}, {0, view.inner / 2}});
        add(sums, {{1, 1}, {each, 1}, {view.inner / 2, view.inner - view.inner / 2}});
      }
      sums += others;
      REQUIRE(differs(view, sums, x, x) == "");

      // Everything was taken: the same memory serves other channels.
      sums.restart({1, view.channel - 2});
      add(sums, {{0, view.outer}, {1, view.channel - 2}, {0, view.inner}});
      for (std::size_t each = 1; each + 1 < view.channel; ++each) {
        const auto values = x.channel(view, each);
        REQUIRE(support::exact(sums.take(each).values) == expected(values, values).values);
      }
    }
  }
}

TEST_CASE("Full chunks of the most that a window holds are exact along runs and down columns") {
  // Addition i of every lane, see kernels/exact_sums_test.cpp: the last one is the least of the
  // window, so that what is predicted is the exponent of the others and no higher. Runs fill a
  // chunk; single columns are folded into as many as a call of the kernels takes.
  const auto check = []<class Real>(const bn::kernels::SumKernels<Real>& kernel, Dtype dtype,
                                    double most, double least) {
    const std::size_t additions = kernel.chunk_rows;
    for (const bool run : {true, false}) {
      const std::size_t lanes = run ? kernel.chunk / additions : bn::kernels::kMaxColumns<Real>;
      const std::size_t n = 2 * additions * lanes;
      const View view = run ? View{1, 1, n} : View{n, 1, 1};
      data::Array x(dtype, n);
      data::Array dy(dtype, n);
      for (std::size_t i = 0; i < n; ++i) {
        const double value = i / lanes % additions + 1 < additions ? most : least;
        x.set(i, value);
        dy.set(i, -value);
      }
      const mpq_class many(static_cast<unsigned long>(n - 2 * lanes));
      const mpq_class few(static_cast<unsigned long>(2 * lanes));
      const mpq_class sum = many * mpq_class(most) + few * mpq_class(least);
      const mpq_class squares =
          many * mpq_class(most) * mpq_class(most) + few * mpq_class(least) * mpq_class(least);
      INFO(bn::name(dtype) << " " << support::text(view));
      bn::ChannelSums of_x({0, 1}, std::array{dtype});
      of_x.add(view, support::whole(view), std::array{block(x, view)});
      const auto moments = of_x.take(0);
      REQUIRE(support::exact(moments.values) == sum);
      REQUIRE(support::exact(moments.products) == squares);
      bn::ChannelSums of_both({0, 1}, std::array{dtype, dtype});
      of_both.add(view, support::whole(view), std::array{block(x, view), block(dy, view)});
      const auto products = of_both.take(0);
      REQUIRE(support::exact(products.values) == -sum);
      REQUIRE(support::exact(products.products) == -squares);
    }
  };
  check(bn::kernels::table().float_sums, Dtype::float32, 2 - 0x1p-23, 0x1p-20 * (1 + 0x1p-23));
  check(bn::kernels::table().double_sums, Dtype::float64, 1 - 0x1p-24 + 0x1p-48, 0x1p-19 + 0x1p-47);
}

TEST_CASE("Values that are not finite are left out wherever they stand in a row") {
  // Rows are looked at in pieces of 256.
  for (const Dtype dtype : data::kFloating) {
    for (const View& view : {View{2, 1, 600}, View{2, 600, 1}}) {
      for (const std::size_t at : {0U, 255U, 256U, 257U, 511U, 512U, 599U, 600U, 1199U}) {
        INFO(bn::name(dtype) << " " << support::text(view) << " " << at);
        data::Array x = data::make(dtype, view, Kind::normal, 1);
        bn::ChannelSums clean({0, view.channel}, std::array{dtype}, bn::NonFinite::skip);
        REQUIRE_FALSE(clean.add(view, support::whole(view), std::array{block(x, view)}));
        data::Array zeroed = x;
        zeroed.set(at, 0);
        x.set(at, at % 2 == 0 ? std::nan("") : -std::numeric_limits<double>::infinity());
        bn::ChannelSums sums({0, view.channel}, std::array{dtype}, bn::NonFinite::skip);
        REQUIRE(sums.add(view, support::whole(view), std::array{block(x, view)}));
        REQUIRE(differs(view, sums, zeroed, zeroed) == "");
        bn::ChannelSums refusing({0, view.channel}, std::array{dtype});
        try {
          refusing.add(view, support::whole(view), std::array{block(x, view)});
          FAIL("no error");
        } catch (const bn::NonFiniteError& error) {
          REQUIRE(error.position == at);
        }
      }
    }
  }
}

TEST_CASE("Values that are not finite are left out of the sums of products, of x and of dy") {
  const View view{2, 1, 600};
  for (const Dtype dtype : data::kFloating) {
    data::Array x = data::make(dtype, view, Kind::normal, 1);
    data::Array dy = data::make(dtype, view, Kind::normal, 2);
    data::Array x_zeroed = x;
    data::Array dy_zeroed = dy;
    for (const std::size_t at : {5U, 255U, 600U, 1199U}) {
      x.set(at, std::nan(""));
      x_zeroed.set(at, 0);
      dy.set(at - 1, std::numeric_limits<double>::infinity());
      dy_zeroed.set(at - 1, 0);
    }
    bn::ChannelSums sums({0, 1}, std::array{dtype, dtype}, bn::NonFinite::skip);
    INFO(bn::name(dtype));
    REQUIRE(sums.add(view, support::whole(view), std::array{block(x, view), block(dy, view)}));
    REQUIRE(differs(view, sums, x_zeroed, dy_zeroed) == "");
  }
}

// Predicted exponents are a few more than those of the values.
TEST_CASE("The sizes of ordinary values are known well, and forgotten with the sums") {
  for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64}) {
    for (const View& view : {View{5, 2, 3000}, View{9000, 2, 1}}) {
      const data::Array x = data::make(dtype, view, Kind::normal, 0);
      bn::ChannelSums sums({0, view.channel}, std::array{x.dtype()});
      sums.add(view, support::whole(view), std::array{block(x, view)});
      for (std::size_t c = 0; c < view.channel; ++c) {
        const std::vector<mpq_class> values = x.channel(view, c);
        const auto largest = std::max_element(
            values.begin(), values.end(),
            [](const mpq_class& a, const mpq_class& b) { return abs(a) < abs(b); });
        const double size = std::abs(largest->get_d());
        INFO(bn::name(dtype) << " " << support::text(view) << " " << size);
        REQUIRE(sums.take(c).sizes.below[0] <= std::ilogb(size) + 1 + 5);
      }
      REQUIRE(sums.take(0).sizes.below[0] == bn::Sizes::kNone);
    }
  }
}

TEST_CASE("Misaligned rows are summed as aligned ones are") {
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (std::size_t first = 0; first < 5; ++first) {
      const View view{4, 1, 600};
      const data::Array x = data::make(dtype, view, Kind::normal, first);
      const bn::Tile tile{{0, 4}, {0, 1}, {first, 500 + first}};
      bn::ChannelSums sums({0, 1}, std::array{dtype});
      sums.add(view, tile,
               std::array{bn::Block{dtype, {x.at(first), view.inner * bn::item_size(dtype)}}});
      oracle::ExactSum want;
      for (std::size_t r = 0; r < 4; ++r) {
        for (std::size_t i = 0; i < 500 + first; ++i) want.add(x.exact(r * 600 + first + i));
      }
      REQUIRE(support::exact(sums.take(0).values) == want.value());
    }
  }
}
