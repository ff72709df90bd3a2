#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace oracle {
namespace {

constexpr int kPoint = 2300;  // ExactSum counts in 2^-2300

template <class T>
T read(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

// floor(log2 |value|), value != 0
int log2_floor(const mpq_class& value) {
  const mpz_class n = abs(value.get_num());
  const mpz_class& d = value.get_den();
  const auto bits = [](const mpz_class& z) {
    return static_cast<int>(mpz_sizeinbase(z.get_mpz_t(), 2));
  };
  const int e = bits(n) - bits(d);
  const mpz_class scaled_n = e < 0 ? mpz_class(n << static_cast<unsigned>(-e)) : n;
  const mpz_class scaled_d = e > 0 ? mpz_class(d << static_cast<unsigned>(e)) : d;
  return scaled_n < scaled_d ? e - 1 : e;
}

}  // namespace

double half_value(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  double magnitude = 0;
  if (exponent == 0) {
    magnitude = std::ldexp(fraction, -24);
  } else if (exponent < 31) {
    magnitude = std::ldexp(1024 + fraction, exponent - 25);
  } else {
    magnitude = fraction == 0 ? std::numeric_limits<double>::infinity()
                              : std::numeric_limits<double>::quiet_NaN();
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

std::uint16_t half_bits(double value) {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
  const double magnitude = std::fabs(value);
  // The neighbours by bisection over the bits, which are in the order of the magnitudes.
  std::uint16_t low = 0;
  std::uint16_t high = 0x7c00;
  while (high - low > 1) {
    const auto middle = static_cast<std::uint16_t>((low + high) / 2);
    (half_value(middle) <= magnitude ? low : high) = middle;
  }
  if (std::isinf(value)) return static_cast<std::uint16_t>(sign | 0x7c00);
  const double above = high == 0x7c00 ? 65536.0 : half_value(high);  // as if the range went on
  const double to_low = magnitude - half_value(low);
  const double to_high = above - magnitude;
  const bool up = to_high < to_low || (to_high == to_low && (low & 1) != 0);
  return static_cast<std::uint16_t>(sign | (up ? high : low));
}

mpq_class value(bn::Dtype dtype, const std::byte* element) {
  using bn::Dtype;
  switch (dtype) {
    case Dtype::float16:
      return mpq_class(half_value(read<std::uint16_t>(element)));
    case Dtype::float32:
      return mpq_class(static_cast<double>(read<float>(element)));
    case Dtype::float64:
      return mpq_class(read<double>(element));
    case Dtype::int8:
      return mpq_class(static_cast<int>(read<std::int8_t>(element)));
    case Dtype::int16:
      return mpq_class(static_cast<int>(read<std::int16_t>(element)));
    case Dtype::int32:
      return mpq_class(read<std::int32_t>(element));
    case Dtype::int64:
      return mpq_class(static_cast<long>(read<std::int64_t>(element)));
    case Dtype::uint8:
    case Dtype::boolean:
      return mpq_class(static_cast<unsigned>(read<std::uint8_t>(element)));
    case Dtype::uint16:
      return mpq_class(static_cast<unsigned>(read<std::uint16_t>(element)));
    case Dtype::uint32:
      return mpq_class(read<std::uint32_t>(element));
    case Dtype::uint64:
      return mpq_class(static_cast<unsigned long>(read<std::uint64_t>(element)));
  }
  return {};
}

void ExactSum::add(const mpq_class& dyadic) {
  // The denominator is 2^k with k < kPoint.
  const auto k = static_cast<int>(mpz_sizeinbase(dyadic.get_den_mpz_t(), 2)) - 1;
  units_ += dyadic.get_num() << static_cast<unsigned>(kPoint - k);
}

void ExactSum::add_product(const mpq_class& a, const mpq_class& b) {
  const auto k = static_cast<int>(mpz_sizeinbase(a.get_den_mpz_t(), 2) +
                                  mpz_sizeinbase(b.get_den_mpz_t(), 2)) -
                 2;
  units_ += mpz_class(a.get_num() * b.get_num()) << static_cast<unsigned>(kPoint - k);
}

mpq_class ExactSum::value() const {
  mpq_class result(units_, mpz_class(1) << kPoint);
  result.canonicalize();
  return result;
}

double nearest(const mpq_class& exact) {
  if (exact == 0) return 0;
  const int top = log2_floor(exact);
  const int last = std::max(top - 52, -1074);
  mpz_class n = abs(exact.get_num());
  mpz_class d = exact.get_den();
  if (last < 0) {
    n <<= static_cast<unsigned>(-last);
  } else {
    d <<= static_cast<unsigned>(last);
  }
  mpz_class q;
  mpz_class rest;
  mpz_fdiv_qr(q.get_mpz_t(), rest.get_mpz_t(), n.get_mpz_t(), d.get_mpz_t());
  const int compared = cmp(mpz_class(2 * rest), d);
  if (compared > 0 || (compared == 0 && mpz_odd_p(q.get_mpz_t()) != 0)) ++q;
  const double magnitude = std::ldexp(q.get_d(), last);  // q <= 2^53: exact, or infinite
  return exact < 0 ? -magnitude : magnitude;
}

Statistics statistics(const std::vector<mpq_class>& values) {
  ExactSum sum;
  ExactSum sum_squares;
  for (const mpq_class& v : values) {
    sum.add(v);
    sum_squares.add_product(v, v);
  }
  const mpz_class m(static_cast<unsigned long>(values.size()));
  Statistics result;
  result.mean = sum.value() / m;
  // The mean of the squares less the square of the mean: exact, so that nothing cancels.
  result.var = sum_squares.value() / m - result.mean * result.mean;
  if (values.size() > 1) result.var_unbiased = result.var * m / (m - 1);
  return result;
}

Number::Number(double finite) : Number(mpq_class(finite)) {}

Number::Number(const mpq_class& dyadic)
    : integer_(dyadic.get_num()),
      exponent_(1 - static_cast<int>(mpz_sizeinbase(dyadic.get_den_mpz_t(), 2))) {}

mpq_class Number::rational() const {
  mpq_class result(integer_);
  if (exponent_ >= 0) {
    mpq_mul_2exp(result.get_mpq_t(), result.get_mpq_t(), static_cast<mp_bitcnt_t>(exponent_));
  } else {
    mpq_div_2exp(result.get_mpq_t(), result.get_mpq_t(), static_cast<mp_bitcnt_t>(-exponent_));
  }
  return result;
}

mpz_class Number::floor(int bits) const {
  const int shift = exponent_ + bits;
  mpz_class result;
  if (shift >= 0) {
    mpz_mul_2exp(result.get_mpz_t(), integer_.get_mpz_t(), static_cast<mp_bitcnt_t>(shift));
  } else {
    mpz_fdiv_q_2exp(result.get_mpz_t(), integer_.get_mpz_t(), static_cast<mp_bitcnt_t>(-shift));
  }
  return result;
}

Number operator+(const Number& a, const Number& b) {
  const int exponent = std::min(a.exponent_, b.exponent_);
  return {a.floor(-exponent) + b.floor(-exponent), exponent};
}

Number operator-(const Number& a, const Number& b) { return a + Number(-b.integer_, b.exponent_); }

Number operator*(const Number& a, const Number& b) {
  return {a.integer_ * b.integer_, a.exponent_ + b.exponent_};
}

namespace {

// A floating dtype: digits of a significand, exponents of the smallest value and of the largest.
struct Format {
  int digits, lowest, highest;
};

Format format(bn::Dtype dtype) {
  if (dtype == bn::Dtype::float16) return {11, -24, 15};
  if (dtype == bn::Dtype::float32) return {24, -149, 127};
  return {53, -1074, 1023};
}

// A real number by its floor in units of 2^-bits, and whether it is more than that.
struct Floor {
  mpz_class units;
  bool more;
};

// n / sqrt(d) is the root of n^2 / d.
Floor quotient_by_root(const Number& n, const Number& d, int bits) {
  mpz_class dividend = n.integer() * n.integer();
  mpz_class divisor = d.integer();
  const int shift = 2 * (n.exponent() + bits) - d.exponent();
  if (shift >= 0) {
    dividend <<= static_cast<unsigned>(shift);
  } else {
    divisor <<= static_cast<unsigned>(-shift);
  }
  // The floor of a root is that of the root of the floor. Where both divide without a rest, and
  // only there, the root is a multiple of the unit.
  mpz_class quotient, rest, root, rest_of_root;
  mpz_fdiv_qr(quotient.get_mpz_t(), rest.get_mpz_t(), dividend.get_mpz_t(), divisor.get_mpz_t());
  mpz_sqrtrem(root.get_mpz_t(), rest_of_root.get_mpz_t(), quotient.get_mpz_t());
  const bool more = rest != 0 || rest_of_root != 0;
  if (n.sign() >= 0) return {root, more};
  return {mpz_class(-root - (more ? 1 : 0)), more};
}

// Every value of the dtype and every midpoint of two is a multiple of 2^-bits.
Rounded round_units(const Format& to, const Floor& exact, int bits) {
  const bool negative = exact.units < 0;
  // The magnitude by its floor, too: -(units + something) is -units - 1 and the rest of that.
  mpz_class magnitude = abs(exact.units);
  if (negative && exact.more) --magnitude;
  const int top = static_cast<int>(mpz_sizeinbase(magnitude.get_mpz_t(), 2)) - 1 - bits;
  const int last = std::max(top - (to.digits - 1), to.lowest);
  const auto cut = static_cast<mp_bitcnt_t>(last + bits);
  mpz_class significand, rest;
  mpz_fdiv_q_2exp(significand.get_mpz_t(), magnitude.get_mpz_t(), cut);
  mpz_fdiv_r_2exp(rest.get_mpz_t(), magnitude.get_mpz_t(), cut);
  const int compared = cmp(rest, mpz_class(mpz_class(1) << (cut - 1)));
  const bool tie = compared == 0 && !exact.more;
  const bool up = tie ? mpz_odd_p(significand.get_mpz_t()) != 0 : compared >= 0;
  if (up) ++significand;
  double value = std::ldexp(significand.get_d(), last);  // significand <= 2^digits: exact
  if (std::ilogb(value) > to.highest) value = std::numeric_limits<double>::infinity();
  return {negative ? -value : value, tie};
}

}  // namespace

Rounded rounded(bn::Dtype dtype, const Number& n, const Number& d, double offset) {
  const Format to = format(dtype);
  const Number beside(offset);
  // With the offset a multiple of the unit, too, the sum's floor is the sum of the floors.
  const int bits = std::max(1 - to.lowest, -beside.exponent());
  if (n.sign() == 0) {
    const Rounded alone = round_units(to, {beside.floor(bits), false}, bits);
    return {std::copysign(alone.value, offset), alone.tie};
  }
  Floor sum = quotient_by_root(n, d, bits);
  sum.units += beside.floor(bits);
  return round_units(to, sum, bits);
}

Centre of_batch(const std::vector<mpq_class>& x, double eps) {
  Centre centre;
  centre.m = static_cast<unsigned long>(x.size());
  Number sum_squares;
  for (const mpq_class& each : x) {
    const Number value(each);
    centre.sum = centre.sum + value;
    sum_squares = sum_squares + value * value;
  }
  const Number m(centre.m);
  centre.v = m * sum_squares - centre.sum * centre.sum + m * m * Number(eps);
  return centre;
}

Centre of_running(double mean, double var, double eps) {
  return {1, Number(mean), Number(var) + Number(eps)};
}

Rounded y(bn::Dtype dtype, const mpq_class& x, const Centre& centre, double gamma, double beta) {
  const Number centred = Number(centre.m) * Number(x) - centre.sum;
  return rounded(dtype, Number(gamma) * centred, centre.v, beta);
}

namespace {

// m * sum dy (x - mean) and sum dy.
struct Products {
  Number centred, dy;
};

Products products(const std::vector<mpq_class>& x, const std::vector<mpq_class>& dy,
                  const Number& m, const Number& sum_x) {
  Number sum_dy;
  Number sum_dy_x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum_dy = sum_dy + Number(dy[i]);
    sum_dy_x = sum_dy_x + Number(dy[i]) * Number(x[i]);
  }
  return {m * sum_dy_x - sum_x * sum_dy, sum_dy};
}

}  // namespace

Gradients gradients_train(bn::Dtype dtype, const std::vector<mpq_class>& x,
                          const std::vector<mpq_class>& dy, double gamma, double eps) {
  const Centre batch = of_batch(x, eps);
  const Number m(batch.m);
  const auto [centred, sum_dy] = products(x, dy, m, batch.sum);
  Gradients result;
  result.dbeta = rounded(bn::Dtype::float64, sum_dy, Number(1)).value;
  result.dgamma = rounded(bn::Dtype::float64, centred, batch.v).value;
  // gamma * inv_std / m * (m * dy - dbeta - x_hat * dgamma), with inv_std = m / sqrt(v).
  const Number cube = batch.v * batch.v * batch.v;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Number terms =
        (m * Number(dy[i]) - sum_dy) * batch.v - (m * Number(x[i]) - batch.sum) * centred;
    result.dx.push_back(rounded(dtype, Number(gamma) * terms, cube));
  }
  return result;
}

Gradients gradients_test(bn::Dtype dtype, const std::vector<mpq_class>& x,
                         const std::vector<mpq_class>& dy, double running_mean, double running_var,
                         double gamma, double eps) {
  const Centre running = of_running(running_mean, running_var, eps);
  const auto [centred, sum_dy] = products(x, dy, Number(1), running.sum);
  Gradients result;
  result.dbeta = rounded(bn::Dtype::float64, sum_dy, Number(1)).value;
  result.dgamma = rounded(bn::Dtype::float64, centred, running.v).value;
  for (const mpq_class& each : dy) {
    result.dx.push_back(rounded(dtype, Number(gamma) * Number(each), running.v));
  }
  return result;
}

}  // namespace oracle
