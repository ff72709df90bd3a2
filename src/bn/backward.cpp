#include "bn/backward.hpp"

#include <array>
#include <atomic>
#include <cmath>
#include <limits>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "bn/arrays/elements.hpp"
#include "bn/centring.hpp"
#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/exact/double_double_arithmetic.hpp"
#include "bn/passes/passes.hpp"
#include "bn/tiles/checksum.hpp"
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

enum : std::size_t { kX = 0, kDy = 1 };              // sources
enum : std::size_t { kProducts = 0, kMoments = 1 };  // sums

// numerator / denominator * factor, where the quotient alone may be beyond the range of double.
DoubleDouble scaled_quotient(const Dyadic& numerator, std::uint64_t denominator,
                             DoubleDouble factor) {
  if (numerator.integer().is_zero()) return {};
  const int exponent =
      numerator.exponent() + static_cast<int>(boost::multiprecision::msb(abs(numerator.integer())));
  const Dyadic near_one(numerator.integer(), numerator.exponent() - exponent);
  const DoubleDouble product = quotient(near_one, denominator) * factor;
  return {std::ldexp(product.hi, exponent), std::ldexp(product.lo, exponent)};
}

// inv_std^2 * gamma * dgamma / m / factor, without underflowing on the way.
DoubleDouble seen_slope(DoubleDouble inv_std, double gamma, DoubleDouble dgamma_by_m,
                        double factor) {
  const double root = std::ldexp(1.0, -std::ilogb(factor) / 2);
  const DoubleDouble scaled{inv_std.hi * root, inv_std.lo * root};
  return scaled * gamma * dgamma_by_m * scaled;
}

class Backward : public Computation {
 public:
  Backward(const View& view, const Execution& execution, BackwardResult& result)
      : result_(result), with_checksum_(execution.x_checksum) {
    result_.dgamma.resize(view.channel);
    result_.dbeta.resize(view.channel);
  }

  [[nodiscard]] std::size_t overflows() const { return overflows_; }
  [[nodiscard]] std::uint64_t x_checksum() const { return x_checksum_; }

 protected:
  void add_checksum(const View& view, const Tile& tile, const Block& x) {
    if (with_checksum_) x_checksum_ += checksum(view, tile, x.dtype, x.rows);
  }

  BackwardResult& result_;
  std::atomic<std::size_t> overflows_{0};

 private:
  const bool with_checksum_;
  std::atomic<std::uint64_t> x_checksum_{0};
};

class BackwardTrain : public Backward {
 public:
  BackwardTrain(const View& view, Dtype x, const Sums* batch, std::span<const double> gamma,
                double eps, const Execution& execution, BackwardResult& result)
      : Backward(view, execution, result),
        m_(view.m()),
        x_(x),
        batch_(batch),
        gamma_(gamma),
        eps_(eps),
        var_(view.channel),
        constants_(view.channel) {}

  [[nodiscard]] std::vector<ChannelSums> make_sums(Range channels,
                                                   std::span<const Dtype> dtypes) const override {
    std::vector<ChannelSums> sums = Computation::make_sums(channels, dtypes);
    if (batch_ == nullptr) sums.emplace_back(channels, dtypes.first(kX + 1));
    return sums;
  }

  void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
              std::span<const Block> blocks) override {
    if (batch_ == nullptr) sums[kMoments].add_moments(view, tile, blocks[kX]);
    sums[kProducts].add_products(view, tile, blocks[kX], blocks[kDy]);
    add_checksum(view, tile, blocks[kX]);
  }

  void finish(std::size_t c, std::span<ChannelSums> sums) override {
    const ChannelSums::Exact moments =
        batch_ != nullptr ? ChannelSums::Exact{batch_->sum[c], batch_->sum_squares[c]}
                          : sums[kMoments].take(c);
    const auto [sum_dy, sum_dy_x] = sums[kProducts].take(c);
    const ChannelStatistics statistics = channel_statistics(moments.values, moments.products, m_);
    var_[c] = statistics.var.hi;

    // sum dy * (x - mean) = (m * sum dy * x - sum x * sum dy) / m
    Dyadic centred_products = Dyadic(Integer(m_), 0) * sum_dy_x;
    centred_products -= moments.values * sum_dy;
    const auto m = static_cast<double>(m_);
    const DoubleDouble inv_std = inverse_sqrt(statistics.var + eps_);
    const DoubleDouble dbeta = quotient(sum_dy, 1);
    const DoubleDouble dgamma = scaled_quotient(centred_products, m_, inv_std);
    result_.dbeta[c] = dbeta.hi;
    result_.dgamma[c] = dgamma.hi;

    // dx = scale * dy - offset - (x - mean) * slope
    const DoubleDouble scale = inv_std * gamma_[c];
    const DoubleDouble offset = scale * (dbeta / m);
    // In a constant channel x - mean is 0, whatever its multiplier.
    const bool no_slope = statistics.constant || dgamma.hi == 0 || gamma_[c] == 0;
    const double slope = no_slope ? 0 : not_zero((scale * inv_std * (dgamma / m)).hi);
    const Centre centre = batch_centre(x_, moments.values, m_, statistics, slope);
    const DoubleDouble slope_there =
        no_slope ? DoubleDouble{}
                 : seen_slope(inv_std, gamma_[c], dgamma / m, centre.origin.factor);
    constants_.origin.set(c, centre.origin);
    constants_.mean[c] = centre.mean.hi;
    constants_.mean_lo[c] = centre.mean.lo;
    constants_.scale[c] = scale.hi;
    constants_.scale_lo[c] = scale.lo;
    constants_.offset[c] = offset.hi;
    constants_.offset_lo[c] = offset.lo;
    constants_.slope[c] = slope_there.hi;
    constants_.slope_lo[c] = slope_there.lo;
  }

  void apply(const View&, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
             MutableRows dx) override {
    overflows_ += gradient(tile, blocks[kX], blocks[kDy], constants_, dtype, dx);
  }

  void check() const override {
    for (std::size_t c = 0; c < var_.size(); ++c) {
      if (!std::isfinite(var_[c])) throw RangeError("var", c);
      if (!std::isfinite(constants_.scale[c])) throw RangeError("gamma * inv_std", c);
      if (!std::isfinite(result_.dbeta[c])) throw RangeError("dbeta", c);
      if (!std::isfinite(result_.dgamma[c])) throw RangeError("dgamma", c);
      if (!std::isfinite(constants_.offset[c]) || !std::isfinite(constants_.slope[c])) {
        throw RangeError("gamma * inv_std * dbeta or gamma * inv_std^2 * dgamma", c);
      }
    }
  }

 private:
  const std::uint64_t m_;
  const Dtype x_;
  const Sums* const batch_;
  const std::span<const double> gamma_;
  const double eps_;
  std::vector<double> var_;
  GradientChannels constants_;
};

class BackwardTest : public Backward {
 public:
  BackwardTest(const View& view, std::span<const double> running_mean,
               std::span<const double> running_var, std::span<const double> gamma, double eps,
               const Execution& execution, BackwardResult& result)
      : Backward(view, execution, result),
        running_mean_(running_mean),
        running_var_(running_var),
        eps_(eps),
        ieee_dgamma_(view.channel),
        ieee_dbeta_(view.channel),
        constants_(view.channel) {
    // dx = ((dy - 0) - 0) * scale + -0.0: adding -0.0 changes nothing, not even the sign of a zero.
    for (std::size_t c = 0; c < view.channel; ++c) {
      constants_.scale[c] = (inv_std(c) * gamma[c]).hi;
      constants_.beta[c] = -0.0;
    }
  }

  void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
              std::span<const Block> blocks) override {
    const bool skipped = sums[kProducts].add_products(view, tile, blocks[kX], blocks[kDy],
                                                      ChannelSums::NonFinite::skip);
    if (skipped) add_non_finite(tile, blocks);
    add_checksum(view, tile, blocks[kX]);
  }

  void finish(std::size_t c, std::span<ChannelSums> sums) override {
    const auto [sum_dy, sum_dy_x] = sums[kProducts].take(c);
    Dyadic centred_products = sum_dy_x;
    centred_products -= Dyadic(running_mean_[c]) * sum_dy;
    result_.dbeta[c] = quotient(sum_dy, 1).hi;
    result_.dgamma[c] = scaled_quotient(centred_products, 1, inv_std(c)).hi;
  }

  // Results outside the range of double are errors unless x or dy had something of the kind.
  void check() const override {
    for (std::size_t c = 0; c < ieee_dbeta_.size(); ++c) {
      settle(c, "dbeta", result_.dbeta[c], ieee_dbeta_[c]);
      settle(c, "dgamma", result_.dgamma[c], ieee_dgamma_[c]);
    }
  }

  void apply(const View&, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
             MutableRows dx) override {
    overflows_ += normalise(tile, blocks[kDy], constants_, dtype, dx);
  }

 private:
  [[nodiscard]] DoubleDouble inv_std(std::size_t c) const {
    return inverse_sqrt(DoubleDouble{running_var_[c], 0} + eps_);
  }

  // What IEEE 754 makes of NaN and infinities: finite terms do not matter beside them, nor does the
  // order.
  void add_non_finite(const Tile& tile, std::span<const Block> blocks) {
    const std::lock_guard lock(mutex_);
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      for (std::size_t i = 0; i < tile.row_size(); ++i) {
        const auto value = [&](std::size_t which) {
          const auto& [dtype, rows] = blocks[which];
          return as_double(dtype, rows.data + r * rows.stride + i * item_size(dtype));
        };
        const double x = value(kX);
        const double dy = value(kDy);
        if (std::isfinite(x) && std::isfinite(dy)) continue;
        const std::size_t c = tile.channel.begin + i / tile.inner.count;
        if (!std::isfinite(dy)) ieee_dbeta_[c] += dy;
        ieee_dgamma_[c] += dy * ((x - running_mean_[c]) * inv_std(c).hi);
      }
    }
  }

  static void settle(std::size_t channel, const char* name, double& result, double ieee) {
    if (std::isnan(ieee)) {
      result = std::numeric_limits<double>::quiet_NaN();
    } else if (std::isinf(ieee)) {
      result = ieee;
    } else if (!std::isfinite(result)) {
      throw RangeError(name, channel);
    }
  }

  const std::span<const double> running_mean_;
  const std::span<const double> running_var_;
  const double eps_;
  std::mutex mutex_;
  std::vector<double> ieee_dgamma_;
  std::vector<double> ieee_dbeta_;
  AffineChannels constants_;
};

template <class Mode>
BackwardResult run(const View& view, Source& x, Source& dy, Mode& computation,
                   BackwardResult& result, Sink* dx, const Execution& execution) {
  const std::array<Source*, 2> sources{&x, &dy};
  sum_and_apply(view, sources, computation, dx, execution);
  result.overflows = computation.overflows();
  result.x_checksum = computation.x_checksum();
  return result;
}

}  // namespace

BackwardResult backward_train(const View& view, Source& x, Source& dy, const Sums* batch,
                              std::span<const double> gamma, double eps, Sink* dx,
                              const Execution& execution) {
  check_parameters(view, gamma, gamma, eps);
  if (batch != nullptr) {
    check_size("sum", batch->sum.size(), view.channel);
    check_size("sum_squares", batch->sum_squares.size(), view.channel);
    if (batch->count != view.m()) {
      throw std::invalid_argument("batch has the sums of " + std::to_string(batch->count) +
                                  " values a channel, x has " + std::to_string(view.m()));
    }
  }
  if (view.m() == 1 && view.channel != 0) throw SingleValueError();
  BackwardResult result;
  BackwardTrain computation(view, x.dtype(), batch, gamma, eps, execution, result);
  if (view.m() == 0) return result;
  return run(view, x, dy, computation, result, dx, execution);
}

BackwardResult backward_test(const View& view, Source& x, Source& dy,
                             std::span<const double> running_mean,
                             std::span<const double> running_var, std::span<const double> gamma,
                             double eps, Sink* dx, const Execution& execution) {
  check_parameters(view, gamma, gamma, eps);
  check_running(view, running_mean, running_var);
  BackwardResult result;
  BackwardTest computation(view, running_mean, running_var, gamma, eps, execution, result);
  return run(view, x, dy, computation, result, dx, execution);
}

}  // namespace bn
