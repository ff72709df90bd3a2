#include "bn/tiles/exponent_window.hpp"

#include <cmath>
#include <vector>

#include "catch.hpp"

namespace {

template <class Real>
bn::ExponentRange<Real> range(const std::vector<Real>& values) {
  return bn::ExponentRange<Real>(bn::sum_kernels<Real>().extremes(values.data(), values.size()));
}

template <class Real>
void check_window() {
  constexpr int kWindow = bn::ExponentRange<Real>::kWindow;
  const auto power = [](int exponent) { return static_cast<Real>(std::ldexp(1.0, exponent)); };
  for (const int top : {-3, 0, 17}) {
    const auto full = range<Real>({power(top), -power(top - kWindow), 0});
    REQUIRE(full.highest == top);
    REQUIRE(full.lowest == top - kWindow);
    REQUIRE(full.fit(top));
    REQUIRE_FALSE(full.fit(top - 1));
    REQUIRE_FALSE(full.fit(top + 1));
    REQUIRE(full.predict(2) == top);  // no room above
    const auto wider = range<Real>({power(top), power(top - kWindow - 1)});
    REQUIRE_FALSE(wider.fit(top));
    REQUIRE(wider.predict(1) == top);
    const auto narrow = range<Real>({power(top), power(top - kWindow + 1)});
    REQUIRE(narrow.fit(top + 1));
    REQUIRE_FALSE(narrow.fit(top + 2));
    REQUIRE(narrow.predict(2) == top + 1);
    REQUIRE_FALSE(bn::ExponentRange<Real>::below_window(power(top - kWindow), top));
    REQUIRE(bn::ExponentRange<Real>::below_window(power(top - kWindow - 1), top));
    REQUIRE_FALSE(bn::ExponentRange<Real>::below_window(0, top));
  }
}

}  // namespace

TEST_CASE("Values fit a predicted exponent up to both edges of the window and no further") {
  check_window<float>();
  check_window<double>();
}

TEST_CASE("Zeros fit whatever is predicted, NaN and infinities are seen") {
  for (const int predicted : {-200, -100, 100}) REQUIRE(range<float>({0.0F, -0.0F}).fit(predicted));
  for (const int predicted : {-2000, 0, 1000}) REQUIRE(range<double>({0.0, -0.0}).fit(predicted));
  REQUIRE(range<float>({1.0F, std::numeric_limits<float>::max()}).finite);
  REQUIRE_FALSE(range<float>({1.0F, -std::numeric_limits<float>::infinity()}).finite);
  REQUIRE_FALSE(range<double>({std::nan(""), 1.0}).finite);
}

TEST_CASE("Subnormal values lie on the grid of the smallest normal exponent") {
  REQUIRE(range<float>({std::numeric_limits<float>::denorm_min()}).lowest == -126);
  REQUIRE(range<double>({std::numeric_limits<double>::denorm_min()}).lowest == -1022);
}
