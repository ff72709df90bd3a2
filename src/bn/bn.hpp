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

#include "bn/arrays/memory.hpp"
#include "bn/arrays/view.hpp"
#include "bn/backward.hpp"
#include "bn/forward.hpp"
#include "bn/running_statistics.hpp"
#include "bn/statistics.hpp"

namespace bn {

/// use(view, array...) for these arrays' memory, all walked in one order.
template <class Use, class... Memory>
auto with_arrays(std::ptrdiff_t axis, const Machine& machine, Use use, const Strided& first,
                 const Memory&... others) {
  const Order order = common_order({&first, &others...});
  return use(make_view(first.shape, axis, order), StridedArray(first, order, machine),
             StridedArray(others, order, machine)...);
}

/// Train mode: forward_train() of x with channels along `axis`.
template <HasMemory X, HasMemory Y>
ForwardResult forward(const X& x, std::ptrdiff_t axis, const Parameters& parameters, Y&& y,
                      const Execution& execution = {}) {
  const auto run = [&](const View& view, StridedArray source, StridedArray sink) {
    return forward_train(view, source, parameters, sink, execution);
  };
  return with_arrays(axis, execution.machine, run, strided(x), strided(y));
}

/// Test mode: forward_test() with running statistics of shape (C,).
template <HasMemory X, HasMemory Y>
ForwardResult forward(const X& x, std::ptrdiff_t axis, const RunningStatistics& running,
                      const Parameters& parameters, Y&& y, const Execution& execution = {}) {
  const auto run = [&](const View& view, StridedArray source, StridedArray sink) {
    return forward_test(view, source, running.running_mean, running.running_var, parameters, sink,
                        execution);
  };
  return with_arrays(axis, execution.machine, run, strided(x), strided(y));
}

/// Train mode: backward_train(); `batch` are the sums that forward() returned, or null.
template <HasMemory X, HasMemory Dy, HasMemory Dx>
BackwardResult backward(const X& x, const Dy& dy, std::ptrdiff_t axis, const Sums* batch,
                        std::span<const double> gamma, double eps, Dx&& dx,
                        const Execution& execution = {}) {
  const auto run = [&](const View& view, StridedArray x_source, StridedArray dy_source,
                       StridedArray sink) {
    return backward_train(view, x_source, dy_source, batch, gamma, eps, &sink, execution);
  };
  return with_arrays(axis, execution.machine, run, strided(x), strided(dy), strided(dx));
}

/// Test mode: backward_test().
template <HasMemory X, HasMemory Dy, HasMemory Dx>
BackwardResult backward(const X& x, const Dy& dy, std::ptrdiff_t axis,
                        const RunningStatistics& running, std::span<const double> gamma, double eps,
                        Dx&& dx, const Execution& execution = {}) {
  const auto run = [&](const View& view, StridedArray x_source, StridedArray dy_source,
                       StridedArray sink) {
    return backward_test(view, x_source, dy_source, running.running_mean, running.running_var,
                         gamma, eps, &sink, execution);
  };
  return with_arrays(axis, execution.machine, run, strided(x), strided(dy), strided(dx));
}

}  // namespace bn
