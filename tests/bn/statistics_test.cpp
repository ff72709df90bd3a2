#include "bn/statistics.hpp"

#include <cmath>
#include <limits>

#include "bn/error.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;
using data::Array;
using data::Kind;

namespace {

// "" or the first statistic that is not the exact one rounded once
std::string differs(const View& view, const Array& x) {
  data::ArraySource source(x);
  const bn::Statistics have = bn::statistics(bn::sums(view, source));
  for (std::size_t c = 0; c < view.channel; ++c) {
    const oracle::Statistics want = oracle::statistics(x.channel(view, c));
    const auto channel = " of channel " + std::to_string(c);
    if (!support::same_bits(have.mean[c], oracle::nearest(want.mean))) return "mean" + channel;
    if (!support::same_bits(have.var[c], oracle::nearest(want.var))) return "var" + channel;
    const double unbiased = oracle::nearest(want.var_unbiased);
    if (view.m() > 1 && !support::same_bits(have.var_unbiased[c], unbiased)) {
      return "var_unbiased" + channel;
    }
  }
  return "";
}

bn::Dyadic dyadic(const mpz_class& integer, int exponent) {
  // By 32 bits at a time, through doubles.
  bn::Dyadic result;
  mpz_class rest = abs(integer);
  for (int e = exponent; rest != 0; e += 32, rest >>= 32) {
    const mpz_class low = rest & 0xffffffffU;
    result += bn::Dyadic(bn::Integer(low.get_ui()), e);
  }
  return integer < 0 ? -result : result;
}

bn::ChannelStatistics rounded_statistics(const bn::Dyadic& sum, const bn::Dyadic& sum_squares,
                                         std::uint64_t count) {
  return bn::channel_statistics(sum, bn::deviation(sum, sum_squares, count), count);
}

mpz_class random_integer(data::Random& random, int bits) {
  mpz_class result = 1;
  for (int i = 1; i < bits; ++i) result = 2 * result + static_cast<int>(random.below(2));
  return random.below(2) == 0 ? result : mpz_class(-result);
}

}  // namespace

TEST_CASE("Mean and variances are the exact ones rounded once, for every dtype and kind of data") {
  for (const Dtype dtype : data::kDtypes) {
    for (const Kind kind : data::kAll) {
      if (!data::has_statistics(dtype, kind)) continue;
      std::uint64_t variant = 0;
      for (const View& view :
           {View{1, 2, 1}, View{3, 1, 1}, View{7, 2, 1}, View{1, 2, 16}, View{17, 3, 1},
            View{5, 2, 49}, View{100, 33, 1}, View{3, 2, 1025}, View{257, 1, 4}}) {
        INFO(bn::name(dtype) << " " << data::name(kind) << " " << support::text(view));
        REQUIRE(differs(view, data::make(dtype, view, kind, variant++)) == "");
      }
    }
  }
}

TEST_CASE("Statistics of any sums are rounded once") {
  data::Random random(1);
  for (int i = 0; i < 20000; ++i) {
    // Sums that some values could have: the square of the mean at most the mean of the squares.
    const int bits = random.between(1, i % 4 == 0 ? 400 : 60);
    const std::uint64_t count = 1 + (random.next() >> random.between(1, 63));
    const mpz_class m(static_cast<unsigned long>(count));
    const mpz_class sum = random_integer(random, bits);
    const mpz_class excess = abs(random_integer(random, random.between(1, 2 * bits + 8)));
    const mpz_class sum_squares = sum * sum / m + excess;
    const int exponent = random.between(-200, 100);
    const auto have =
        rounded_statistics(dyadic(sum, exponent), dyadic(sum_squares, 2 * exponent), count);
    mpq_class unit(1);
    mpq_class mean(sum, m);
    mpq_class var(m * sum_squares - sum * sum, m * m);
    mean.canonicalize();
    var.canonicalize();
    const auto scaled = [](mpq_class value, int e) {
      if (e >= 0) {
        mpq_mul_2exp(value.get_mpq_t(), value.get_mpq_t(), static_cast<mp_bitcnt_t>(e));
      } else {
        mpq_div_2exp(value.get_mpq_t(), value.get_mpq_t(), static_cast<mp_bitcnt_t>(-e));
      }
      return value;
    };
    mean = scaled(mean, exponent);
    var = scaled(var, 2 * exponent);
    INFO(sum << " " << sum_squares << " " << count << " " << exponent);
    REQUIRE(have.mean == oracle::nearest(mean));
    REQUIRE(have.var == oracle::nearest(var));
    if (count > 1) {
      REQUIRE(have.var_unbiased == oracle::nearest(var * mpq_class(m, m - 1)));
    } else {
      REQUIRE(std::isnan(have.var_unbiased));
    }
  }
}

TEST_CASE("Means and variances halfway between two doubles go to the even one, just beside not") {
  // mean = odd / 2^k with 54 bits: a tie; and one part in 2^100 away from it.
  data::Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const mpz_class odd = 2 * random_integer(random, 53) + 1;
    for (const int nudge : {-1, 0, 1}) {
      const mpz_class sum = (odd << 100) + nudge;
      const mpz_class squares = (sum * sum) / 4 + (mpz_class(1) << 260);
      const auto have = rounded_statistics(dyadic(sum, -120), dyadic(squares, -240), 4);
      mpq_class mean(sum, mpz_class(4) << 120);
      mean.canonicalize();
      mpq_class var(4 * squares - sum * sum, mpz_class(16) << 240);
      var.canonicalize();
      REQUIRE(have.mean == oracle::nearest(mean));
      REQUIRE(have.var == oracle::nearest(var));
      REQUIRE(have.var_unbiased == oracle::nearest(var * mpq_class(4, 3)));
    }
  }
  // Two values -a and a have the variance a^2, which has up to 106 bits.
  for (int i = 0; i < 2000; ++i) {
    Array x(Dtype::float64, 2);
    const double a =
        std::ldexp(static_cast<double>(random.next() >> 37 | 1), random.between(-9, 9));
    x.set(0, a);
    x.set(1, -a);
    REQUIRE(differs({2, 1, 1}, x) == "");
  }
}

TEST_CASE("Sums merge in any order and grouping") {
  for (const Dtype dtype : {Dtype::float16, Dtype::float32, Dtype::float64, Dtype::int64}) {
    for (const Kind kind : {Kind::normal, Kind::whole_range, Kind::cancellation, Kind::extremes}) {
      const View view{97, 3, 5};
      const Array x = data::make(dtype, view, kind, 1);
      data::ArraySource whole(x);
      const bn::Sums want = bn::sums(view, whole);
      data::Random random(4);
      for (int repeat = 0; repeat < 5; ++repeat) {
        std::vector<bn::Sums> parts;
        const std::size_t item = bn::item_size(dtype);
        for (std::size_t begin = 0; begin < view.outer;) {
          const std::size_t count = 1 + random.below(view.outer - begin);
          const View part{count, view.channel, view.inner};
          Array values(dtype, part.size());
          std::copy_n(x.at(begin * view.channel * view.inner), part.size() * item, values.at(0));
          data::ArraySource source(values);
          parts.push_back(bn::sums(part, source));
          begin += count;
        }
        while (parts.size() > 1) {
          const std::size_t from = random.below(parts.size());
          const bn::Sums part = parts[from];
          parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(from));
          parts[random.below(parts.size())] += part;
        }
        REQUIRE(parts[0] == want);
      }
    }
  }
}

TEST_CASE("A variance beyond the range of double is an error, an unbiased one alone is infinite") {
  // Channel 1 has the values a and -a: their variance is a^2, the unbiased one 2 * a^2.
  const auto with = [](double a) {
    Array x(Dtype::float64, 4);
    x.set(1, a);
    x.set(3, -a);
    data::ArraySource source(x);
    return bn::sums({2, 2, 1}, source);
  };
  const auto refused = [&](double a) {
    try {
      (void)bn::statistics(with(a));
    } catch (const bn::RangeError& error) {
      REQUIRE(error.channel == 1);
      REQUIRE(std::string(error.statistic) == "var");
      return true;
    }
    return false;
  };
  constexpr double kRoot = 0x1p512;  // its square is 2^1024
  REQUIRE(refused(kRoot));
  REQUIRE(refused(1.4e154));
  REQUIRE_FALSE(refused(std::nextafter(kRoot, 0.0)));
  REQUIRE_FALSE(refused(1.3e154));
  const bn::Statistics unbiased_alone = bn::statistics(with(1.3e154));
  REQUIRE(std::isinf(unbiased_alone.var_unbiased[1]));
  REQUIRE(unbiased_alone.var_unbiased[0] == 0);
  const double below = std::sqrt(0x1p1023) * (1 - 0x1p-50);
  REQUIRE(std::isfinite(bn::statistics(with(below)).var_unbiased[1]));
}

TEST_CASE("A mean beyond the range of double, as sums from elsewhere can have, is an error") {
  bn::Sums sums{2, std::vector<bn::Dyadic>(2), std::vector<bn::Dyadic>(2)};
  sums.sum[1] = bn::Dyadic(bn::Integer(1), 1025);
  sums.sum_squares[1] = bn::Dyadic(bn::Integer(1), 2049);  // the variance is 0
  try {
    (void)bn::statistics(sums);
    FAIL("no error");
  } catch (const bn::RangeError& error) {
    REQUIRE(error.channel == 1);
    REQUIRE(std::string(error.statistic) == "mean");
  }
  sums.sum[1] = bn::Dyadic(bn::Integer(1), 1024);
  sums.sum_squares[1] = bn::Dyadic(bn::Integer(1), 2047);
  REQUIRE(bn::statistics(sums).mean[1] == 0x1p1023);
}

TEST_CASE("No values have no statistics, one value has no unbiased variance") {
  bn::Sums sums{0, std::vector<bn::Dyadic>(2), std::vector<bn::Dyadic>(2)};
  REQUIRE_THROWS_AS(bn::statistics(sums), std::invalid_argument);
  sums.count = 1;
  const bn::Statistics one = bn::statistics(sums);
  REQUIRE(one.var[0] == 0);
  REQUIRE(std::isnan(one.var_unbiased[0]));
}
