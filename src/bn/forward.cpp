#include "bn/forward.hpp"

#include <array>
#include <cmath>
#include <utility>

#include "bn/centring.hpp"
#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/exact/double_double_arithmetic.hpp"
#include "bn/passes/passes.hpp"
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

// y from the constants of every channel.
class Normalise : public Formula {
 public:
  Normalise(std::size_t channels, const Parameters& parameters)
      : parameters_(parameters), constants_(channels) {}

  std::size_t apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
                    MutableRows y) override {
    return normalise(tile, blocks[0], constants_, dtype, y);
  }

  void set(std::size_t c, const Centring& centring, double scale) {
    constants_.rescaling.set(c, centring.rescaling);
    constants_.of.mean[c] = centring.mean.hi;
    constants_.of.mean_lo[c] = centring.mean.lo;
    constants_.of.scale[c] = scale;
    constants_.of.beta[c] = parameters_.beta[c];
  }
  // gamma * inv_std * 2^exponent
  [[nodiscard]] double scale(std::size_t c, DoubleDouble var, int exponent = 0) const {
    const DoubleDouble inv_std = inverse_sqrt(var + parameters_.eps);
    const double gamma = parameters_.gamma[c];
    // Up before the product underflows, down after it.
    return exponent > 0 ? (inv_std * std::ldexp(gamma, exponent)).hi
                        : std::ldexp((inv_std * gamma).hi, exponent);
  }
  void check_range() const {
    for (std::size_t c = 0; c < constants_.of.scale.size(); ++c) {
      if (!std::isfinite(constants_.of.scale[c])) throw RangeError("gamma * inv_std", c);
    }
  }

 private:
  const Parameters& parameters_;
  AffineChannels constants_;
};

// The batch's own statistics, which normalise it.
class BatchStatistics : public Reduction {
 public:
  BatchStatistics(std::size_t channels, Dtype x, std::span<const double> gamma,
                  Normalise& normalise, ForwardResult& result)
      : channels_(channels), x_(x), gamma_(gamma), normalise_(normalise), result_(result) {}

  [[nodiscard]] Needs needs() const override { return {.moments = true}; }

  void begin(std::uint64_t count) override {
    if (count == 1 && channels_ != 0) throw SingleValueError();
    result_.sums.count = count;
    result_.sums.sum.resize(channels_);
    result_.sums.sum_squares.resize(channels_);
    if (count != 0) result_.statistics = Statistics(channels_);
  }

  void finish(std::size_t c, ChannelTotals&& totals, std::uint64_t count) override {
    const ChannelStatistics statistics =
        channel_statistics(totals.sum_x, totals.sum_x_squares, count);
    result_.statistics.set(c, statistics);
    // In a constant channel x - mean is 0, and y is beta whatever the scale.
    const bool no_scale = statistics.constant || gamma_[c] == 0;
    const double scale = no_scale ? 0 : not_zero(normalise_.scale(c, statistics.var));
    const Centring centring = batch_centring(x_, totals.sum_x, count, statistics, scale);
    const int exponent = -std::ilogb(centring.rescaling.factor);
    normalise_.set(c, centring, no_scale ? 0 : normalise_.scale(c, statistics.var, exponent));
    result_.sums.sum[c] = std::move(totals.sum_x);
    result_.sums.sum_squares[c] = std::move(totals.sum_x_squares);
  }

  void conclude() override {
    result_.statistics.check_range();
    normalise_.check_range();
  }

 private:
  const std::size_t channels_;
  const Dtype x_;
  const std::span<const double> gamma_;
  Normalise& normalise_;
  ForwardResult& result_;
};

}  // namespace

ForwardResult forward_train(const View& view, Source& x, const Parameters& parameters, Sink& y,
                            const Execution& execution, Checksum checksum) {
  check_parameters(view, parameters.gamma, parameters.beta, parameters.eps);
  ForwardResult result;
  Normalise normalise(view.channel, parameters);
  BatchStatistics statistics(view.channel, x.dtype(), parameters.gamma, normalise, result);
  const std::array<Source*, 1> sources{&x};
  const PassResult passes =
      sum_and_apply(view, sources, statistics, normalise, &y, checksum, execution);
  result.overflows = passes.overflows;
  result.x_checksum = passes.x_checksum;
  return result;
}

ForwardResult forward_test(const View& view, Source& x, std::span<const double> running_mean,
                           std::span<const double> running_var, const Parameters& parameters,
                           Sink& y, const Execution& execution, Checksum checksum) {
  check_parameters(view, parameters.gamma, parameters.beta, parameters.eps);
  check_running(view, running_mean, running_var);
  Normalise normalise(view.channel, parameters);
  for (std::size_t c = 0; c < view.channel; ++c) {
    normalise.set(c, running_centring(x.dtype(), running_mean[c]),
                  normalise.scale(c, {running_var[c], 0}));
  }
  const std::array<Source*, 1> sources{&x};
  const PassResult passes = apply_only(view, sources, normalise, y, checksum, execution);
  ForwardResult result;
  result.overflows = passes.overflows;
  result.x_checksum = passes.x_checksum;
  return result;
}

}  // namespace bn
