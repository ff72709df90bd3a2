#include "bn/arrays/elements.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using data::Array;

namespace {

mpz_class gmp(bn::Int128 value) {
  const mpz_class high(static_cast<long>(value >> 64));
  const mpz_class low(static_cast<unsigned long>(static_cast<std::uint64_t>(value)));
  return (high << 64) + low;
}

}  // namespace

TEST_CASE("Every finite element decodes to its value") {
  for (const Dtype dtype : data::kDtypes) {
    for (const data::Kind kind : data::kAll) {
      const Array x = data::make(dtype, {200, 1, 1}, kind, 1);
      for (std::size_t i = 0; i < x.size(); ++i) {
        const bn::Decoded decoded = bn::decode(dtype, x.at(i));
        mpq_class value(gmp(decoded.value));
        value *= support::exact(bn::Dyadic(bn::Integer(1), decoded.exponent));
        REQUIRE(value == x.exact(i));
        REQUIRE(bn::non_finite(dtype, x.at(i)) == 0);
      }
    }
  }
}

TEST_CASE("Elements widen to float or double exactly where their dtype fits") {
  for (const Dtype dtype : data::kDtypes) {
    const std::size_t n = 100;
    const Array x = data::make(dtype, {n, 1, 1}, data::Kind::whole_range, 1);
    if (bn::fits_float(dtype)) {
      std::vector<float> scratch(n);
      const float* values = bn::widen<float>(dtype, x.at(0), n, scratch.data());
      for (std::size_t i = 0; i < n; ++i) {
        REQUIRE(mpq_class(static_cast<double>(values[i])) == x.exact(i));
      }
      REQUIRE(bn::fits_double(dtype));
    }
    if (bn::fits_double(dtype)) {
      std::vector<double> scratch(n);
      const double* values = bn::widen<double>(dtype, x.at(0), n, scratch.data());
      for (std::size_t i = 0; i < n; ++i) REQUIRE(mpq_class(values[i]) == x.exact(i));
    }
  }
  REQUIRE_FALSE(bn::fits_double(Dtype::int64));
  REQUIRE_FALSE(bn::fits_double(Dtype::uint64));
  REQUIRE_FALSE(bn::fits_float(Dtype::int32));
  REQUIRE_FALSE(bn::fits_float(Dtype::uint32));
}

TEST_CASE("A bool is the integer 0 or 1") {
  const std::array<std::byte, 2> bools = {std::byte{0}, std::byte{1}};
  std::array<float, 2> floats{};
  std::array<double, 2> doubles{};
  REQUIRE(bn::widen<float>(Dtype::boolean, bools.data(), 2, floats.data()) == floats.data());
  REQUIRE(bn::widen<double>(Dtype::boolean, bools.data(), 2, doubles.data()) == doubles.data());
  for (std::size_t i = 0; i < 2; ++i) {
    REQUIRE(bn::decode(Dtype::boolean, &bools[i]).value == static_cast<int>(i));
    REQUIRE(bn::as_double(Dtype::boolean, &bools[i]) == static_cast<double>(i));
    REQUIRE(static_cast<double>(floats[i]) == static_cast<double>(i));
    REQUIRE(doubles[i] == static_cast<double>(i));
  }
  REQUIRE(bn::fits_float(Dtype::boolean));
  REQUIRE(bn::fits_double(Dtype::boolean));
  REQUIRE_FALSE(bn::is_floating(Dtype::boolean));
}

TEST_CASE("NaN and infinity of every floating dtype are found") {
  for (const Dtype dtype : data::kFloating) {
    Array x(dtype, 3);
    x.set(0, std::nan(""));
    x.set(1, std::numeric_limits<double>::infinity());
    x.set(2, -std::numeric_limits<double>::infinity());
    REQUIRE(std::isnan(bn::non_finite(dtype, x.at(0))));
    REQUIRE(bn::non_finite(dtype, x.at(1)) == std::numeric_limits<double>::infinity());
    REQUIRE(bn::non_finite(dtype, x.at(2)) == -std::numeric_limits<double>::infinity());
  }
}

TEST_CASE("The library's names and sizes of dtypes are NumPy's") {
  REQUIRE(bn::name(Dtype::float16) == "float16");
  REQUIRE(bn::name(Dtype::uint64) == "uint64");
  REQUIRE(bn::name(Dtype::int8) == "int8");
  REQUIRE(bn::item_size(Dtype::float16) == 2);
  REQUIRE(bn::item_size(Dtype::float64) == 8);
  REQUIRE(bn::item_size(Dtype::uint32) == 4);
  REQUIRE(bn::item_size(Dtype::int8) == 1);
  REQUIRE(bn::is_floating(Dtype::float64));
  REQUIRE_FALSE(bn::is_floating(Dtype::int8));
}

TEST_CASE(
    "Integers of eight bytes are doubles where that is exact, else NaN, and always exact values") {
  const std::int64_t two_53 = std::int64_t{1} << 53;
  for (const std::int64_t value :
       {std::int64_t{0}, std::int64_t{-1}, two_53 - 1, two_53, two_53 + 1, two_53 + 2, -two_53,
        -two_53 - 1, INT64_MAX, INT64_MIN}) {
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    for (const Dtype dtype : {Dtype::int64, Dtype::uint64}) {
      double scratch = 0;
      const double have = *bn::widen<double>(dtype, bytes, 1, &scratch);
      const mpq_class exact = oracle::value(dtype, bytes);
      const double rounded = oracle::nearest(exact);
      INFO(value << " " << bn::name(dtype));
      if (mpq_class(rounded) == exact) {
        REQUIRE(have == rounded);
      } else {
        REQUIRE(std::isnan(have));
      }
      REQUIRE(support::exact(bn::exact_value(dtype, bytes)) == exact);
    }
  }
}

TEST_CASE("What is not finite has the same bits in every place") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Dtype dtype : data::kFloating) {
    data::Array array(dtype, 4);
    bn::set_non_finite(dtype, infinity, array.at(0));
    bn::set_non_finite(dtype, -infinity, array.at(1));
    bn::set_non_finite(dtype, -std::nan("5"), array.at(2));
    bn::set_non_finite(dtype, std::nan(""), array.at(3));
    REQUIRE(array.get(0) == infinity);
    REQUIRE(array.get(1) == -infinity);
    REQUIRE(std::isnan(array.get(2)));
    REQUIRE(std::memcmp(array.at(2), array.at(3), bn::item_size(dtype)) == 0);
  }
}
