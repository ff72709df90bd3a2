#include "bn/check.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace bn {

void check_size(const char* what, std::size_t size, std::size_t channels) {
  if (size != channels) {
    throw std::invalid_argument(std::string(what) + " has " + std::to_string(size) +
                                " values for " + std::to_string(channels) + " channels");
  }
}

void check_finite(const char* what, std::span<const double> values) {
  for (const double value : values) {
    if (!std::isfinite(value)) {
      throw std::invalid_argument(std::string(what) + " has a value that is not finite");
    }
  }
}

void check_parameters(const View& view, std::span<const double> gamma, std::span<const double> beta,
                      double eps) {
  check_size("gamma", gamma.size(), view.channel);
  check_size("beta", beta.size(), view.channel);
  check_finite("gamma", gamma);
  check_finite("beta", beta);
  if (!(eps > 0 && std::isfinite(eps))) {
    throw std::invalid_argument("eps has to be greater than 0, and finite");
  }
}

void check_running(const View& view, std::span<const double> running_mean,
                   std::span<const double> running_var) {
  check_size("running_mean", running_mean.size(), view.channel);
  check_size("running_var", running_var.size(), view.channel);
  check_finite("running_mean", running_mean);
  for (const double var : running_var) {
    if (!(var >= 0 && std::isfinite(var))) {
      throw std::invalid_argument("running_var has a value that is negative or not finite");
    }
  }
}

}  // namespace bn
