// What the library has to compute, in exact rationals and in numbers of 1024 bits, by GMP. Shares
// no code with the library: not its sums, not its rounding, not its float16.
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

/// A number of 1024 bits.
using Real = mpf_class;
[[nodiscard]] Real real(const mpq_class& exact);
[[nodiscard]] Real inv_std(const mpq_class& var, double eps);

/// |result - exact| in units in the last place of `largest`, a value of the dtype (floating).
/// NaN where the result is NaN.
[[nodiscard]] double error_in_ulp(bn::Dtype dtype, double result, const Real& exact,
                                  const Real& largest);

/// One result of forward: exact y, and the largest of gamma * x_hat, beta and y.
struct Result {
  Real exact, largest;
};
[[nodiscard]] Result y(const mpq_class& x, const mpq_class& mean, const Real& inv_std, double gamma,
                       double beta);

/// All gradients of a channel in train mode, or with running statistics where they are given.
struct Gradients {
  mpq_class dbeta;
  Real dgamma;
  std::vector<Result> dx;
};
[[nodiscard]] Gradients gradients_train(const std::vector<mpq_class>& x,
                                        const std::vector<mpq_class>& dy, double gamma, double eps);
[[nodiscard]] Gradients gradients_test(const std::vector<mpq_class>& x,
                                       const std::vector<mpq_class>& dy, double running_mean,
                                       double running_var, double gamma, double eps);

}  // namespace oracle
