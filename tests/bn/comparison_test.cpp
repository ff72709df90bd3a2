#include "bn/comparison.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::Tolerance;
using bn::View;
using data::Array;
using data::Kind;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double kInfinity = std::numeric_limits<double>::infinity();

// The number of the value of a floating dtype that is nearest to an exact one, counted from 0 on.
mpz_class number_among(Dtype dtype, const mpq_class& exact) {
  const bn::Format format = dtype == Dtype::float16   ? bn::kBinary16
                            : dtype == Dtype::float32 ? bn::kBinary32
                                                      : bn::kBinary64;
  const mpq_class size = abs(exact);
  const auto power = [](int exponent) {
    mpq_class result(1);
    const auto shift = static_cast<mp_bitcnt_t>(std::abs(exponent));
    const auto scale = exponent < 0 ? mpq_div_2exp : mpq_mul_2exp;
    scale(result.get_mpq_t(), result.get_mpq_t(), shift);
    return result;
  };
  const auto bits = [](const mpz_class& integer) {
    return static_cast<int>(mpz_sizeinbase(integer.get_mpz_t(), 2));
  };
  const int about = bits(size.get_num()) - bits(size.get_den()) - format.digits - 1;
  int exponent = std::max(format.lowest, about);
  while (size >= power(exponent + format.digits)) ++exponent;
  const mpq_class units = size / power(exponent);
  mpz_class whole = units.get_num() / units.get_den();
  const mpq_class rest = units - whole;
  if (rest > mpq_class(1, 2) || (rest == mpq_class(1, 2) && mpz_odd_p(whole.get_mpz_t()) != 0)) {
    ++whole;
  }
  const mpz_class per_power = mpz_class(1) << static_cast<unsigned>(format.digits - 1);
  const mpz_class number = (exponent - format.lowest) * per_power + whole;
  const mpz_class infinity =
      (format.highest - format.digits + 1 - format.lowest) * per_power + per_power;
  return std::min(number, infinity);
}

struct Want {
  std::uint64_t values = 0, equal = 0, zero_signs = 0, both_nan = 0, one_nan = 0, infinities = 0;
  std::uint64_t finite = 0, beyond = 0;
  mpq_class absolute, relative, excess, sum;
  mpz_class ulp;
  std::optional<std::size_t> at_absolute, at_relative, at_ulp;
};

class Oracle {
 public:
  Oracle(const Array& a, const Array& b, const Tolerance& tolerance)
      : a_(a), b_(b), tolerance_(tolerance) {}

  // Positions in ascending order. Measures are rounded before they are compared: of several pairs
  // with the same one the first counts.
  void add(Want& want, std::size_t i) const {
    ++want.values;
    const double a = bn::is_floating(a_.dtype()) ? a_.get(i) : 0;
    const double b = bn::is_floating(b_.dtype()) ? b_.get(i) : 0;
    bool passes = false;
    if (!std::isfinite(a) || !std::isfinite(b)) {
      passes = add_non_finite(want, a, b);
    } else {
      passes = add_finite(want, i);
    }
    if (tolerance_.bits) {
      passes = std::memcmp(a_.at(i), b_.at(i), bn::item_size(a_.dtype())) == 0;
    }
    if (!passes) ++want.beyond;
  }

 private:
  bool add_non_finite(Want& want, double a, double b) const {
    if (std::isnan(a) && std::isnan(b)) {
      ++want.both_nan;
      return tolerance_.equal_nan;
    }
    if (std::isnan(a) || std::isnan(b)) {
      ++want.one_nan;
      return false;
    }
    ++(a == b ? want.equal : want.infinities);
    return a == b;
  }

  bool add_finite(Want& want, std::size_t i) const {
    const mpq_class a = a_.exact(i);
    const mpq_class b = b_.exact(i);
    const mpq_class size = abs(a - b);
    ++want.finite;
    want.sum += a - b;
    if (size == 0) {
      ++want.equal;
      if (negative_zero(a_, i) != negative_zero(b_, i)) ++want.zero_signs;
      return true;
    }
    offer(want.absolute, want.at_absolute, size, i);
    if (b != 0) offer(want.relative, want.at_relative, size / abs(b), i);
    const mpz_class steps = steps_between(a, b);
    if (!want.at_ulp || steps > want.ulp) {
      want.ulp = steps;
      want.at_ulp = i;
    }
    const mpq_class rtol(tolerance_.rtol.value_or(0));
    want.excess = std::max(want.excess, mpq_class(size - rtol * abs(b)));
    if (tolerance_.ulp && steps <= mpz_class(*tolerance_.ulp)) return true;
    return (tolerance_.atol || tolerance_.rtol) &&
           size <= mpq_class(tolerance_.atol.value_or(0)) + rtol * abs(b);
  }

  static void offer(mpq_class& largest, std::optional<std::size_t>& at, const mpq_class& value,
                    std::size_t i) {
    if (at && oracle::nearest(value) <= oracle::nearest(largest)) return;
    largest = value;
    at = i;
  }

  [[nodiscard]] mpz_class steps_between(const mpq_class& a, const mpq_class& b) const {
    std::optional<Dtype> among;
    for (const Dtype dtype : {Dtype::float64, Dtype::float32, Dtype::float16}) {
      if (a_.dtype() == dtype || b_.dtype() == dtype) among = dtype;
    }
    if (!among) return mpz_class(abs(a - b));
    const mpz_class of_a = sgn(a) * number_among(*among, a);
    const mpz_class of_b = sgn(b) * number_among(*among, b);
    return abs(of_a - of_b);
  }

  static bool negative_zero(const Array& array, std::size_t i) {
    return bn::is_floating(array.dtype()) && std::signbit(array.get(i));
  }

  const Array& a_;
  const Array& b_;
  const Tolerance& tolerance_;
};

template <class Measure, class Value>
std::string largest_differs(const char* what, const std::optional<bn::Largest<Measure>>& have,
                            const std::optional<std::size_t>& at, const Value& want, const Array& a,
                            const Array& b) {
  if (have.has_value() != at.has_value()) return std::string(what) + ": there is one, or none";
  if (!have) return "";
  if (have->position != *at) return std::string(what) + ": its position";
  if (std::memcmp(have->a.data(), a.at(*at), bn::item_size(a.dtype())) != 0 ||
      std::memcmp(have->b.data(), b.at(*at), bn::item_size(b.dtype())) != 0) {
    return std::string(what) + ": its elements";
  }
  return have->value == want ? "" : what;
}

bn::Uint128 as_steps(const mpz_class& steps) {
  const mpz_class high = steps >> 64;
  return bn::Uint128{high.get_ui()} << 64 | mpz_class(steps - (high << 64)).get_ui();
}

// "" or what is wrong.
std::string differs(const bn::Differences& have, const Want& want, const Array& a, const Array& b) {
  if (have.values != want.values) return "values";
  if (have.equal != want.equal) return "equal";
  if (have.zero_signs != want.zero_signs) return "zero_signs";
  if (have.both_nan != want.both_nan) return "both_nan";
  if (have.one_nan != want.one_nan) return "one_nan";
  if (have.infinities != want.infinities) return "infinities";
  if (have.finite != want.finite) return "finite";
  if (have.beyond != want.beyond) return "beyond";
  if (support::exact(have.sum) != want.sum) return "sum";
  if (support::exact(have.excess) != want.excess) return "excess";
  for (const std::string& wrong :
       {largest_differs("absolute", have.absolute, want.at_absolute, oracle::nearest(want.absolute),
                        a, b),
        largest_differs("relative", have.relative, want.at_relative, oracle::nearest(want.relative),
                        a, b),
        largest_differs("ulp", have.ulp, want.at_ulp, as_steps(want.ulp), a, b)}) {
    if (!wrong.empty()) return wrong;
  }
  return "";
}

std::string compare_differs(const View& view, const Array& a, const Array& b,
                            const Tolerance& tolerance, data::Access access,
                            const bn::Execution& execution) {
  data::ArraySource source_a(a, access);
  data::ArraySource source_b(b, access);
  const bn::Comparison have = bn::compare(view, source_a, source_b, tolerance, execution);
  const Oracle oracle(a, b, tolerance);
  Want all;
  for (std::size_t i = 0; i < view.size(); ++i) oracle.add(all, i);
  if (have.channels.size() != view.channel) return "channels";
  for (std::size_t c = 0; c < view.channel; ++c) {
    Want want;
    for (const std::size_t i : a.positions(view, c)) oracle.add(want, i);
    const std::string wrong = differs(have.channels[c], want, a, b);
    if (!wrong.empty()) return "channel " + std::to_string(c) + ": " + wrong;
  }
  return differs(have.all, all, a, b);
}

enum class Change { none, next, few, factor, shift, others, non_finite };
constexpr Change kChanges[] = {Change::none,  Change::next,   Change::few,       Change::factor,
                               Change::shift, Change::others, Change::non_finite};

// The reference, and the same values changed, in another dtype perhaps.
Array changed(const Array& b, Dtype dtype, Change change, data::Random& random) {
  Array a(dtype, b.size());
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double value = oracle::nearest(b.exact(i));
    const bool now = random.below(change == Change::few ? 50 : 2) == 0;
    double to = value;
    if (change == Change::next && now) {
      const double up = dtype == Dtype::float64 ? std::nextafter(value, 1e308) : value * 1.0001;
      to = up;
    } else if (change == Change::factor) {
      to = 2 * value;
    } else if (change == Change::shift) {
      to = value + 0.5;
    } else if (change == Change::others || (change == Change::few && now)) {
      to = value * random.normal() + random.normal() * 1e-3;
    } else if (change == Change::non_finite && random.below(20) == 0) {
      to = std::array{0.0, -0.0, kNan, kInfinity, -kInfinity}[random.below(5)];
    }
    if (bn::is_floating(dtype) || std::isfinite(to)) a.set(i, to);
  }
  return a;
}

Array reference(Dtype dtype, const View& view, Kind kind, Change change, data::Random& random) {
  Array b = data::make(dtype, view, kind, 1);
  if (change != Change::non_finite || !bn::is_floating(dtype)) return b;
  for (std::size_t i = 0; i < b.size(); ++i) {
    if (random.below(20) == 0) {
      b.set(i, std::array{0.0, -0.0, kNan, kInfinity, -kInfinity}[random.below(5)]);
    }
  }
  return b;
}

Array finite_part(Array array) {
  for (std::size_t i = 0; i < array.size(); ++i) {
    if (bn::is_floating(array.dtype()) && !std::isfinite(array.get(i))) array.set(i, 0);
  }
  return array;
}

}  // namespace

TEST_CASE("Differences are those of exact arithmetic for every pair of dtypes") {
  data::Random random(1);
  bn::Execution execution;
  execution.threads = 2;
  for (const Dtype of_a : data::kDtypes) {
    for (const Dtype of_b : data::kDtypes) {
      for (const View& view : {View{2, 2, 40}, View{30, 3, 1}}) {
        for (const Change change : {Change::next, Change::others, Change::non_finite}) {
          const Array b = reference(of_b, view, Kind::normal, change, random);
          const Array a = changed(finite_part(b), of_a, change, random);
          INFO(bn::name(of_a) << " " << bn::name(of_b) << " " << support::text(view) << " "
                              << static_cast<int>(change));
          const Tolerance tolerance = change == Change::next
                                          ? Tolerance{}
                                          : Tolerance{.rtol = 1e-3, .ulp = 2, .equal_nan = true};
          REQUIRE(compare_differs(view, a, b, tolerance, data::Access::in_place, execution) == "");
        }
      }
    }
  }
}

TEST_CASE("Differences are those of exact arithmetic for every kind of data and change") {
  const Tolerance tolerances[] = {
      {}, {.atol = 1e-3, .rtol = 1e-3}, {.ulp = 1}, {.bits = true}, {.atol = 1e-5}};
  std::size_t turn = 0;
  data::Random random(2);
  bn::Execution execution;
  execution.threads = 2;
  for (const Dtype dtype : data::kFloating) {
    for (const Kind kind : data::kAll) {
      for (const Change change : kChanges) {
        for (const View& view : {View{2, 1, 300}, View{100, 2, 1}}) {
          const Array b = reference(dtype, view, kind, change, random);
          const Array a = changed(finite_part(b), dtype, change, random);
          INFO(bn::name(dtype) << " " << data::name(kind) << " " << static_cast<int>(change) << " "
                               << support::text(view));
          const Tolerance& tolerance = tolerances[turn++ % std::size(tolerances)];
          REQUIRE(compare_differs(view, a, b, tolerance, data::Access::copying, execution) == "");
        }
      }
    }
  }
}

TEST_CASE("Differences do not depend on threads, tiles or whether arrays are streams") {
  data::Random random(3);
  const View view{3, 2, 20000};
  for (const Change change : {Change::few, Change::factor, Change::non_finite}) {
    const Array b = reference(Dtype::float32, view, Kind::normal, change, random);
    const Array a = changed(finite_part(b), Dtype::float32, change, random);
    const Tolerance tolerance{.rtol = 1e-4};
    const Oracle oracle(a, b, tolerance);
    Want want;
    for (std::size_t i = 0; i < view.size(); ++i) oracle.add(want, i);
    for (const bn::Machine& machine : support::machines()) {
      for (const unsigned threads : {1U, 2U, 3U}) {
        for (const data::Access access : {data::Access::copying, data::Access::sequential}) {
          bn::Execution execution;
          execution.threads = threads;
          execution.machine = machine;
          INFO(static_cast<int>(change) << " " << support::text(machine) << " " << threads);
          data::ArraySource source_a(a, access);
          data::ArraySource source_b(b, access);
          const bn::Comparison have = bn::compare(view, source_a, source_b, tolerance, execution);
          REQUIRE(differs(have.all, want, a, b) == "");
        }
      }
    }
  }
}

TEST_CASE("A tolerance holds up to its very edge") {
  data::Random random(4);
  const View view{1, 1, 64};
  for (const Dtype dtype : data::kFloating) {
    for (int i = 0; i < 40; ++i) {
      const Array b = data::make(dtype, view, Kind::normal, static_cast<std::uint64_t>(i));
      const Array a = changed(b, dtype, Change::others, random);
      data::ArraySource source_a(a);
      data::ArraySource source_b(b);
      const auto beyond = [&](const Tolerance& tolerance) {
        return bn::compare(view, source_a, source_b, tolerance).all.beyond;
      };
      for (const std::optional<double> rtol : {std::optional<double>(), std::optional(0.3)}) {
        Tolerance tolerance{.rtol = rtol};
        const auto all = bn::compare(view, source_a, source_b, tolerance).all;
        const double atol = bn::needed_atol(all, tolerance).value();
        tolerance.atol = atol;
        REQUIRE(beyond(tolerance) == 0);
        tolerance.atol = std::nextafter(atol, 0.0);
        REQUIRE(beyond(tolerance) != 0);
      }
      const auto all = bn::compare(view, source_a, source_b, {}).all;
      const std::uint64_t ulp = bn::needed_ulp(all, {}).value();
      REQUIRE(beyond({.ulp = ulp}) == 0);
      REQUIRE(beyond({.ulp = ulp - 1}) != 0);
    }
  }
}

TEST_CASE("The edge of a tolerance is no other where larger differences have been met") {
  const View view{1, 1, 4096};
  Array a(Dtype::float32, view.size());
  Array b(Dtype::float32, view.size());
  for (std::size_t i = 0; i < view.size(); ++i) {
    b.set(i, 1);
    a.set(i, i == 0 ? 100 : 1 + 0x1p-20);
  }
  data::ArraySource source_a(a);
  data::ArraySource source_b(b);
  const auto beyond = [&](double atol) {
    return bn::compare(view, source_a, source_b, {.atol = atol}).all.beyond;
  };
  CHECK(beyond(0x1p-20) == 1);
  CHECK(beyond(std::nextafter(0x1p-20, 0.0)) == view.size());
}

TEST_CASE("No tolerance is enough where something is not finite, but for NaN that may be equal") {
  const View view{1, 1, 2};
  const auto needs = [&](double a, double b, const Tolerance& tolerance) {
    Array of_a(Dtype::float64, 2);
    Array of_b(Dtype::float64, 2);
    of_a.set(0, a);
    of_b.set(0, b);
    of_a.set(1, 1);
    of_b.set(1, 2);
    data::ArraySource source_a(of_a);
    data::ArraySource source_b(of_b);
    const auto all = bn::compare(view, source_a, source_b, tolerance).all;
    const auto atol = bn::needed_atol(all, tolerance);
    REQUIRE(atol.has_value() == bn::needed_ulp(all, tolerance).has_value());
    return atol.has_value();
  };
  REQUIRE(needs(1, 1, {}));
  REQUIRE(needs(kInfinity, kInfinity, {}));
  REQUIRE_FALSE(needs(kInfinity, 1, {}));
  REQUIRE_FALSE(needs(kInfinity, -kInfinity, {}));
  REQUIRE_FALSE(needs(kNan, 1, {.equal_nan = true}));
  REQUIRE_FALSE(needs(kNan, kNan, {}));
  REQUIRE(needs(kNan, kNan, {.equal_nan = true}));
}

TEST_CASE("Differences beyond the range of double are infinite, and no tolerance is enough") {
  Array a(Dtype::float64, 1);
  Array b(Dtype::float64, 1);
  a.set(0, 1.7e308);
  b.set(0, -1.7e308);
  data::ArraySource source_a(a);
  data::ArraySource source_b(b);
  const auto all = bn::compare({1, 1, 1}, source_a, source_b, {}).all;
  REQUIRE(std::isinf(all.absolute->value));
  REQUIRE(all.relative->value == 2);
  REQUIRE_FALSE(bn::needed_atol(all, {}).has_value());
  REQUIRE(std::isinf(bn::mean_error(all).value()));
}

TEST_CASE("Nothing differs between empty arrays, and their mean error is none") {
  const Array none(Dtype::float32, 0);
  data::ArraySource a(none);
  data::ArraySource b(none);
  const auto comparison = bn::compare({0, 2, 5}, a, b, {});
  REQUIRE(comparison.channels.size() == 2);
  REQUIRE(comparison.all.values == 0);
  REQUIRE_FALSE(bn::mean_error(comparison.all).has_value());
  REQUIRE(bn::needed_atol(comparison.all, {}) == 0.0);
}

TEST_CASE("The bits of two dtypes are not compared") {
  const Array one(Dtype::float32, 1);
  const Array other(Dtype::float64, 1);
  data::ArraySource a(one);
  data::ArraySource b(other);
  REQUIRE_THROWS_AS(bn::compare({1, 1, 1}, a, b, {.bits = true}), std::invalid_argument);
}
