// A pass through a layer, and what somebody claims of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bn/verification.hpp"
#include "data.hpp"
#include "oracle.hpp"
#include "support.hpp"

namespace verification {

/// A layer, its data, and right results of each kind, which tests may spoil.
struct Case {
  Case(const bn::View& of, bn::Mode in_mode, bn::Dtype dtype, std::uint64_t variant = 1)
      : view(of),
        mode(in_mode),
        layer(of.channel),
        running{layer.running_mean, layer.running_var, 5},
        x(data::make(dtype, of, data::Kind::normal, variant)),
        dy(data::make(dtype, of, data::Kind::normal, variant + 1)),
        y(dtype, of.size()),
        dx(dtype, of.size()) {
    for (std::size_t c = 0; c < view.channel; ++c) set_channel(c);
  }

  // By the oracle; running statistics in plain arithmetic.
  void set_channel(std::size_t c) {
    const auto values = x.channel(view, c);
    const auto gradients_of = dy.channel(view, c);
    const bool train = mode == bn::Mode::train;
    const oracle::Centre centre =
        train ? oracle::of_batch(values, layer.eps)
              : oracle::of_running(layer.running_mean[c], layer.running_var[c], layer.eps);
    const oracle::Gradients gradients =
        train ? oracle::gradients_train(dx.dtype(), values, gradients_of, layer.gamma[c], layer.eps)
              : oracle::gradients_test(dx.dtype(), values, gradients_of, layer.running_mean[c],
                                       layer.running_var[c], layer.gamma[c], layer.eps);
    const auto positions = x.positions(view, c);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const double gamma = layer.gamma[c];
      y.set(positions[i], oracle::y(y.dtype(), values[i], centre, gamma, layer.beta[c]).value);
      dx.set(positions[i], gradients.dx[i].value);
    }
    const oracle::Statistics batch = oracle::statistics(values);
    mean.push_back(train ? oracle::nearest(batch.mean) : layer.running_mean[c]);
    inv_std.push_back(
        1 / std::sqrt((train ? oracle::nearest(batch.var) : layer.running_var[c]) + layer.eps));
    dgamma.push_back(gradients.dgamma);
    dbeta.push_back(gradients.dbeta);
    const double w = train ? 0.9 : 1;
    const double of_mean = oracle::nearest(batch.mean);
    const double of_var = oracle::nearest(batch.var_unbiased);
    new_mean.push_back(w * layer.running_mean[c] + (1 - w) * of_mean);
    new_var.push_back(w * layer.running_var[c] + (1 - w) * of_var);
  }

  bn::Verification verify(const bn::Execution& execution = {},
                          data::Access access = data::Access::in_place) {
    data::ArraySource of_x(x, access);
    data::ArraySource of_dy(dy, access);
    data::ArraySource of_y(y, access);
    data::ArraySource of_dx(dx, access);
    const bn::LayerBefore before{
        .mode = mode,
        .gamma = layer.gamma,
        .beta = layer.beta,
        .eps = layer.eps,
        .momentum = {0.9, bn::MomentumWeights::running, bn::VarEstimator::unbiased},
        .running = running};
    const bn::Claims claims{.y = &of_y,
                            .dx = &of_dx,
                            .running_mean = bn::ChannelClaim{new_mean, bn::Dtype::float64},
                            .running_var = bn::ChannelClaim{new_var, bn::Dtype::float64},
                            .num_batches_tracked = count,
                            .dgamma = bn::ChannelClaim{dgamma, bn::Dtype::float64},
                            .dbeta = bn::ChannelClaim{dbeta, bn::Dtype::float64}};
    return bn::verify(view, of_x, &of_dy, before, claims, tolerance, execution);
  }

  [[nodiscard]] double at(const data::Array& array, std::size_t i) const {
    return oracle::nearest(array.exact(i));
  }
  [[nodiscard]] std::size_t channel(std::size_t position) const {
    return position / view.inner % view.channel;
  }
  // The sizes of the terms, as verify() says: A first.
  [[nodiscard]] double mean_size(std::size_t c) const {
    if (mode == bn::Mode::test) return std::abs(running.running_mean[c]);
    const auto m = static_cast<double>(view.m());
    return sum(c, [](double v, double) { return std::abs(v); }) / m;
  }
  [[nodiscard]] double size_of_y(std::size_t i) const {
    const std::size_t c = channel(i);
    const double a = std::abs(layer.gamma[c] * inv_std[c]);
    return std::max({a * std::abs(at(x, i)), a * mean_size(c), std::abs(layer.beta[c])});
  }
  template <class Term>
  [[nodiscard]] double sum(std::size_t c, Term term) const {
    double all = 0;
    for (const std::size_t i : x.positions(view, c)) all += term(at(x, i), at(dy, i));
    return all;
  }
  [[nodiscard]] double size_of_dbeta(std::size_t c) const {
    return sum(c, [](double, double g) { return std::abs(g); });
  }
  [[nodiscard]] double size_of_dgamma(std::size_t c) const {
    const double a = mean_size(c);
    return inv_std[c] * sum(c, [a](double v, double g) { return std::abs(g) * (std::abs(v) + a); });
  }
  [[nodiscard]] double size_of_dx(std::size_t i) const {
    const std::size_t c = channel(i);
    const double a = std::abs(layer.gamma[c]) * inv_std[c];
    const double first = std::abs(at(dy, i));
    if (mode == bn::Mode::test) return a * first;
    const auto m = static_cast<double>(view.m());
    const double x_hat = std::abs(at(x, i) - mean[c]) * inv_std[c];
    const double of_x = std::max(std::abs(at(x, i)), mean_size(c));
    const double last = (x_hat * size_of_dgamma(c) + std::abs(dgamma[c]) * inv_std[c] * of_x) / m;
    return a * std::max({first, size_of_dbeta(c) / m, last});
  }
  [[nodiscard]] double size_of_mean(std::size_t c) const {
    const double old = std::abs(running.running_mean[c]);
    return mode == bn::Mode::test ? old : 0.9 * old + 0.1 * mean_size(c);
  }
  [[nodiscard]] double size_of_var(std::size_t c) const {
    if (mode == bn::Mode::test) return running.running_var[c];
    const double var = (new_var[c] - 0.9 * running.running_var[c]) / 0.1;
    const double deviation = std::sqrt(var) + 0x1p-53 * mean_size(c);  // claimed in float64
    return 0.9 * running.running_var[c] + 0.1 * deviation * (deviation + mean_size(c));
  }

  bn::View view;
  bn::Mode mode;
  support::Layer layer;
  bn::RunningStatistics running;
  data::Array x, dy, y, dx;
  std::vector<double> mean, inv_std, dgamma, dbeta, new_mean, new_var;
  std::optional<std::uint64_t> count = mode == bn::Mode::train ? 6 : 5;
  std::optional<double> tolerance;
};

}  // namespace verification
