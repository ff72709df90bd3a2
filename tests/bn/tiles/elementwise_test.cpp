#include "bn/tiles/elementwise.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;

namespace {

// y = x - c for channel c.
struct LessChannel : bn::AffineChannels {
  explicit LessChannel(std::size_t channels) : bn::AffineChannels(channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      of.mean[c] = static_cast<double>(c);
      of.scale[c] = 1;
    }
  }
};

bn::Block block(const data::Array& array, const View& view) {
  return {array.dtype(), {array.at(0), view.channel * view.inner * bn::item_size(array.dtype())}};
}

bn::MutableRows rows(data::Array& array, const View& view) {
  return {.data = array.at(0), .stride = view.channel * view.inner * bn::item_size(array.dtype())};
}

}  // namespace

// Around the widths of vectors, of narrow rows that are taken several at a time, and of pieces.
TEST_CASE("Every element gets the constants of its own channel, whatever the shape and dtypes") {
  for (const View& view :
       {View{5, 3, 1}, View{700, 3, 1}, View{40, 127, 1}, View{40, 129, 1}, View{3, 2000, 1},
        View{30, 5, 7}, View{9, 11, 15}, View{4, 3, 16}, View{2, 3, 1025}}) {
    for (const Dtype from : {Dtype::float16, Dtype::float32, Dtype::float64, Dtype::int16}) {
      for (const Dtype to : {Dtype::float16, Dtype::float32, Dtype::float64}) {
        INFO(support::text(view) << " " << bn::name(from) << " " << bn::name(to));
        data::Array x(from, view.size());
        for (std::size_t i = 0; i < x.size(); ++i) x.set(i, static_cast<double>(i % 1021));
        data::Array y(to, view.size());
        const std::size_t overflows = bn::normalise(support::whole(view), block(x, view),
                                                    LessChannel(view.channel), to, rows(y, view));
        REQUIRE(overflows == 0);
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < y.size(); ++i) {
          const double channel = static_cast<double>(i / view.inner % view.channel);
          wrong += y.get(i) == static_cast<double>(i % 1021) - channel ? 0 : 1;
        }
        REQUIRE(wrong == 0);
      }
    }
  }
}

TEST_CASE("Rescaled channels stand beside others, along runs and across columns") {
  for (const View& view : {View{50, 6, 1}, View{3, 6, 40}}) {
    bn::AffineChannels constants(view.channel);
    for (std::size_t c = 0; c < view.channel; ++c) {
      const double factor = c % 2 == 0 ? 1 : 0x1p512;
      constants.rescaling.set(c, {0, factor});
      constants.of.scale[c] = 1 / factor;
    }
    data::Array x = data::make(Dtype::float64, view, data::Kind::normal, 1);
    data::Array y(Dtype::float64, view.size());
    REQUIRE(bn::normalise(support::whole(view), block(x, view), constants, Dtype::float64,
                          rows(y, view)) == 0);
    REQUIRE(y == x);
  }
}

TEST_CASE("Overflows are told from what was not finite before, in every piece and in place of x") {
  // Pieces of 1024: the values at their ends.
  const View view{1, 1, 2100};
  LessChannel constants(1);
  constants.of.scale[0] = 1e300;
  data::Array x(Dtype::float64, view.size());
  for (const std::size_t at : {0U, 1023U, 1024U, 2047U, 2048U, 2099U}) x.set(at, 1e39);
  for (const std::size_t at : {1U, 1022U, 1025U, 2046U, 2049U, 2098U}) {
    x.set(at, at % 2 == 0 ? std::nan("") : std::numeric_limits<double>::infinity());
  }
  data::Array y(Dtype::float64, view.size());
  const auto normalise = [&](const data::Array& from, data::Array& to) {
    return bn::normalise(support::whole(view), block(from, view), constants, Dtype::float64,
                         rows(to, view));
  };
  REQUIRE(normalise(x, y) == 6);
  data::Array in_place = x;
  REQUIRE(normalise(in_place, in_place) == 6);
  REQUIRE(in_place == y);
}

TEST_CASE("Only what became infinite of finite values is counted, and all NaN are alike") {
  const View view{1, 1, 40};
  data::Array x(Dtype::float64, view.size());
  x.set(3, 1e39);
  x.set(17, -1e39);
  x.set(20, -std::nan(""));
  x.set(21, std::numeric_limits<double>::infinity());
  for (const bool in_place : {false, true}) {
    const Dtype to = in_place ? Dtype::float64 : Dtype::float32;
    LessChannel constants(1);
    if (in_place) constants.of.scale[0] = 1e300;
    data::Array y = in_place ? x : data::Array(to, view.size());
    const bn::Block from = in_place ? block(y, view) : block(x, view);
    REQUIRE(bn::normalise(support::whole(view), from, constants, to, rows(y, view)) == 2);
    REQUIRE(std::isinf(y.get(3)));
    REQUIRE(std::isnan(y.get(20)));
    REQUIRE_FALSE(std::signbit(y.get(20)));
    REQUIRE(y.get(4) == 0);
  }
}
