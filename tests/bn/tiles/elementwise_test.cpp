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

// y = factor * (x - c) for channel c.
class LessChannel : public bn::ExactChannels {
 public:
  explicit LessChannel(std::size_t channels, double factor = 1)
      : channels_(channels), factor_(factor) {}

  [[nodiscard]] bn::ExactChannel exact(std::size_t c) const override {
    return {.offset = 0,
            .factor = factor_,
            .terms = {{{bn::Dyadic(1.0), bn::Dyadic(static_cast<double>(c))}, {}}},
            .variance = bn::Dyadic(1.0)};
  }
  bn::Counts operator()(const View& view, const data::Array& x, data::Array& y) const {
    bn::ChannelConstants constants(channels_, 1, y.dtype());
    for (std::size_t c = 0; c < channels_; ++c) {
      constants.set(c, exact(c), static_cast<double>(c), nullptr);
    }
    const std::array operands{block(x, view)};
    return bn::results(support::whole(view), operands, constants, *this, y.dtype(), rows(y, view));
  }

 private:
  static bn::Block block(const data::Array& array, const View& view) {
    return {array.dtype(), {array.at(0), view.channel * view.inner * bn::item_size(array.dtype())}};
  }
  static bn::MutableRows rows(data::Array& array, const View& view) {
    return {.data = array.at(0),
            .stride = view.channel * view.inner * bn::item_size(array.dtype())};
  }

  std::size_t channels_;
  double factor_;
};

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
        REQUIRE(LessChannel(view.channel)(view, x, y).overflows == 0);
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

TEST_CASE("Overflows are told from what was not finite before, in every piece and in place of x") {
  // Pieces of 1024: the values at their ends.
  const View view{1, 1, 2100};
  const LessChannel scaled(1, 1e300);
  data::Array x(Dtype::float64, view.size());
  for (const std::size_t at : {0U, 1023U, 1024U, 2047U, 2048U, 2099U}) x.set(at, 1e39);
  for (const std::size_t at : {1U, 1022U, 1025U, 2046U, 2049U, 2098U}) {
    x.set(at, at % 2 == 0 ? std::nan("") : std::numeric_limits<double>::infinity());
  }
  data::Array y(Dtype::float64, view.size());
  REQUIRE(scaled(view, x, y).overflows == 6);
  data::Array in_place = x;
  REQUIRE(scaled(view, in_place, in_place).overflows == 6);
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
    data::Array y = in_place ? x : data::Array(to, view.size());
    REQUIRE(LessChannel(1, in_place ? 1e300 : 1)(view, in_place ? y : x, y).overflows == 2);
    REQUIRE(std::isinf(y.get(3)));
    REQUIRE(std::isnan(y.get(20)));
    REQUIRE_FALSE(std::signbit(y.get(20)));
    REQUIRE(y.get(4) == 0);
  }
}
