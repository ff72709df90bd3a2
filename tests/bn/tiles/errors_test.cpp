#include "bn/tiles/errors.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::Errors;
using bn::Tile;
using bn::View;
using data::Array;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();
const double kMax = std::numeric_limits<double>::max();

mpq_class power(int exponent) {
  mpq_class result(1);
  const auto shift = static_cast<mp_bitcnt_t>(std::abs(exponent));
  (exponent < 0 ? mpq_div_2exp : mpq_mul_2exp)(result.get_mpq_t(), result.get_mpq_t(), shift);
  return result;
}

struct OfDtype {
  int digits, lowest, highest;
};
OfDtype of(Dtype dtype) {
  if (dtype == Dtype::float16) return {11, -24, 16};
  return dtype == Dtype::float32 ? OfDtype{24, -149, 128} : OfDtype{53, -1074, 1024};
}

// An infinity is the first power of two that the dtype does not hold, and so is what is larger.
mpq_class limited(Dtype dtype, double value) {
  const mpq_class most = power(of(dtype).highest);
  const mpq_class size = std::isinf(value) ? most : mpq_class(std::abs(value));
  const mpq_class result = std::min(size, most);
  return std::signbit(value) ? mpq_class(-result) : result;
}

mpq_class unit(Dtype dtype, const mpq_class& size) {
  int exponent = of(dtype).lowest + of(dtype).digits - 1;
  while (power(exponent + 1) <= size) ++exponent;
  return power(exponent - of(dtype).digits + 1);
}

// To a multiple of 2^-20, ties to even.
mpq_class rounded(const mpq_class& error) {
  const mpq_class units = abs(error) * power(20);
  mpz_class whole = units.get_num() / units.get_den();
  const mpq_class rest = units - whole;
  const mpq_class half(1, 2);
  if (rest > half || (rest == half && mpz_odd_p(whole.get_mpz_t()) != 0)) ++whole;
  const mpq_class size = std::min(mpq_class(mpq_class(whole) / power(20)), power(63));
  return sgn(error) < 0 ? mpq_class(-size) : size;
}

struct Want {
  std::uint64_t values = 0, beyond = 0, nan = 0;
  std::optional<Errors::Worst> worst;
  double worst_plain = 0;
  mpq_class sum, sum_of_sizes;

  void add(Dtype dtype, double claimed, double exact, double size, double tolerance,
           std::size_t position) {
    ++values;
    if (std::isnan(claimed)) {
      ++nan;
      ++beyond;
      worst_plain = kInfinity;
      offer(kInfinity, position, claimed, exact);
      return;
    }
    const mpq_class right = limited(dtype, exact);
    const mpq_class difference = limited(dtype, claimed) - right;
    // The difference is rounded to the digits of a double, whatever its size.
    const double about = oracle::nearest(difference);
    const mpq_class used = std::isinf(about)
                               ? mpq_class(oracle::nearest(difference / power(10)) * power(10))
                               : mpq_class(about);
    const mpq_class error = used / unit(dtype, std::isinf(size) ? power(1024) : mpq_class(size));
    const double as_double = oracle::nearest(error);
    if (std::abs(as_double) > tolerance) ++beyond;
    worst_plain = std::max(worst_plain, oracle::nearest(abs(used) / unit(dtype, abs(right))));
    offer(as_double, position, claimed, exact);
    sum += rounded(error);
    sum_of_sizes += rounded(abs(error));
  }

  void offer(double error, std::size_t position, double claimed, double exact) {
    if (worst && std::abs(error) <= std::abs(worst->error)) return;
    worst = Errors::Worst{error, position, claimed, exact};
  }
};

std::string differs(const Errors& have, const Want& want) {
  if (have.values != want.values) return "values";
  if (have.beyond != want.beyond) return "beyond";
  if (have.nan != want.nan) return "nan";
  if (have.worst.has_value() != want.worst.has_value()) return "worst";
  if (have.worst) {
    if (have.worst->position != want.worst->position) return "the position of the worst";
    if (have.worst->error != want.worst->error) return "the worst error";
    if (!support::same_bits(have.worst->claimed, want.worst->claimed)) return "what is claimed";
    if (!support::same_bits(have.worst->exact, want.worst->exact)) return "what is exact";
  }
  if (have.worst_plain != want.worst_plain) return "worst_plain";
  if (support::exact(have.sum) != want.sum) return "sum";
  if (support::exact(have.sum_of_sizes) != want.sum_of_sizes) return "sum_of_sizes";
  return "";
}

// The largest of |exact + shift|, the least size of the channel, and the operand.
class Sizes final : public bn::TermSizes {
 public:
  explicit Sizes(std::size_t channels) : constants_(2, std::vector<double>(channels)) {
    for (std::size_t c = 0; c < channels; ++c) {
      constants_[0][c] = c % 3 == 1 ? 2.5 * static_cast<double>(c) : 0;
      constants_[1][c] = c % 4 == 2 ? 3 : 0;
    }
  }
  [[nodiscard]] std::span<const std::vector<double>> constants() const override {
    return constants_;
  }
  void fill(const Values& values, double* sizes) const override {
    const auto* operand = reinterpret_cast<const float*>(values.operands[0].at);
    for (std::size_t i = 0; i < values.n; ++i) {
      const std::size_t column = i % values.columns;
      sizes[i] = std::max({std::abs(values.exact[i] + values.of_columns[0][column]),
                           values.of_columns[1][column], static_cast<double>(operand[i])});
    }
  }
  [[nodiscard]] double size(std::size_t c, double exact, double operand) const {
    return std::max({std::abs(exact + constants_[0][c]), constants_[1][c], operand});
  }

 private:
  std::vector<std::vector<double>> constants_;
};

enum class Change { rounding, wrong, zeros, non_finite, hostile };
constexpr Change kChanges[] = {Change::rounding, Change::wrong, Change::zeros, Change::non_finite,
                               Change::hostile};

struct Arrays {
  Array claim, exact, operand;
};

Arrays make(Dtype dtype, const View& view, Change change, data::Random& random) {
  Arrays all{Array(dtype, view.size()), Array(Dtype::float64, view.size()),
             Array(Dtype::float32, view.size())};
  for (std::size_t i = 0; i < view.size(); ++i) {
    double exact = random.normal();
    double claimed = exact;
    if (change == Change::wrong) claimed = exact * 1.5 + 0.25;
    if (change == Change::zeros && random.below(2) == 0) exact = claimed = 0;
    if (change == Change::non_finite && random.below(40) == 0) {
      claimed = std::array{kNan, kInfinity, -kInfinity, 0.0, -0.0}[random.below(5)];
    }
    if (change == Change::hostile) {
      const auto any = [&] {
        const double size = std::ldexp(random.unit(), random.between(-1080, 1024));
        return random.below(2) == 0 ? -size : size;
      };
      exact = random.below(20) == 0 ? kInfinity : any();
      claimed = random.below(2) == 0 ? exact * (1 + 1e-7) : any();
      if (random.below(20) == 0) claimed = kMax;
    }
    all.claim.set(i, claimed);
    all.exact.set(i, exact);
    all.operand.set(i, random.below(4) == 0 ? random.unit() * 4 : 0);
  }
  return all;
}

bn::Block block(const Array& array, const View& view, const Tile& tile) {
  const std::size_t item = bn::item_size(array.dtype());
  const std::byte* data = view.size() == 0 ? nullptr : array.at(tile.position(view, 0));
  return {array.dtype(), {data, view.channel * view.inner * item}};
}

std::vector<double> tolerances(std::size_t channels) {
  std::vector<double> all;
  for (std::size_t c = 0; c < channels; ++c) all.push_back(0.125 * static_cast<double>(1 + c % 4));
  return all;
}

void add(bn::ErrorSums& sums, const Arrays& arrays, const View& view, const Tile& tile) {
  const bn::Block operand = block(arrays.operand, view, tile);
  sums.add(view, tile, {block(arrays.claim, view, tile), block(arrays.exact, view, tile)},
           {&operand, 1});
}

std::string errors_differ(const std::vector<Errors>& have, const Arrays& arrays, const View& view,
                          const Sizes& sizes) {
  const auto limits = tolerances(view.channel);
  for (std::size_t c = 0; c < view.channel; ++c) {
    Want want;
    for (const std::size_t i : arrays.claim.positions(view, c)) {
      const double exact = arrays.exact.get(i);
      want.add(arrays.claim.dtype(), arrays.claim.get(i), exact,
               sizes.size(c, exact, arrays.operand.get(i)), limits[c], i);
    }
    const std::string wrong = differs(have[c], want);
    if (!wrong.empty()) return "channel " + std::to_string(c) + ": " + wrong;
  }
  return "";
}

}  // namespace

TEST_CASE("An ulp is the step between the values of a dtype") {
  REQUIRE(bn::ulp_at(Dtype::float32, 1) == 0x1p-23);
  REQUIRE(bn::ulp_at(Dtype::float32, std::nextafter(2.0, 0.0)) == 0x1p-23);
  REQUIRE(bn::ulp_at(Dtype::float32, 2) == 0x1p-22);
  REQUIRE(bn::ulp_at(Dtype::float16, 65504) == 32);
  REQUIRE(bn::ulp_at(Dtype::float16, 65536) == 64);
  REQUIRE(bn::ulp_at(Dtype::float64, kMax) == 0x1p971);
  for (const double small : {0.0, 5e-324, 1e-310}) {
    REQUIRE(bn::ulp_at(Dtype::float16, small) == 0x1p-24);
    REQUIRE(bn::ulp_at(Dtype::float32, small) == 0x1p-149);
    REQUIRE(bn::ulp_at(Dtype::float64, small) == 0x1p-1074);
  }
}

TEST_CASE("The error of one value is measured at its size, and plain at the exact value's") {
  const Errors errors = bn::errors_of_one(Dtype::float32, 1.25, 1, 16, 1000, 7);
  REQUIRE(errors.worst->error == 0.25 / 0x1p-19);
  REQUIRE(errors.worst_plain == 0.25 / 0x1p-23);
  REQUIRE(errors.worst->position == 7);
  REQUIRE(errors.worst->claimed == 1.25);
  REQUIRE(errors.worst->exact == 1);
  REQUIRE(errors.values == 1);
  REQUIRE(errors.beyond == 1);
  REQUIRE(bn::mean_size(errors) == 0.25 / 0x1p-19);
  REQUIRE(bn::errors_of_one(Dtype::float32, 0.75, 1, 16, 0.25 / 0x1p-19, 0).beyond == 0);
  REQUIRE(bn::bias(bn::errors_of_one(Dtype::float32, 0.75, 1, 16, 1, 0)) == -0.25 / 0x1p-19);
}

TEST_CASE(
    "An infinity is as far from the exact value as the first power of two that is too large") {
  const auto error = [](Dtype dtype, double claimed, double exact) {
    return bn::errors_of_one(dtype, claimed, exact, std::abs(exact), 1, 0).worst->error;
  };
  REQUIRE(error(Dtype::float16, kInfinity, 65530) == 6.0 / 32);
  REQUIRE(error(Dtype::float16, -kInfinity, -65530) == -6.0 / 32);
  REQUIRE(error(Dtype::float16, kInfinity, 1e6) == 0);
  REQUIRE(error(Dtype::float16, 65504, 1e6) == -32.0 / 512);
  REQUIRE(error(Dtype::float16, kInfinity, 1) == 65535.0 / 0x1p-10);
  REQUIRE(error(Dtype::float32, kInfinity, 0x1p128 - 0x1p103) == 0.5);
  REQUIRE(error(Dtype::float64, kInfinity, kMax) == 1);
  REQUIRE(error(Dtype::float64, kInfinity, kInfinity) == 0);
  REQUIRE(error(Dtype::float64, kMax, kInfinity) == -0.5);
  REQUIRE(error(Dtype::float64, -kMax, kMax) == -0x1p54 + 2);
}

TEST_CASE("NaN is beyond every tolerance, and no part of the mean") {
  const Errors errors = bn::errors_of_one(Dtype::float32, kNan, 1, 1, kInfinity, 3);
  REQUIRE(errors.nan == 1);
  REQUIRE(errors.beyond == 1);
  REQUIRE(std::isinf(errors.worst->error));
  REQUIRE(std::isnan(errors.worst->claimed));
  REQUIRE(bn::mean_size(errors) == 0);
  REQUIRE(bn::bias(errors) == 0);
  Errors both = errors;
  both += bn::errors_of_one(Dtype::float32, 1 + 0x1p-23, 1, 1, 1, 1);
  REQUIRE(both.values == 2);
  REQUIRE(both.worst->position == 3);
  REQUIRE(bn::mean_size(both) == 1);
}

TEST_CASE("Where sizes are 0 or subnormal the steps are those of subnormal values") {
  for (const Dtype dtype : data::kFloating) {
    const double step = std::ldexp(1, of(dtype).lowest);
    REQUIRE(bn::errors_of_one(dtype, 3 * step, 0, 0, 1, 0).worst->error == 3);
    REQUIRE(bn::errors_of_one(dtype, step, 3 * step, 3 * step, 1, 0).worst->error == -2);
    REQUIRE(bn::errors_of_one(dtype, 0, 0, 0, 0, 0).beyond == 0);
  }
}

TEST_CASE("Errors of tiles are those of exact arithmetic for every dtype, layout and change") {
  data::Random random(1);
  for (const Dtype dtype : data::kFloating) {
    for (const View& view : {View{2, 3, 1200}, View{3, 2, 33}, View{200, 5, 1}, View{40, 3, 7},
                             View{7, 300, 1}, View{5, 60, 9}, View{1, 1, 1}, View{90, 1, 1}}) {
      for (const Change change : kChanges) {
        const Arrays arrays = make(dtype, view, change, random);
        const Sizes sizes(view.channel);
        const auto limits = tolerances(view.channel);
        bn::ErrorSums sums(dtype, limits, sizes);
        add(sums, arrays, view, support::whole(view));
        INFO(bn::name(dtype) << " " << support::text(view) << " " << static_cast<int>(change));
        REQUIRE(errors_differ(sums.take(), arrays, view, sizes) == "");
      }
    }
  }
}

TEST_CASE("Errors do not depend on tiles, their order, or which sums they are added to") {
  data::Random random(2);
  for (const Change change : kChanges) {
    for (const View& view : {View{6, 4, 50}, View{60, 5, 2}, View{9, 290, 1}}) {
      const Arrays arrays = make(Dtype::float32, view, change, random);
      const Sizes sizes(view.channel);
      const auto limits = tolerances(view.channel);
      bn::ErrorSums some(Dtype::float32, limits, sizes);
      bn::ErrorSums others(Dtype::float32, limits, sizes);
      std::vector<Tile> tiles;
      for (std::size_t o = 0; o < view.outer; o += 3) {
        for (std::size_t c = 0; c < view.channel; c += 2) {
          const bn::Range channels{c, std::min<std::size_t>(2, view.channel - c)};
          tiles.push_back(
              {{o, std::min<std::size_t>(3, view.outer - o)}, channels, {0, view.inner}});
        }
      }
      while (!tiles.empty()) {
        const std::size_t next = random.below(tiles.size());
        add(random.below(2) == 0 ? some : others, arrays, view, tiles[next]);
        tiles.erase(tiles.begin() + static_cast<std::ptrdiff_t>(next));
      }
      some += others;
      INFO(support::text(view) << " " << static_cast<int>(change));
      REQUIRE(errors_differ(some.take(), arrays, view, sizes) == "");
    }
  }
}

TEST_CASE("Plain errors of exact zeros are those in subnormal steps") {
  const View view{1, 1, 40};
  for (const Dtype dtype : data::kFloating) {
    Arrays arrays{Array(dtype, 40), Array(Dtype::float64, 40), Array(Dtype::float32, 40)};
    for (std::size_t i = 0; i < 40; ++i) arrays.operand.set(i, 1);
    arrays.claim.set(30, 0x1p-24);
    const Sizes sizes(1);
    const auto limits = tolerances(1);
    bn::ErrorSums sums(dtype, limits, sizes);
    add(sums, arrays, view, support::whole(view));
    REQUIRE(sums.take()[0].worst_plain == std::ldexp(1, -24 - of(dtype).lowest));
    REQUIRE(errors_differ(sums.take(), arrays, view, sizes) == "");
  }
}

TEST_CASE("Errors as large as the tolerance are within it") {
  const View view{20, 4, 20};
  Arrays arrays{Array(Dtype::float32, view.size()), Array(Dtype::float64, view.size()),
                Array(Dtype::float32, view.size())};
  for (std::size_t i = 0; i < view.size(); ++i) {
    arrays.exact.set(i, 1);
    arrays.claim.set(i, i % 2 == 0 ? 1 + 0x1p-22 : 1 - 0x1p-22);
    arrays.operand.set(i, 8);
  }
  const Sizes sizes(view.channel);
  const auto limits = tolerances(view.channel);
  bn::ErrorSums sums(Dtype::float32, limits, sizes);
  add(sums, arrays, view, support::whole(view));
  const std::vector<Errors> errors = sums.take();
  REQUIRE(errors[0].beyond == 400);
  REQUIRE(limits[1] == 0.25);
  REQUIRE(errors[1].worst->error == 0.25);
  REQUIRE(errors[1].beyond == 0);
}

TEST_CASE("Of equal worst errors the first counts") {
  const View view{40, 2, 20};
  data::Random random(3);
  Arrays arrays = make(Dtype::float32, view, Change::rounding, random);
  for (std::size_t i = 0; i < view.size(); ++i) {
    arrays.exact.set(i, 1);
    arrays.operand.set(i, 0);
    arrays.claim.set(i, i % 7 == 5 ? 1 + 0x1p-20 : i % 7 == 6 ? 1 - 0x1p-20 : 1);
  }
  const Sizes sizes(view.channel);
  const auto limits = tolerances(view.channel);
  bn::ErrorSums sums(Dtype::float32, limits, sizes);
  add(sums, arrays, view, {{20, 20}, {0, 2}, {0, 20}});
  add(sums, arrays, view, {{0, 20}, {0, 2}, {0, 20}});
  REQUIRE(sums.take()[0].worst->position == 5);
  REQUIRE(errors_differ(sums.take(), arrays, view, sizes) == "");
}
