#include "bn/formulas.hpp"

#include <utility>

#include "bn/exact/nearest.hpp"

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
          .count = centre.count,
          .terms = {{{integer(1), centre.sum}, {}}},
          .variance = centre.variance};
}

ExactChannel exact_dx(const Centre& centre, const Dyadic& sum_dy, const Dyadic& covariance,
                      double gamma) {
  return {.offset = 0,
          .factor = gamma,
          .count = centre.count,
          .terms = {{{-covariance, centre.sum}, {centre.variance, sum_dy}}},
          .variance = centre.variance,
          .power = 3};
}

ExactChannel exact_test_dx(const Centre& centre, double gamma) {
  return {.offset = 0,
          .factor = gamma,
          .terms = {{{integer(1), Dyadic()}, {}}},
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
