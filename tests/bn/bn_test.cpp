// Properties of batch normalisation itself, and the textbook formulas as xtensor expressions.
#include "bn/bn.hpp"

#include <cmath>
#include <utility>
#include <vector>
#include <xtensor/xarray.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xview.hpp>

#include "catch.hpp"
#include "support.hpp"

using Array = xt::xarray<double>;
using support::Layer;
using Shape = std::vector<std::size_t>;

namespace {

Array noise(const Shape& shape, std::uint64_t seed) {
  Array result = Array::from_shape(shape);
  data::Random random(seed);
  for (double& value : result.storage()) value = 1 + 2 * random.normal();
  return result;
}

// (C,) as an array of `rank` dimensions whose dimension `axis` is C.
Array along(const std::vector<double>& values, std::size_t rank, std::size_t axis) {
  Shape shape(rank, 1);
  shape[axis] = values.size();
  Array result = Array::from_shape(shape);
  std::copy(values.begin(), values.end(), result.storage().begin());
  return result;
}

// Sums over all axes but one, of shape (C,).
std::vector<double> sums(const Array& x, std::size_t axis) {
  Shape axes;
  for (std::size_t d = 0; d < x.dimension(); ++d) {
    if (d != axis) axes.push_back(d);
  }
  const Array result = xt::sum(x, axes);
  return {result.begin(), result.end()};
}

struct Textbook {
  Array y, dx;
  std::vector<double> mean, var, dgamma, dbeta;
};

Textbook textbook(const Array& x, const Array& dy, std::size_t axis, const Layer& layer) {
  const std::size_t rank = x.dimension();
  const double m = static_cast<double>(x.size()) / static_cast<double>(x.shape()[axis]);
  Textbook t;
  t.mean = sums(x, axis);
  for (double& mean : t.mean) mean /= m;
  const Array centred = x - along(t.mean, rank, axis);
  t.var = sums(Array(centred * centred), axis);
  for (double& var : t.var) var /= m;
  const Array inv_std = 1.0 / xt::sqrt(along(t.var, rank, axis) + layer.eps);
  const Array x_hat = centred * inv_std;
  const Array gamma = along(layer.gamma, rank, axis);
  t.y = gamma * x_hat + along(layer.beta, rank, axis);
  t.dbeta = sums(dy, axis);
  t.dgamma = sums(Array(dy * x_hat), axis);
  t.dx = gamma * inv_std / m *
         (m * dy - along(t.dbeta, rank, axis) - x_hat * along(t.dgamma, rank, axis));
  return t;
}

double largest_difference(const Array& a, const Array& b) {
  support::Worst worst;
  for (std::size_t i = 0; i < a.size(); ++i) worst(std::fabs(a.storage()[i] - b.storage()[i]));
  return worst.value();
}

double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  support::Worst worst;
  for (std::size_t i = 0; i < a.size(); ++i) worst(std::fabs(a[i] - b[i]));
  return worst.value();
}

struct Case {
  Shape shape;
  std::size_t axis;
};
const std::vector<Case> kCases{{{40, 5}, 1},         {{5, 40}, 0},      {{6, 4, 9}, 1},
                               {{3, 4, 5, 6}, 1},    {{3, 5, 6, 4}, 3}, {{3, 5, 4, 6}, 2},
                               {{2, 3, 4, 5, 6}, 1}, {{2, 3, 1, 1}, 1}, {{1, 3, 8, 8}, 1},
                               {{3, 17, 33}, 1},     {{1025, 3}, 1},    {{2, 1, 1023}, 1}};

std::ptrdiff_t of(std::size_t axis) { return static_cast<std::ptrdiff_t>(axis); }

}  // namespace

TEST_CASE("Every function for arrays runs as the caller's Execution says") {
  const Array x = {{1, 2}, {3, 5}, {4, 4}};
  Array result = x;
  const std::vector<double> ones(2, 1);
  const bn::RunningStatistics running{{0, 0}, ones, 0};
  std::size_t calls = 0;
  bn::Execution execution;
  execution.threads = 1;
  execution.progress = [&](std::size_t, std::size_t) { ++calls; };
  const auto heard = [&] { return std::exchange(calls, 0) != 0; };

  (void)bn::forward(x, 1, {ones, ones, 1e-5}, result, execution);
  CHECK(heard());
  (void)bn::forward(x, 1, running, {ones, ones, 1e-5}, result, execution);
  CHECK(heard());
  (void)bn::backward(x, x, 1, nullptr, ones, 1e-5, result, execution);
  CHECK(heard());
  (void)bn::backward(x, x, 1, running, ones, 1e-5, result, execution);
  CHECK(heard());
}

TEST_CASE("Train mode agrees with the textbook's formulas in double") {
  for (const auto& [shape, axis] : kCases) {
    const Array x = noise(shape, 1);
    const Array dy = noise(shape, 2);
    const Layer layer(shape[axis]);
    const Textbook want = textbook(x, dy, axis, layer);
    Array y = xt::empty_like(x);
    Array dx = xt::empty_like(x);
    const auto forward = bn::forward(x, of(axis), {layer.gamma, layer.beta, layer.eps}, y);
    const auto backward = bn::backward(x, dy, of(axis), &forward.sums, layer.gamma, layer.eps, dx);
    const double m = static_cast<double>(x.size()) / static_cast<double>(shape[axis]);
    REQUIRE(largest_difference(forward.statistics.mean, want.mean) <= 1e-14 * m);
    REQUIRE(largest_difference(forward.statistics.var, want.var) <= 1e-13 * m);
    REQUIRE(largest_difference(y, want.y) <= 1e-12);
    REQUIRE(largest_difference(backward.dbeta, want.dbeta) <= 1e-14 * m * 10);
    REQUIRE(largest_difference(backward.dgamma, want.dgamma) <= 1e-13 * m * 10);
    REQUIRE(largest_difference(dx, want.dx) <= 1e-11);
  }
}

TEST_CASE("Dx is orthogonal to ones and to x_hat in train mode") {
  // sum dx = 0 and sum dx * x_hat = 0 hold exactly but for eps, whose part in x_hat is
  // eps / (var + eps): with that, sum dx * x_hat = gamma * inv_std * dgamma * eps / (var + eps).
  for (const auto& [shape, axis] : kCases) {
    const std::size_t rank = shape.size();
    const Array x = noise(shape, 1);
    const Array dy = noise(shape, 2);
    const Layer layer(shape[axis]);
    Array y = xt::empty_like(x);
    Array dx = xt::empty_like(x);
    const auto forward = bn::forward(x, of(axis), {layer.gamma, layer.beta, layer.eps}, y);
    const auto backward = bn::backward(x, dy, of(axis), &forward.sums, layer.gamma, layer.eps, dx);
    const Array inv_std = 1.0 / xt::sqrt(along(forward.statistics.var, rank, axis) + layer.eps);
    const Array x_hat = (x - along(forward.statistics.mean, rank, axis)) * inv_std;
    const std::vector<double> sum_dx = sums(dx, axis);
    const std::vector<double> sum_dx_x_hat = sums(Array(dx * x_hat), axis);
    // Every dx is within 4 ulp of its largest term, and sums here lose an ulp an addition.
    const std::vector<double> sum_dy = sums(Array(xt::abs(dy)), axis);
    const double m = static_cast<double>(x.size()) / static_cast<double>(shape[axis]);
    for (std::size_t c = 0; c < shape[axis]; ++c) {
      const double var = forward.statistics.var[c];
      const double scale = std::fabs(layer.gamma[c]) / std::sqrt(var + layer.eps);
      const double bound = 0x1p-52 * (8 + m) * 4 * scale * sum_dy[c] * std::sqrt(m);
      REQUIRE(std::fabs(sum_dx[c]) <= bound);
      const double from_eps = layer.gamma[c] / std::sqrt(var + layer.eps) * backward.dgamma[c] *
                              (layer.eps / (var + layer.eps));
      REQUIRE(std::fabs(sum_dx_x_hat[c] - from_eps) <= bound * 4);
    }
  }
}

TEST_CASE("Gradients are the limits of differences of the loss, in both modes") {
  // loss = sum w * y: dloss/dy = w.
  for (const auto& [shape, axis] : {Case{{7, 3}, 1}, Case{{3, 2, 4, 2}, 1}, Case{{2, 4, 3}, 2}}) {
    for (const bool training : {true, false}) {
      const Array x = noise(shape, 3);
      const Array w = noise(shape, 4);
      const Layer layer(shape[axis]);
      const bn::RunningStatistics running{layer.running_mean, layer.running_var, 0};
      const auto loss = [&, axis = axis](const Array& at, const std::vector<double>& gamma,
                                         const std::vector<double>& beta) {
        Array y = xt::empty_like(at);
        const bn::Parameters parameters{gamma, beta, layer.eps};
        if (training) {
          (void)bn::forward(at, of(axis), parameters, y);
        } else {
          (void)bn::forward(at, of(axis), running, parameters, y);
        }
        double sum = 0;
        for (std::size_t i = 0; i < y.size(); ++i) sum += w.storage()[i] * y.storage()[i];
        return sum;
      };
      Array dx = xt::empty_like(x);
      const auto have = training
                            ? bn::backward(x, w, of(axis), nullptr, layer.gamma, layer.eps, dx)
                            : bn::backward(x, w, of(axis), running, layer.gamma, layer.eps, dx);
      constexpr double kStep = 1e-5;
      constexpr double kBound = 1e-7;
      for (std::size_t i = 0; i < x.size(); ++i) {
        Array up = x;
        Array down = x;
        up.storage()[i] += kStep;
        down.storage()[i] -= kStep;
        const double slope =
            (loss(up, layer.gamma, layer.beta) - loss(down, layer.gamma, layer.beta)) / (2 * kStep);
        REQUIRE(std::fabs(slope - dx.storage()[i]) <= kBound);
      }
      for (std::size_t c = 0; c < layer.gamma.size(); ++c) {
        const auto moved = [&](std::vector<double> values, double by) {
          values[c] += by;
          return values;
        };
        const double of_gamma = (loss(x, moved(layer.gamma, kStep), layer.beta) -
                                 loss(x, moved(layer.gamma, -kStep), layer.beta)) /
                                (2 * kStep);
        const double of_beta = (loss(x, layer.gamma, moved(layer.beta, kStep)) -
                                loss(x, layer.gamma, moved(layer.beta, -kStep))) /
                               (2 * kStep);
        REQUIRE(std::fabs(of_gamma - have.dgamma[c]) <= kBound);
        REQUIRE(std::fabs(of_beta - have.dbeta[c]) <= kBound);
      }
    }
  }
}

TEST_CASE("Y has the mean beta and the deviation gamma") {
  for (const auto& [shape, axis] : kCases) {
    const Array x = noise(shape, 5);
    const Layer layer(shape[axis], 1e-30);
    Array y = xt::empty_like(x);
    (void)bn::forward(x, of(axis), {layer.gamma, layer.beta, layer.eps}, y);
    Array ignored = xt::empty_like(x);
    const auto again = bn::forward(y, of(axis), {layer.gamma, layer.beta, layer.eps}, ignored);
    for (std::size_t c = 0; c < shape[axis]; ++c) {
      REQUIRE(std::fabs(again.statistics.mean[c] - layer.beta[c]) <= 1e-14);
      REQUIRE(std::fabs(again.statistics.var[c] - layer.gamma[c] * layer.gamma[c]) <= 1e-13);
    }
  }
}

TEST_CASE("Test mode with the batch's own statistics is train mode to an ulp or two") {
  for (const auto& [shape, axis] : kCases) {
    const Array x = noise(shape, 6);
    const Layer layer(shape[axis]);
    Array y = xt::empty_like(x);
    Array y_test = xt::empty_like(x);
    const bn::Parameters parameters{layer.gamma, layer.beta, layer.eps};
    const auto forward = bn::forward(x, of(axis), parameters, y);
    (void)bn::forward(x, of(axis), {forward.statistics.mean, forward.statistics.var, 1}, parameters,
                      y_test);
    REQUIRE(largest_difference(y, y_test) <= 1e-14);
  }
}
