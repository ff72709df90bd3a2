#include "oracle.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using oracle::Number;
using support::same_bits;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double value(Dtype dtype, const Number& n, const Number& d, double offset = 0) {
  return oracle::rounded(dtype, n, d, offset).value;
}

Number power_of_two(int exponent) { return {1, exponent}; }

// The float16, float32 or float64 with these bits, without their sign.
double of_bits(Dtype dtype, std::uint64_t bits) {
  if (dtype == Dtype::float16) return oracle::half_value(static_cast<std::uint16_t>(bits));
  if (dtype == Dtype::float32) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  return std::bit_cast<double>(bits);
}

std::uint64_t infinity_bits(Dtype dtype) {
  if (dtype == Dtype::float16) return 0x7c00;
  return dtype == Dtype::float32 ? 0x7f800000 : 0x7ff0000000000000;
}

// Halfway between two neighbours; infinity stands where the range would go on.
Number midpoint(Dtype dtype, std::uint64_t low_bits) {
  const double low = of_bits(dtype, low_bits);
  if (low_bits + 1 < infinity_bits(dtype)) {
    return (Number(low) + Number(of_bits(dtype, low_bits + 1))) * power_of_two(-1);
  }
  const double before = of_bits(dtype, low_bits - 1);
  return Number(low) + (Number(low) - Number(before)) * power_of_two(-1);
}

// Any finite bits, the first and the last ones more often than others.
std::uint64_t any_bits(data::Random& random, Dtype dtype) {
  const std::uint64_t end = infinity_bits(dtype);
  switch (random.below(6)) {
    case 0:
      return random.below(4);
    case 1:
      return end - 1 - random.below(4);
    default:
      return random.next() % end;
  }
}

mpf_class real(const Number& number) {
  constexpr mp_bitcnt_t kBits = 2000;
  mpf_class result(number.integer(), kBits);
  if (number.exponent() >= 0) {
    mpf_mul_2exp(result.get_mpf_t(), result.get_mpf_t(),
                 static_cast<mp_bitcnt_t>(number.exponent()));
  } else {
    mpf_div_2exp(result.get_mpf_t(), result.get_mpf_t(),
                 static_cast<mp_bitcnt_t>(-number.exponent()));
  }
  return result;
}

}  // namespace

TEST_CASE("The oracle knows the root of one half in every dtype") {
  REQUIRE(value(Dtype::float16, Number(1), Number(2)) == 0x1.6a0p-1);
  REQUIRE(value(Dtype::float32, Number(1), Number(2)) == 0x1.6a09e6p-1);
  REQUIRE(value(Dtype::float64, Number(1), Number(2)) == 0x1.6a09e667f3bcdp-1);
  REQUIRE(value(Dtype::float64, Number(-1), Number(2)) == -0x1.6a09e667f3bcdp-1);
  // The scales of n and of the root may be as far apart as they like.
  REQUIRE(value(Dtype::float64, power_of_two(5000), power_of_two(10001)) == 0x1.6a09e667f3bcdp-1);
  REQUIRE(value(Dtype::float64, power_of_two(-5000), power_of_two(-9999)) == 0x1.6a09e667f3bcdp-1);
}

TEST_CASE("The oracle rounds what is left of the root where the offset cancels its first digits") {
  REQUIRE(value(Dtype::float64, Number(1), Number(2), -0x1.6a09e667f3bcdp-1) ==
          -4.833646656726457e-17);
  REQUIRE(value(Dtype::float32, Number(1), Number(2), -0x1.6a09e667f3bcdp-1) ==
          static_cast<double>(-4.833646656726457e-17F));
}

TEST_CASE("The oracle sends ties to the even neighbour, and what lies beside them not") {
  data::Random random(1);
  for (int i = 0; i < 30000; ++i) {
    const Dtype dtype = data::kFloating[i % 3];
    const std::uint64_t bits = any_bits(random, dtype);
    const double low = of_bits(dtype, bits);
    const double high = of_bits(dtype, bits + 1);
    const double even = bits % 2 == 0 ? low : high;
    // (middle - offset) * r / sqrt(r^2), r^2 with an even exponent or none.
    const double offset = i % 2 == 0 ? 0 : std::ldexp(random.unit(), random.between(-1020, 1020));
    const Number root(mpz_class(static_cast<unsigned long>(1 + random.below(1000000))),
                      random.between(-600, 600));
    const Number exact = (midpoint(dtype, bits) - Number(offset)) * root;
    const Number beside = root * power_of_two(-random.between(1200, 3000));
    const auto tie = oracle::rounded(dtype, exact, root * root, offset);
    INFO(bn::name(dtype) << " " << low << " " << offset);
    REQUIRE(tie.value == even);
    REQUIRE(tie.tie);
    REQUIRE(value(dtype, exact - beside, root * root, offset) == low);
    REQUIRE(value(dtype, exact + beside, root * root, offset) == high);
    const Number negative = Number(0) - exact;
    REQUIRE(value(dtype, negative, root * root, -offset) == -even);
    REQUIRE(value(dtype, negative + beside, root * root, -offset) == -low);
    const auto beyond = oracle::rounded(dtype, negative - beside, root * root, -offset);
    REQUIRE(beyond.value == -high);
    REQUIRE_FALSE(beyond.tie);
  }
}

TEST_CASE("The oracle gives infinity from the midpoint beyond the largest value on") {
  REQUIRE(value(Dtype::float16, Number(65520), Number(1)) == kInfinity);
  REQUIRE(value(Dtype::float16, Number(65519.999), Number(1)) == 65504);
  REQUIRE(value(Dtype::float32, Number(0x1.ffffffp127), Number(1)) == kInfinity);
  REQUIRE(value(Dtype::float32, Number(-0x1.ffffffp127), Number(1)) == -kInfinity);
  REQUIRE(value(Dtype::float32, Number(0x1.fffffefffffffp127), Number(1)) == 0x1.fffffep127);
  const double largest = std::numeric_limits<double>::max();
  const Number limit = power_of_two(1024) - power_of_two(970);
  REQUIRE(value(Dtype::float64, limit, Number(1)) == kInfinity);
  REQUIRE(value(Dtype::float64, limit - power_of_two(-5000), Number(1)) == largest);
  REQUIRE(value(Dtype::float64, power_of_two(970), Number(4), largest) == largest);
  REQUIRE(value(Dtype::float64, power_of_two(970), Number(1), largest) == kInfinity);
  REQUIRE(value(Dtype::float64, power_of_two(5000), Number(1), -largest) == kInfinity);
  REQUIRE(value(Dtype::float16, Number(0), Number(1), 1e9) == kInfinity);
}

TEST_CASE("The oracle rounds on the grid of subnormal values") {
  REQUIRE(value(Dtype::float64, power_of_two(-1075), Number(1)) == 0);
  REQUIRE(value(Dtype::float64, Number(3, -1075), Number(1)) == 0x1p-1073);
  REQUIRE(value(Dtype::float64, power_of_two(-1075), Number(0x1.fffffffffffffp-1)) == 0x1p-1074);
  REQUIRE(value(Dtype::float32, Number(0x1.8p-149), Number(1)) == 0x1p-148);
  REQUIRE(value(Dtype::float16, Number(0x1.8p-24), Number(4)) == 0x1p-24);
  REQUIRE(value(Dtype::float16, Number(0x1p-24), Number(4)) == 0);
}

TEST_CASE("The oracle knows the signs of zeros") {
  const auto is = [](double have, double want) { return same_bits(have, want); };
  for (const Dtype dtype : data::kFloating) {
    // Nothing times anything: the offset, rounded.
    REQUIRE(is(value(dtype, Number(0), Number(2), 0.0), 0.0));
    REQUIRE(is(value(dtype, Number(0), Number(2), -0.0), -0.0));
    REQUIRE(is(value(dtype, Number(0), Number(2), 0.5), 0.5));
    // A sum that is zero.
    REQUIRE(is(value(dtype, Number(3), Number(9), -1.0), 0.0));
    REQUIRE(is(value(dtype, Number(-3), Number(9), 1.0), 0.0));
    // One that is not, but rounds to it.
    REQUIRE(is(value(dtype, power_of_two(-3000), Number(1), 0.0), 0.0));
    REQUIRE(is(value(dtype, power_of_two(-3000), Number(1), -0.0), 0.0));
    REQUIRE(is(value(dtype, Number(-1, -3000), Number(1), 0.0), -0.0));
    REQUIRE(is(value(dtype, Number(-1, -3000), Number(3), -0.0), -0.0));
  }
  REQUIRE(is(value(Dtype::float32, Number(0), Number(2), -1e-300), -0.0));
  REQUIRE(is(value(Dtype::float16, Number(-1), Number(1), 1 - 0x1p-30), -0.0));
}

TEST_CASE("The oracle agrees with numbers of 2000 bits") {
  data::Random random(2);
  for (int i = 0; i < 20000; ++i) {
    const Dtype dtype = data::kFloating[i % 3];
    const int spread = i % 2 == 0 ? 4 : 300;
    const auto any = [&] {
      return Number(std::ldexp(random.unit() + 0.1, random.between(-spread, spread)));
    };
    const Number n = i % 5 < 2 ? any() : Number(0) - any() * any();
    const Number d = any() * any() + any();
    const double alone = value(Dtype::float64, n, d);
    const double offset = i % 7 == 0   ? -alone
                          : i % 7 == 1 ? std::nextafter(-alone, 0.0)
                          : i % 7 == 2 ? -of_bits(Dtype::float16, random.below(0x7c00))
                                       : std::ldexp(random.unit(), random.between(-spread, spread));
    mpf_class want(0, 2000);
    mpf_sqrt(want.get_mpf_t(), real(d).get_mpf_t());
    want = real(n) / want + real(Number(offset));
    const double have = value(dtype, n, d, offset);
    INFO(bn::name(dtype) << " " << have << " " << want << " " << offset);
    REQUIRE(std::signbit(have) == (sgn(want) < 0));
    // Between the midpoints to the neighbours on both sides.
    const std::uint64_t end = infinity_bits(dtype);
    std::uint64_t low = 0;
    std::uint64_t high = end + 1;
    while (high - low > 1) {
      const std::uint64_t middle = (low + high) / 2;
      (of_bits(dtype, middle) <= std::fabs(have) && middle <= end ? low : high) = middle;
    }
    REQUIRE(of_bits(dtype, low) == std::fabs(have));
    if (low > 0) REQUIRE(abs(want) > real(midpoint(dtype, low - 1)));
    if (low < end) REQUIRE(abs(want) < real(midpoint(dtype, low)));
  }
}

TEST_CASE("The oracle's gradients of three values are those that a pencil finds") {
  // In test mode: x + 1 over 2.
  const std::vector<mpq_class> x{-1, 0, 1};
  const std::vector<mpq_class> dy{0, 0, 3};
  const oracle::Gradients test = oracle::gradients_test(Dtype::float64, x, dy, -1, 3, 0.5, 1);
  REQUIRE(test.dbeta == 3);
  REQUIRE(test.dgamma == 3);          // 3 * (1 + 1) / 2
  REQUIRE(test.dx[2].value == 0.75);  // 0.5 * 3 / 2
  REQUIRE(same_bits(test.dx[0].value, 0.0));
  // Two values and eps = 3: var + eps = 4. dx = gamma / 2 * (dy - 1 - x / 4 * 1), dy's mean 1.
  const oracle::Gradients train = oracle::gradients_train(Dtype::float64, {-1, 1}, {0, 2}, 8, 3);
  REQUIRE(train.dbeta == 2);
  REQUIRE(train.dgamma == 1);  // 2 * 1 / 2
  REQUIRE(train.dx[0].value == -3);
  REQUIRE(train.dx[1].value == 3);
  const oracle::Centre centre = oracle::of_batch({mpq_class(1), mpq_class(3)}, 3);
  REQUIRE(oracle::y(Dtype::float64, 3, centre, 8, 0.5).value == 4.5);
  REQUIRE(oracle::y(Dtype::float64, 1, oracle::of_running(3, 1, 3), 8, 0.5).value == -7.5);
}
