// A pass through a layer in plain arithmetic, right or with a mistake in one step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bn/diagnosis/diagnosis.hpp"
#include "bn/verification.hpp"
#include "data.hpp"
#include "support.hpp"

namespace diagnosis {

/// What the code of somebody else does; as it starts, what is right.
struct Code {
  double eps = 0.01;
  bool eps_outside_root = false;
  bool var_unbiased = false;
  bool running_statistics = false;  ///< for x_hat
  std::size_t group = ~std::size_t{0};
  std::size_t shift_parameters = 0;  ///< those of channel c + shift
  std::size_t shift_statistics = 0;
  bool float_sums = false;  ///< E[x^2] - E[x]^2
  bool without_gamma = false;
  bool without_beta = false;
  bool without_mean_terms = false;
  bool mean_for_sum = false;
  bool x_for_x_hat = false;
  double weight = 0.1;
  bool running_var_biased = false;
  std::uint64_t counted = 1;
};

struct Moments {
  double mean = 0;
  double var = 0;
};

struct Case {
  Case(const bn::View& of, bn::Mode in_mode, bn::Dtype dtype, double mean = 3)
      : view(of),
        mode(in_mode),
        layer(of.channel, 0.01),
        running{layer.running_mean, layer.running_var, 5},
        x(dtype, of.size()),
        dy(dtype, of.size()),
        y(dtype, of.size()),
        dx(dtype, of.size()),
        new_mean{std::vector<double>(of.channel), dtype},
        new_var(new_mean),
        dgamma(new_mean),
        dbeta(new_mean) {
    data::Random random(7);
    for (std::size_t i = 0; i < of.size(); ++i) {
      const auto c = static_cast<double>(channel(i));
      x.set(i, mean + c + (1 + 0.25 * c) * random.normal());
      dy.set(i, 0.5 + random.normal());
    }
    for (std::size_t c = 0; c < of.channel; ++c) {  // no two alike
      layer.beta[c] = 0.375 - 0.25 * static_cast<double>(c);
      running.running_mean[c] = 0.5 + 0.125 * static_cast<double>(c);
    }
    for (std::size_t c = 0; c < of.channel; ++c) run({}, c);
  }

  [[nodiscard]] std::size_t channel(std::size_t position) const {
    return position / view.inner % view.channel;
  }

  [[nodiscard]] Moments moments(const Code& code, const std::vector<std::size_t>& of) const {
    const auto m = static_cast<double>(of.size());
    if (code.float_sums) {
      float sum = 0;
      float squares = 0;
      for (const std::size_t i : of) {
        const auto value = static_cast<float>(x.get(i));
        sum += value;
        squares += value * value;
      }
      const float mean = sum / static_cast<float>(m);
      return {mean, squares / static_cast<float>(m) - mean * mean};
    }
    long double sum = 0;
    for (const std::size_t i : of) sum += x.get(i);
    const long double mean = sum / m;
    long double squares = 0;
    for (const std::size_t i : of) squares += (x.get(i) - mean) * (x.get(i) - mean);
    return {static_cast<double>(mean), static_cast<double>(squares / m)};
  }

  /// The results of one channel.
  void run(const Code& code, std::size_t c) {
    const std::vector<std::size_t> all = x.positions(view, c);
    dgamma.values[c] = dbeta.values[c] = 0;
    const std::size_t rows = std::min(code.group, view.outer);
    for (std::size_t begin = 0; begin < all.size(); begin += rows * view.inner) {
      const std::size_t end = std::min(all.size(), begin + rows * view.inner);
      run_group(code, c, {all.data() + begin, all.data() + end});
    }
    if (code.mean_for_sum) dgamma.values[c] /= static_cast<double>(all.size());
    store(dgamma, c);
    store(dbeta, c);
    const bool train = mode == bn::Mode::train;
    const double w = train ? code.weight : 0;
    const auto [mean, var] = moments({}, all);
    const auto m = static_cast<double>(all.size());
    const double batch = code.running_var_biased ? var : var * m / (m - 1);
    new_mean.values[c] = (1 - w) * running.running_mean[c] + w * mean;
    new_var.values[c] = (1 - w) * running.running_var[c] + w * batch;
    store(new_mean, c);
    store(new_var, c);
    count = 5 + (train ? code.counted : 0);
  }

  void run_all(const Code& code) {
    for (std::size_t c = 0; c < view.channel; ++c) run(code, c);
  }

  [[nodiscard]] bn::LayerBefore before() const {
    return {mode,
            layer.gamma,
            layer.beta,
            layer.eps,
            {0.9, bn::MomentumWeights::running, bn::VarEstimator::unbiased},
            running};
  }

  /// Verifies and diagnoses one claim, or all of them.
  std::vector<bn::Diagnosis> diagnose(std::optional<bn::Quantity> alone = {},
                                      const bn::Execution& execution = {}) {
    using bn::Quantity;
    const auto claimed = [&](Quantity quantity) { return !alone || *alone == quantity; };
    data::ArraySource of_x(x);
    data::ArraySource of_dy(dy);
    data::ArraySource of_y(y);
    data::ArraySource of_dx(dx);
    bn::Claims claims;
    if (claimed(Quantity::y)) claims.y = &of_y;
    if (claimed(Quantity::dx)) claims.dx = &of_dx;
    if (claimed(Quantity::running_mean)) claims.running_mean = new_mean;
    if (claimed(Quantity::running_var)) claims.running_var = new_var;
    if (claimed(Quantity::num_batches_tracked)) claims.num_batches_tracked = count;
    if (claimed(Quantity::dgamma)) claims.dgamma = dgamma;
    if (claimed(Quantity::dbeta)) claims.dbeta = dbeta;
    const bn::LayerBefore of_layer = before();
    verification = bn::verify(view, of_x, &of_dy, of_layer, claims, tolerance, execution);
    return bn::diagnose(view, of_x, &of_dy, of_layer, claims, verification, 1, {}, execution);
  }

  bn::View view;
  bn::Mode mode;
  support::Layer layer;
  bn::RunningStatistics running;
  data::Array x, dy, y, dx;
  bn::ChannelClaim new_mean, new_var, dgamma, dbeta;
  std::uint64_t count = 0;
  std::optional<double> tolerance;
  bn::Verification verification;

 private:
  static void store(bn::ChannelClaim& claim, std::size_t c) {
    data::Array one(claim.dtype, 1);
    one.set(0, claim.values[c]);
    claim.values[c] = one.get(0);
  }

  void run_group(const Code& code, std::size_t c, const std::vector<std::size_t>& of) {
    const bool train = mode == bn::Mode::train;
    const auto m = static_cast<double>(of.size());
    const std::size_t other = (c + code.shift_statistics) % view.channel;
    Moments used = moments(code, other == c ? of : x.positions(view, other));
    if (!train || code.running_statistics) used = {running.running_mean[c], running.running_var[c]};
    const double var = code.var_unbiased ? used.var * m / (m - 1) : used.var;
    const double inv_std =
        1 / (code.eps_outside_root ? std::sqrt(var) + code.eps : std::sqrt(var + code.eps));
    const std::size_t p = (c + code.shift_parameters) % view.channel;
    const double gamma = code.without_gamma ? 1 : layer.gamma[p];
    const double beta = code.without_beta ? 0 : layer.beta[p];
    double sum_dy = 0;
    double sum_products = 0;
    for (const std::size_t i : of) {
      const double x_hat = (x.get(i) - used.mean) * inv_std;
      y.set(i, gamma * x_hat + beta);
      sum_dy += dy.get(i);
      sum_products += dy.get(i) * (code.x_for_x_hat ? x.get(i) : x_hat);
    }
    dgamma.values[c] += sum_products;
    dbeta.values[c] += sum_dy;
    const bool terms = train && !code.without_mean_terms;
    for (const std::size_t i : of) {
      const double x_hat = (x.get(i) - used.mean) * inv_std;
      const double through = terms ? (sum_dy + x_hat * sum_products) / m : 0;
      dx.set(i, gamma * inv_std * (dy.get(i) - through));
    }
  }
};

}  // namespace diagnosis
