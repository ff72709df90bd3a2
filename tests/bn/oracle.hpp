// What the library has to compute, in integers and rationals, by GMP: no result is an
// approximation. Shares no code with the library: not its sums, not its rounding, not its float16.
#pragma once

#include <gmpxx.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bn/arrays/dtype.hpp"

namespace oracle {

/// The value of an element's bits. Finite elements only.
[[nodiscard]] mpq_class value(bn::Dtype dtype, const std::byte* element);

/// The float16 with these bits, and the bits of the float16 nearest to a value (ties to even).
[[nodiscard]] double half_value(std::uint16_t bits);
[[nodiscard]] std::uint16_t half_bits(double value);

/// A sum that never rounds: fixed point with its last bit far below every product of two values.
class ExactSum {
 public:
  void add(const mpq_class& dyadic);
  void add_product(const mpq_class& a, const mpq_class& b);
  [[nodiscard]] mpq_class value() const;

 private:
  mpz_class units_;
};

/// To the nearest double, ties to even; subnormals included; infinity from 2^1024 - 2^970 on.
[[nodiscard]] double nearest(const mpq_class& exact);

struct Statistics {
  mpq_class mean, var, var_unbiased;  // var_unbiased is zero for m = 1
};
[[nodiscard]] Statistics statistics(const std::vector<mpq_class>& values);

/// integer * 2^exponent: every element, parameter and sum is one. Never rounded.
class Number {
 public:
  Number(const mpz_class& integer = 0, int exponent = 0) : integer_(integer), exponent_(exponent) {}
  explicit Number(double finite);
  explicit Number(const mpq_class& dyadic);  ///< the denominator has to be a power of two

  [[nodiscard]] const mpz_class& integer() const { return integer_; }
  [[nodiscard]] int exponent() const { return exponent_; }
  [[nodiscard]] int sign() const { return sgn(integer_); }
  [[nodiscard]] mpq_class rational() const;
  /// The largest integer that is at most this number times 2^bits.
  [[nodiscard]] mpz_class floor(int bits) const;

  friend Number operator+(const Number& a, const Number& b);
  friend Number operator-(const Number& a, const Number& b);
  friend Number operator*(const Number& a, const Number& b);

 private:
  mpz_class integer_;
  int exponent_;
};

/// A value on its way into a dtype, and whether it lies halfway between two neighbours there.
struct Rounded {
  double value;
  bool tie;
};

/// offset + n / sqrt(d), rounded once to the nearest value of a floating dtype, ties to even;
/// infinity from the midpoint beyond the largest value on. d > 0, offset finite.
///
/// Of zeros: where n is zero, the result is the offset's, its sign included; where the sum is zero,
/// +0; a sum that is not zero but rounds to it keeps its sign.
[[nodiscard]] Rounded rounded(bn::Dtype dtype, const Number& n, const Number& d, double offset = 0);

/// What a channel is centred about and divided by: the mean is sum / m, m^2 * (var + eps) is v.
struct Centre {
  mpz_class m;
  Number sum, v;
};
[[nodiscard]] Centre of_batch(const std::vector<mpq_class>& x, double eps);
[[nodiscard]] Centre of_running(double mean, double var, double eps);

/// y of one element.
[[nodiscard]] Rounded y(bn::Dtype dtype, const mpq_class& x, const Centre& centre, double gamma,
                        double beta);

/// The gradients of a channel, dx in a dtype: in train mode, and with running statistics.
struct Gradients {
  double dbeta, dgamma;
  std::vector<Rounded> dx;
};
[[nodiscard]] Gradients gradients_train(bn::Dtype dtype, const std::vector<mpq_class>& x,
                                        const std::vector<mpq_class>& dy, double gamma, double eps);
[[nodiscard]] Gradients gradients_test(bn::Dtype dtype, const std::vector<mpq_class>& x,
                                       const std::vector<mpq_class>& dy, double running_mean,
                                       double running_var, double gamma, double eps);

}  // namespace oracle
