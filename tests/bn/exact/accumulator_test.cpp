#include "bn/exact/accumulator.hpp"

#include <memory>

#include "catch.hpp"
#include "support.hpp"

namespace {

using Values = decltype(bn::Accumulators<double>::values);
using Products = decltype(bn::Accumulators<double>::products);

mpq_class scaled(const mpz_class& integer, int exponent) {
  return support::exact(bn::Dyadic(bn::Integer(1), exponent)) * integer;
}

mpz_class gmp(bn::Int128 value) {
  const mpz_class high(static_cast<long>(value >> 64));
  const mpz_class low(static_cast<unsigned long>(static_cast<std::uint64_t>(value)));
  return (high << 64) + low;
}

}  // namespace

TEST_CASE("An accumulator adds 64-bit integers at any exponent exactly") {
  data::Random random(1);
  const auto check = [&]<class Sum>(Sum sum, int lowest, int highest) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      mpq_class want;
      for (int i = 0; i < 300; ++i) {
        const auto value = static_cast<std::int64_t>(random.next()) >> random.between(0, 62);
        const int exponent = random.between(lowest - 20, highest - 53);
        sum.add(value, exponent);
        want += scaled(mpz_class(static_cast<long>(value)), exponent);
      }
      REQUIRE(support::exact(sum.take()) == want);
      REQUIRE(sum.take() == bn::Dyadic());
    }
  };
  check(Values(), -1074, 1024);
  check(bn::Accumulators<float>().values, bn::kLowestOfFloat, 128);
}

TEST_CASE("An accumulator adds 128-bit integers at any exponent exactly") {
  data::Random random(2);
  const auto check = [&]<class Sum>(Sum sum, int lowest, int highest) {
    for (int repeat = 0; repeat < 50; ++repeat) {
      mpq_class want;
      for (int i = 0; i < 300; ++i) {
        const auto bits =
            static_cast<bn::Uint128>(random.next()) << 64 | static_cast<bn::Uint128>(random.next());
        const bn::Int128 value = static_cast<bn::Int128>(bits) >> random.between(0, 126);
        const int exponent = random.between(lowest, highest - 106);
        sum.add(value, exponent);
        want += scaled(gmp(value), exponent);
      }
      REQUIRE(support::exact(sum.take()) == want);
    }
  };
  check(Products(), -2148, 2048);
  check(bn::Accumulators<float>().products, 2 * bn::kLowestOfFloat, 256);
}

TEST_CASE("Sums that cancel leave nothing behind, whatever their limbs went through") {
  Values sum;
  for (const int exponent : {-1074, -500, 0, 31, 32, 33, 900, 971}) {
    for (const std::int64_t value : {std::int64_t{1}, std::int64_t{-1}, INT64_MAX, INT64_MIN + 1}) {
      sum.add(value, exponent);
      sum.add(-value, exponent);
    }
  }
  REQUIRE(sum.take() == bn::Dyadic());
  // Just below and just above zero: all limbs are ones.
  sum.add(std::int64_t{1}, 900);
  sum.add(std::int64_t{-1}, 900);
  sum.add(std::int64_t{-1}, -1074);
  REQUIRE(sum.take() == bn::Dyadic(bn::Integer(-1), -1074));
}

TEST_CASE("Accumulators merge in any order, and again and again") {
  data::Random random(3);
  // More than 2^30 additions' worth of carries: twofold sums of sums.
  auto total = std::make_unique<Values>();
  mpq_class want;
  for (int i = 0; i < 100; ++i) {
    const auto value = static_cast<std::int64_t>(random.next());
    const int exponent = random.between(-10, 10);
    total->add(value, exponent);
    want += scaled(mpz_class(static_cast<long>(value)), exponent);
  }
  for (int i = 0; i < 60; ++i) {
    const Values same = *total;
    *total += same;
    want *= 2;
  }
  REQUIRE(support::exact(total->take()) == want);
}

TEST_CASE("Carries come before a limb of nothing but ones overflows") {
  // The most that one addition adds to a limb is 2^32 - 1, here the whole of a value at 2^0: 2^k
  // additions make 2^(32 + k) - 2^k, and 64 bits with a sign hold that up to k = 31.
  Values total;
  total.add(std::int64_t{0xffffffff}, 0);
  for (int i = 0; i < 64; ++i) {
    const Values same = total;
    total += same;
  }
  REQUIRE(support::exact(total.take()) == scaled(mpz_class(0xffffffffL), 64));
}

TEST_CASE("Carries do not leave an accumulator, however many there were near its end") {
  // Every 2^30 additions, here of zeros of a touched limb, carry once.
  Products sum;
  const std::int64_t most = (std::int64_t{1} << 53) - 1;
  sum.add(most, 1971);
  sum.add(-most, 1971);
  for (int i = 0; i < 1000; ++i) {
    const Products same = sum;
    sum += same;
  }
  sum.add(most, 1971);
  REQUIRE(sum.take() == bn::Dyadic(bn::Integer(most), 1971));
  sum.add(-most, -2148);
  REQUIRE(sum.take() == bn::Dyadic(bn::Integer(-most), -2148));
}

TEST_CASE("An accumulator holds the largest sums that there can be") {
  // 2^64 products of the largest values: 2^6 doublings at a time of ever larger terms.
  const auto check = [](auto sum, int digits, int exponent) {
    using Sum = decltype(sum);
    const bn::Int128 most = (std::int64_t{1} << digits) - 1;
    const bn::Int128 largest = most * most;
    sum.add(largest, exponent);
    for (int i = 0; i < 64; ++i) {
      const Sum same = sum;
      sum += same;
    }
    REQUIRE(support::exact(sum.take()) == scaled(gmp(largest) << 64, exponent));
    for (int i = 0; i < 2; ++i) {
      Sum negative;
      negative.add(-largest, exponent);
      for (int k = 0; k < 63; ++k) {
        const Sum same = negative;
        negative += same;
      }
      sum += negative;
    }
    REQUIRE(support::exact(sum.take()) == scaled(-gmp(largest) << 64, exponent));
  };
  check(Products(), 53, 2 * (1024 - 53));
  check(bn::Accumulators<float>().products, 24, 2 * (128 - 24));
}
