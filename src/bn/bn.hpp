// Batch normalisation of xtensor arrays: the library as its users call it.
//
//   xt::xarray<float> x = ..., y = xt::empty_like(x);          // (N, C, H, W)
//   std::vector<double> gamma(C, 1.0), beta(C, 0.0);
//   const auto [sums, statistics, ...] = bn::forward(x, 1, {gamma, beta, 1e-5}, y);
//
// Every array may be an xt::xarray, an xt::xtensor, memory adapted by xt::adapt or a strided view
// of one of these; nothing is copied. Each may have another element type: see dtype.hpp. What the
// functions compute, promise and throw is stated with those they forward to; besides, they throw
// std::invalid_argument for arrays of different shapes and for a wrong axis.
#pragma once

#include "bn/backward.hpp"
#include "bn/forward.hpp"
#include "bn/memory.hpp"
#include "bn/statistics.hpp"
#include "bn/view.hpp"

namespace bn {

/// Train mode: forward_train() of x with channels along `axis`.
template <HasMemory X, HasMemory Y>
ForwardResult forward(const X& x, std::ptrdiff_t axis, const Parameters& parameters, Y&& y,
                      const Execution& execution = {}) {
  const Strided x_memory = strided(x);
  const Strided y_memory = strided(y);
  const Order order = common_order({&x_memory, &y_memory});
  StridedArray source(x_memory, order);
  StridedArray sink(y_memory, order);
  return forward_train(make_view(x_memory.shape, axis, order), source, parameters, sink, execution);
}

/// Test mode: forward_test() with running statistics of shape (C,).
template <HasMemory X, HasMemory Y>
ForwardResult forward(const X& x, std::ptrdiff_t axis, const RunningStatistics& running,
                      const Parameters& parameters, Y&& y, const Execution& execution = {}) {
  const Strided x_memory = strided(x);
  const Strided y_memory = strided(y);
  const Order order = common_order({&x_memory, &y_memory});
  StridedArray source(x_memory, order);
  StridedArray sink(y_memory, order);
  return forward_test(make_view(x_memory.shape, axis, order), source, running.running_mean,
                      running.running_var, parameters, sink, execution);
}

/// Train mode: backward_train(); `batch` are the sums that forward() returned, or null.
template <HasMemory X, HasMemory Dy, HasMemory Dx>
BackwardResult backward(const X& x, const Dy& dy, std::ptrdiff_t axis, const Sums* batch,
                        std::span<const double> gamma, double eps, Dx&& dx,
                        const Execution& execution = {}) {
  const Strided x_memory = strided(x);
  const Strided dy_memory = strided(dy);
  const Strided dx_memory = strided(dx);
  const Order order = common_order({&x_memory, &dy_memory, &dx_memory});
  StridedArray x_source(x_memory, order);
  StridedArray dy_source(dy_memory, order);
  StridedArray sink(dx_memory, order);
  return backward_train(make_view(x_memory.shape, axis, order), x_source, dy_source, batch, gamma,
                        eps, &sink, execution);
}

/// Test mode: backward_test().
template <HasMemory X, HasMemory Dy, HasMemory Dx>
BackwardResult backward(const X& x, const Dy& dy, std::ptrdiff_t axis,
                        const RunningStatistics& running, std::span<const double> gamma, double eps,
                        Dx&& dx, const Execution& execution = {}) {
  const Strided x_memory = strided(x);
  const Strided dy_memory = strided(dy);
  const Strided dx_memory = strided(dx);
  const Order order = common_order({&x_memory, &dy_memory, &dx_memory});
  StridedArray x_source(x_memory, order);
  StridedArray dy_source(dy_memory, order);
  StridedArray sink(dx_memory, order);
  return backward_test(make_view(x_memory.shape, axis, order), x_source, dy_source,
                       running.running_mean, running.running_var, gamma, eps, &sink, execution);
}

}  // namespace bn
