#include "bn/exact/nearest.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "bn/arrays/elements.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::Dyadic;
using bn::ExactResult;
using bn::Format;
using bn::Integer;
using bn::quotient;

namespace {

double value(std::uint64_t bits, Dtype dtype) {
  data::Array array(dtype, 1);
  std::memcpy(array.at(0), &bits, bn::item_size(dtype));
  return array.get(0);
}

oracle::Number number(const Dyadic& value) { return oracle::Number(support::exact(value)); }

// Compares with the oracle in every format. Returns how many had to be compared with midpoints.
int check(const ExactResult& result) {
  int compared = 0;
  for (const Dtype dtype : data::kFloating) {
    const bn::Nearest have = bn::nearest(result, bn::format_of(dtype));
    const oracle::Rounded want =
        oracle::rounded(dtype, number(result.numerator), number(result.radicand), result.offset);
    INFO(result.offset << " + " << result.numerator.to_string() << " / sqrt("
                       << result.radicand.to_string() << "), " << bn::name(dtype));
    REQUIRE(support::same_bits(value(have.bits, dtype), want.value));
    REQUIRE(have.infinite == std::isinf(want.value));
    if (want.tie && !have.infinite) REQUIRE(have.by_comparison);
    compared += have.by_comparison ? 1 : 0;
  }
  return compared;
}

Integer integer_of(data::Random& random, int bits) {
  Integer integer = 1;
  for (; bits > 1; --bits) integer = 2 * integer + static_cast<unsigned>(random.below(2));
  return integer;
}

mpz_class gmp(const Integer& value) { return support::exact(Dyadic(value, 0)).get_num(); }

Dyadic any(data::Random& random, int bits, int spread) {
  Integer integer = integer_of(random, bits);
  if (random.below(2) == 0) integer = -integer;
  return {integer, random.between(-spread, spread)};
}

Dyadic positive(Dyadic value) { return value.integer().sign() < 0 ? -value : value; }

}  // namespace

TEST_CASE("Results of any size are rounded once, and seldom take a comparison") {
  data::Random random(1);
  int compared = 0;
  for (int i = 0; i < 3000; ++i) {
    const int spread = i % 2 == 0 ? 30 : 1200;
    ExactResult result{0, any(random, random.between(1, 300), spread),
                       positive(any(random, random.between(1, 300), 2 * spread))};
    if (i % 3 != 0)
      result.offset = std::ldexp(random.normal(), random.between(-spread, spread) / 2);
    compared += check(result);
  }
  REQUIRE(compared < 50);
}

TEST_CASE(
    "Results on a midpoint, and as little beside it as one bit in a thousand, are told apart") {
  // (offset + n / sqrt(s^2)) is rational: offset + n / s.
  data::Random random(2);
  for (const auto& [dtype, format] :
       {std::pair{Dtype::float16, bn::kBinary16}, std::pair{Dtype::float32, bn::kBinary32},
        std::pair{Dtype::float64, bn::kBinary64}}) {
    for (int i = 0; i < 300; ++i) {
      const int exponent = i % 5 == 0 ? format.lowest - 1
                           : i % 5 == 1
                               ? format.lowest
                               : random.between(format.lowest, format.highest - format.digits - 2);
      const int bits = exponent < format.lowest ? random.between(1, format.digits) : format.digits;
      const Integer odd = 2 * integer_of(random, bits) + 1;
      const Dyadic root(positive(any(random, 40, 0)).integer(), random.between(-9, 9));
      const Dyadic midpoint(odd, exponent);
      const Dyadic radicand = root * root;
      const double offset = i % 2 == 0 ? 0 : std::ldexp(1, exponent + random.between(0, 40));
      Dyadic numerator = midpoint;
      numerator -= Dyadic(offset);
      numerator = numerator * root;
      REQUIRE(check({offset, numerator, radicand}) > 0);
      for (const int nudge : {-1, 1}) {
        Dyadic beside = numerator;
        beside += Dyadic(Integer(nudge), exponent - 1000);
        REQUIRE(check({offset, beside, radicand}) > 0);
        REQUIRE(check({-offset, -beside, radicand}) > 0);
      }
    }
  }
}

TEST_CASE(
    "Values beside a power of two are told from it, where its neighbours are not equally far") {
  for (const int exponent : {-1021, -125, -13, 0, 15, 127, 1023, 1024}) {
    for (const int below : {12, 25, 54, 55}) {
      for (const int nudge : {-1, 0, 1}) {
        Dyadic numerator(1.0);
        numerator -= Dyadic(Integer(1), -below);
        numerator += Dyadic(Integer(nudge), -300);
        numerator = numerator * Dyadic(Integer(1), exponent);
        (void)check({0, numerator, Dyadic(1.0)});
        (void)check({0, -numerator, Dyadic(1.0)});
        (void)check({std::ldexp(-1, exponent - 1), numerator, Dyadic(1.0)});
      }
    }
  }
}

TEST_CASE("Sums that cancel are as good as others, down to nothing") {
  data::Random random(3);
  for (int i = 0; i < 500; ++i) {
    const Dyadic radicand = positive(any(random, 60, 40));
    // n / sqrt(d) nearly 1; the offset takes off what double knows of it.
    const double root = std::sqrt(support::exact(radicand).get_d());
    const ExactResult result{-1 - std::ldexp(random.between(-2, 2), -52), Dyadic(root), radicand};
    (void)check(result);
  }
  const Dyadic nine(9.0);
  REQUIRE(check({-1, Dyadic(3.0), nine}) == 3);  // exactly 0
  Dyadic more(3.0);
  for (const int exponent : {-60, -150, -200, -1100, -3000}) {
    for (const int sign : {-1, 1}) {
      Dyadic nearly = more;
      nearly += Dyadic(Integer(sign), exponent);
      (void)check({-1, nearly, nine});
    }
  }
}

TEST_CASE("Zeros have the signs that they should have") {
  const Dyadic one(1.0);
  const auto bits = [&](double offset, const Dyadic& numerator) {
    return bn::nearest({offset, numerator, one}, bn::kBinary16).bits;
  };
  REQUIRE(bits(0.0, Dyadic()) == 0);
  REQUIRE(bits(-0.0, Dyadic()) == 0x8000);
  REQUIRE(bits(-0.0, Dyadic(Integer(1), -3000)) == 0);
  REQUIRE(bits(0.0, Dyadic(Integer(-1), -3000)) == 0x8000);
  REQUIRE(bits(1.0, Dyadic(-1.0)) == 0);
  REQUIRE(bits(-1.0, Dyadic(1.0)) == 0);
  REQUIRE(bits(5e-324, Dyadic()) == 0);
  REQUIRE(bits(-5e-324, Dyadic()) == 0x8000);
}

TEST_CASE("A quotient is rounded once over the whole range") {
  data::Random random(4);
  for (int i = 0; i < 20000; ++i) {
    const Integer numerator = random.below(2) == 0
                                  ? integer_of(random, random.between(1, 300))
                                  : Integer(-integer_of(random, random.between(1, 300)));
    const std::uint64_t a = random.next() >> random.between(0, 62) | 1;
    const std::uint64_t b = i % 2 == 0 ? 1 : random.next() >> random.between(0, 62) | 1;
    // Down to where everything is subnormal or zero, up to infinity.
    const int exponent = i % 4 == 0 ? random.between(-200, 200) : random.between(-1300, 1100);
    const mpq_class want =
        support::exact(Dyadic(numerator, exponent)) / mpq_class(gmp(Integer(a)) * gmp(Integer(b)));
    INFO(numerator << " p " << exponent << " / (" << a << " * " << b << ")");
    REQUIRE(quotient(Dyadic(numerator, exponent), a, b) == oracle::nearest(want));
  }
}

TEST_CASE("Quotients on and beside a tie round to even, at every size") {
  for (const int exponent : {-1128, -1127, -1126, -1100, -1080, -500, 0, 900, 917}) {
    for (const std::uint64_t odd : {1U, 3U, 5U, 0xffffffffU}) {
      for (const int nudge : {-1, 0, 1}) {
        // (2^53 + odd) / 2 is a tie of normal doubles; seven times more of both the same.
        Integer numerator = ((Integer(1) << 53) + odd) << 60;
        numerator += nudge;
        numerator *= 7;
        const Dyadic dyadic(numerator, exponent - 7);
        const mpq_class want = support::exact(dyadic) / 7;
        REQUIRE(quotient(dyadic, 7) == oracle::nearest(want));
        REQUIRE(quotient(-dyadic, 7) == -oracle::nearest(want));
      }
    }
  }
}

TEST_CASE("Quotients that division alone brings among the subnormal doubles are rounded once") {
  // Numerators of ordinary sizes, so that quotients look as if 53 bits of them could be kept.
  constexpr std::uint64_t kA = (std::uint64_t{1} << 50) - 1;
  constexpr std::uint64_t kB = (std::uint64_t{1} << 49) + 1;
  for (const std::uint64_t odd : {1U, 3U, 5U, 7U, 0xffffffffU}) {
    for (const int nudge : {-1, 0, 1}) {
      Dyadic numerator(Integer(odd) * kA * kB, -1075);  // odd * 2^-1075 is a midpoint
      numerator += Dyadic(Integer(nudge), -1200);
      const mpq_class want =
          support::exact(numerator) / mpq_class(gmp(Integer(kA)) * gmp(Integer(kB)));
      REQUIRE(quotient(numerator, kA, kB) == oracle::nearest(want));
      REQUIRE(quotient(-numerator, kA, kB) == -oracle::nearest(want));
    }
  }
}

TEST_CASE("Quotients are exact on either side of what double arithmetic can take") {
  // Denominators are doubles up to 2^53; numerators of 384 bits and exponents of 400 are the limit.
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 53;
  data::Random random(6);
  for (int repeat = 0; repeat < 10; ++repeat) {
    for (const std::uint64_t a : {kLimit - 1, kLimit, kLimit + 1, kLimit + 3, ~std::uint64_t{0}}) {
      for (const std::uint64_t b : {std::uint64_t{1}, kLimit, kLimit + 1}) {
        for (const int bits : {60, 383, 384, 385, 449}) {
          for (const int exponent : {-401, -400, 400, 401}) {
            const Dyadic numerator(integer_of(random, bits) | 1, exponent);
            const mpq_class want =
                support::exact(numerator) / mpq_class(gmp(Integer(a)) * gmp(Integer(b)));
            REQUIRE(quotient(numerator, a, b) == oracle::nearest(want));
          }
        }
      }
    }
  }
}

TEST_CASE("Quotients overflow from the midpoint beyond the largest double on") {
  const double largest = std::numeric_limits<double>::max();
  const Integer edge = (Integer(1) << 54) - 1;  // the midpoint is edge * 2^970
  REQUIRE(quotient(Dyadic(edge * 4 - 1, 968), 1) == largest);
  REQUIRE(std::isinf(quotient(Dyadic(edge, 970), 1)));
  REQUIRE(quotient(Dyadic(), 3) == 0);
}
