#include "oracle.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace oracle {
namespace {

constexpr int kPoint = 2300;  // ExactSum counts in 2^-2300
constexpr mp_bitcnt_t kPrecision = 1024;

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

int log2_floor(const Real& value) {
  long exponent = 0;
  mpf_get_d_2exp(&exponent, value.get_mpf_t());  // truncates, to [0.5, 1)
  return static_cast<int>(exponent) - 1;
}

Real power_of_two(int exponent) {
  Real result(1, kPrecision);
  if (exponent >= 0) {
    mpf_mul_2exp(result.get_mpf_t(), result.get_mpf_t(), static_cast<mp_bitcnt_t>(exponent));
  } else {
    mpf_div_2exp(result.get_mpf_t(), result.get_mpf_t(), static_cast<mp_bitcnt_t>(-exponent));
  }
  return result;
}

Real product(const Real& a, const Real& b) {
  Real result(0, kPrecision);
  mpf_mul(result.get_mpf_t(), a.get_mpf_t(), b.get_mpf_t());
  return result;
}

Real larger(const Real& a, const Real& b) { return cmp(abs(a), abs(b)) < 0 ? Real(b) : Real(a); }

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

Real real(const mpq_class& exact) {
  Real result(0, kPrecision);
  mpf_set_q(result.get_mpf_t(), exact.get_mpq_t());
  return result;
}

Real inv_std(const mpq_class& var, double eps) {
  const Real sum = real(var + mpq_class(eps));
  Real root(0, kPrecision);
  mpf_sqrt(root.get_mpf_t(), sum.get_mpf_t());
  Real result(0, kPrecision);
  mpf_ui_div(result.get_mpf_t(), 1, root.get_mpf_t());
  return result;
}

double error_in_ulp(bn::Dtype dtype, double result, const Real& exact, const Real& largest) {
  if (!std::isfinite(result)) return std::numeric_limits<double>::quiet_NaN();
  struct Format {
    int digits, lowest;
  };
  const Format format = dtype == bn::Dtype::float16   ? Format{11, -14}
                        : dtype == bn::Dtype::float32 ? Format{24, -126}
                                                      : Format{53, -1022};
  const int top = sgn(largest) == 0 ? format.lowest : std::max(log2_floor(largest), format.lowest);
  const Real difference = abs(Real(result, kPrecision) - exact);
  return product(difference, power_of_two(format.digits - 1 - top)).get_d();
}

Result y(const mpq_class& x, const mpq_class& mean, const Real& inv_std, double gamma,
         double beta) {
  const Real term = product(real((x - mean) * mpq_class(gamma)), inv_std);
  Result result;
  result.exact = Real(term + Real(beta, kPrecision), kPrecision);
  result.largest = larger(larger(term, Real(beta, kPrecision)), result.exact);
  return result;
}

namespace {

struct ProductSums {
  mpq_class dy;
  mpq_class dy_x;
};

ProductSums product_sums(const std::vector<mpq_class>& x, const std::vector<mpq_class>& dy) {
  ExactSum sum_dy;
  ExactSum sum_dy_x;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum_dy.add(dy[i]);
    sum_dy_x.add_product(dy[i], x[i]);
  }
  return {sum_dy.value(), sum_dy_x.value()};
}

}  // namespace

Gradients gradients_train(const std::vector<mpq_class>& x, const std::vector<mpq_class>& dy,
                          double gamma, double eps) {
  const Statistics batch = statistics(x);
  const Real scale_x = inv_std(batch.var, eps);
  const mpz_class m(static_cast<unsigned long>(x.size()));
  const ProductSums sums = product_sums(x, dy);
  Gradients result;
  result.dbeta = sums.dy;
  const mpq_class centred = sums.dy_x - batch.mean * result.dbeta;  // sum dy (x - mean)
  result.dgamma = product(real(centred), scale_x);

  // gamma * inv_std / m * (m * dy - dbeta - x_hat * dgamma): its rational part, and inv_std^2.
  const Real scale = product(Real(gamma, kPrecision), scale_x);
  const Real inv_var = product(scale_x, scale_x);
  const Real offset = product(scale, real(result.dbeta / m));
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Real first = product(scale, real(dy[i]));
    const Real third = product(scale, product(real((x[i] - batch.mean) * centred / m), inv_var));
    Result dx;
    dx.exact = Real(Real(first - offset, kPrecision) - third, kPrecision);
    dx.largest = larger(larger(first, offset), larger(third, dx.exact));
    result.dx.push_back(dx);
  }
  return result;
}

Gradients gradients_test(const std::vector<mpq_class>& x, const std::vector<mpq_class>& dy,
                         double running_mean, double running_var, double gamma, double eps) {
  const Real scale_x = inv_std(mpq_class(running_var), eps);
  const ProductSums sums = product_sums(x, dy);
  Gradients result;
  result.dbeta = sums.dy;
  result.dgamma = product(real(sums.dy_x - mpq_class(running_mean) * result.dbeta), scale_x);
  const Real scale = product(Real(gamma, kPrecision), scale_x);
  for (const mpq_class& each : dy) {
    Result dx;
    dx.exact = product(scale, real(each));
    dx.largest = dx.exact;
    result.dx.push_back(dx);
  }
  return result;
}

}  // namespace oracle
