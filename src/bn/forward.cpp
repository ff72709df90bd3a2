#include "bn/forward.hpp"

#include <array>
#include <atomic>
#include <cmath>

#include "bn/centring.hpp"
#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/exact/double_double_arithmetic.hpp"
#include "bn/passes/passes.hpp"
#include "bn/tiles/checksum.hpp"
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

// What both modes share: y from the constants of every channel.
class Forward : public Computation {
 public:
  Forward(const View& view, const Parameters& parameters, const Execution& execution)
      : parameters_(parameters), with_checksum_(execution.x_checksum), constants_(view.channel) {}

  void apply(const View&, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
             MutableRows y) override {
    overflows_ += normalise(tile, blocks[0], constants_, dtype, y);
  }

  [[nodiscard]] std::size_t overflows() const { return overflows_; }
  [[nodiscard]] std::uint64_t x_checksum() const { return x_checksum_; }

 protected:
  // gamma * inv_std * 2^exponent
  [[nodiscard]] double scale_of(std::size_t c, DoubleDouble var, int exponent = 0) const {
    const DoubleDouble inv_std = inverse_sqrt(var + parameters_.eps);
    const double gamma = parameters_.gamma[c];
    // Up before the product underflows, down after it.
    return exponent > 0 ? (inv_std * std::ldexp(gamma, exponent)).hi
                        : std::ldexp((inv_std * gamma).hi, exponent);
  }
  void set(std::size_t c, const Centre& centre, double scale) {
    constants_.origin.set(c, centre.origin);
    constants_.mean[c] = centre.mean.hi;
    constants_.mean_lo[c] = centre.mean.lo;
    constants_.scale[c] = scale;
    constants_.beta[c] = parameters_.beta[c];
  }
  [[nodiscard]] double gamma(std::size_t c) const { return parameters_.gamma[c]; }
  void check_scale() const {
    for (std::size_t c = 0; c < constants_.scale.size(); ++c) {
      if (!std::isfinite(constants_.scale[c])) throw RangeError("gamma * inv_std", c);
    }
  }
  void add_checksum(const View& view, const Tile& tile, const Block& x) {
    if (with_checksum_) x_checksum_ += checksum(view, tile, x.dtype, x.rows);
  }

 private:
  const Parameters& parameters_;
  const bool with_checksum_;
  AffineChannels constants_;
  std::atomic<std::size_t> overflows_{0};
  std::atomic<std::uint64_t> x_checksum_{0};
};

class ForwardTrain : public Forward {
 public:
  ForwardTrain(const View& view, Dtype x, const Parameters& parameters, const Execution& execution,
               ForwardResult& result)
      : Forward(view, parameters, execution), x_(x), result_(result) {}

  void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
              std::span<const Block> blocks) override {
    sums[0].add_moments(view, tile, blocks[0]);
    add_checksum(view, tile, blocks[0]);
  }

  void finish(std::size_t c, std::span<ChannelSums> sums) override {
    auto [sum, sum_squares] = sums[0].take(c);
    const ChannelStatistics statistics = channel_statistics(sum, sum_squares, result_.sums.count);
    result_.statistics.set(c, statistics);
    // In a constant channel x - mean is 0, and y is beta whatever the scale.
    const bool no_scale = statistics.constant || gamma(c) == 0;
    const double scale = no_scale ? 0 : not_zero(scale_of(c, statistics.var));
    const Centre centre = batch_centre(x_, sum, result_.sums.count, statistics, scale);
    set(c, centre, no_scale ? 0 : scale_of(c, statistics.var, -std::ilogb(centre.origin.factor)));
    result_.sums.sum[c] = std::move(sum);
    result_.sums.sum_squares[c] = std::move(sum_squares);
  }

  void check() const override {
    result_.statistics.check_range();
    check_scale();
  }

 private:
  const Dtype x_;
  ForwardResult& result_;
};

class ForwardTest : public Forward {
 public:
  ForwardTest(const View& view, Dtype x, std::span<const double> running_mean,
              std::span<const double> running_var, const Parameters& parameters,
              const Execution& execution)
      : Forward(view, parameters, execution) {
    for (std::size_t c = 0; c < view.channel; ++c) {
      set(c, running_centre(x, running_mean[c]), scale_of(c, {running_var[c], 0}));
    }
  }

  void add_to(const View&, std::span<ChannelSums>, const Tile&, std::span<const Block>) override {}
  void finish(std::size_t, std::span<ChannelSums>) override {}

  void apply(const View& view, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
             MutableRows y) override {
    add_checksum(view, tile, blocks[0]);  // first: y may take the place of x
    Forward::apply(view, tile, blocks, dtype, y);
  }
};

}  // namespace

ForwardResult forward_train(const View& view, Source& x, const Parameters& parameters, Sink& y,
                            const Execution& execution) {
  check_parameters(view, parameters.gamma, parameters.beta, parameters.eps);
  if (view.m() == 1 && view.channel != 0) throw SingleValueError();
  ForwardResult result;
  result.sums.count = view.m();
  result.sums.sum.resize(view.channel);
  result.sums.sum_squares.resize(view.channel);
  if (view.m() == 0) return result;
  result.statistics = Statistics(view.channel);

  ForwardTrain computation(view, x.dtype(), parameters, execution, result);
  const std::array<Source*, 1> sources{&x};
  sum_and_apply(view, sources, computation, &y, execution);
  result.overflows = computation.overflows();
  result.x_checksum = computation.x_checksum();
  return result;
}

ForwardResult forward_test(const View& view, Source& x, std::span<const double> running_mean,
                           std::span<const double> running_var, const Parameters& parameters,
                           Sink& y, const Execution& execution) {
  check_parameters(view, parameters.gamma, parameters.beta, parameters.eps);
  check_running(view, running_mean, running_var);
  ForwardTest computation(view, x.dtype(), running_mean, running_var, parameters, execution);
  const std::array<Source*, 1> sources{&x};
  apply_only(view, sources, computation, y, execution);
  ForwardResult result;
  result.overflows = computation.overflows();
  result.x_checksum = computation.x_checksum();
  return result;
}

}  // namespace bn
