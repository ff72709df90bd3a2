#include "bn/formulas.hpp"

#include <utility>

namespace bn {
namespace {

Dyadic integer(std::uint64_t value) { return {Integer(value), 0}; }

}  // namespace

Centre batch_centre(const Dyadic& sum, const Dyadic& deviation, std::uint64_t count, double eps) {
  Dyadic variance = integer(count) * integer(count) * Dyadic(eps);
  variance += deviation;
  return {count, sum, std::move(variance)};
}

Centre running_centre(double running_mean, double running_var, double eps) {
  Dyadic variance(running_var);
  variance += Dyadic(eps);
  return {1, Dyadic(running_mean), std::move(variance)};
}

ExactChannel exact_y(const Centre& centre, double gamma, double beta) {
  return {.offset = beta,
          .factor = gamma,
          .slopes = {integer(centre.count), Dyadic()},
          .constant = -centre.sum,
          .variance = centre.variance};
}

ExactChannel exact_dx(const Centre& centre, const Dyadic& sum_dy, const Dyadic& covariance,
                      double gamma) {
  const Dyadic m = integer(centre.count);
  Dyadic constant = centre.sum * covariance;
  constant -= sum_dy * centre.variance;
  return {.offset = 0,
          .factor = gamma,
          .slopes = {-(m * covariance), m * centre.variance},
          .constant = std::move(constant),
          .variance = centre.variance,
          .power = 3};
}

ExactChannel exact_test_dx(const Centre& centre, double gamma) {
  return {.offset = 0,
          .factor = gamma,
          .slopes = {integer(1), Dyadic()},
          .constant = {},
          .variance = centre.variance};
}

Dyadic covariance(const Centre& centre, const Dyadic& sum_dy, const Dyadic& sum_dy_x) {
  Dyadic result = integer(centre.count) * sum_dy_x;
  result -= centre.sum * sum_dy;
  return result;
}

double dgamma(const Centre& centre, const Dyadic& covariance) {
  return nearest_double({0, covariance, centre.variance});
}

}  // namespace bn
