#include "bn/backward.hpp"

#include <array>
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
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

enum : std::size_t { kX = 0, kDy = 1 };  // sources

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
DoubleDouble rescaled_slope(DoubleDouble inv_std, double gamma, DoubleDouble dgamma_by_m,
                            double factor) {
  const double root = std::ldexp(1.0, -std::ilogb(factor) / 2);
  const DoubleDouble scaled{inv_std.hi * root, inv_std.lo * root};
  return scaled * gamma * dgamma_by_m * scaled;
}

// dx in train mode: scale * dy - offset - (x - mean) * slope from the constants of every channel.
class Differentiate : public Formula {
 public:
  explicit Differentiate(std::size_t channels) : constants(channels) {}

  std::size_t apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
                    MutableRows dx) override {
    return gradient(tile, blocks[kX], blocks[kDy], constants, dtype, dx);
  }

  GradientChannels constants;
};

// dx in test mode: ((dy - 0) - 0) * scale + -0.0; adding -0.0 changes nothing, not even the sign of
// a zero.
class Scale : public Formula {
 public:
  explicit Scale(std::size_t channels) : constants(channels) {
    constants.of.beta.assign(channels, -0.0);
  }

  std::size_t apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
                    MutableRows dx) override {
    return normalise(tile, blocks[kDy], constants, dtype, dx);
  }

  AffineChannels constants;
};

class TrainGradients : public Reduction {
 public:
  TrainGradients(std::size_t channels, Dtype x, const Sums* batch, std::span<const double> gamma,
                 double eps, GradientChannels& constants, BackwardResult& result)
      : x_(x),
        batch_(batch),
        gamma_(gamma),
        eps_(eps),
        var_(channels),
        constants_(constants),
        result_(result) {}

  [[nodiscard]] Needs needs() const override {
    return {.moments = batch_ == nullptr, .products = true};
  }

  void begin(std::uint64_t count) override {
    if (batch_ != nullptr && batch_->count != count) {
      throw std::invalid_argument("batch has the sums of " + std::to_string(batch_->count) +
                                  " values per channel, x has " + std::to_string(count));
    }
    if (count == 1 && !var_.empty()) throw SingleValueError();
  }

  void finish(std::size_t c, ChannelTotals&& totals, std::uint64_t count) override {
    const Dyadic& sum_x = batch_ != nullptr ? batch_->sum[c] : totals.sum_x;
    const Dyadic& sum_x_squares = batch_ != nullptr ? batch_->sum_squares[c] : totals.sum_x_squares;
    const ChannelStatistics statistics = channel_statistics(sum_x, sum_x_squares, count);
    var_[c] = statistics.var.hi;

    // sum dy * (x - mean) = (m * sum dy * x - sum x * sum dy) / m
    Dyadic centred_products = Dyadic(Integer(count), 0) * totals.sum_dy_x;
    centred_products -= sum_x * totals.sum_dy;
    const auto m = static_cast<double>(count);
    const DoubleDouble inv_std = inverse_sqrt(statistics.var + eps_);
    const DoubleDouble dbeta = quotient(totals.sum_dy, 1);
    const DoubleDouble dgamma = scaled_quotient(centred_products, count, inv_std);
    result_.dbeta[c] = dbeta.hi;
    result_.dgamma[c] = dgamma.hi;

    // dx = scale * dy - offset - (x - mean) * slope
    const DoubleDouble scale = inv_std * gamma_[c];
    const DoubleDouble offset = scale * (dbeta / m);
    // In a constant channel x - mean is 0, whatever its multiplier.
    const bool no_slope = statistics.constant || dgamma.hi == 0 || gamma_[c] == 0;
    const double multiplier = no_slope ? 0 : not_zero((scale * inv_std * (dgamma / m)).hi);
    const Centring centring = batch_centring(x_, sum_x, count, statistics, multiplier);
    const DoubleDouble slope =
        no_slope ? DoubleDouble{}
                 : rescaled_slope(inv_std, gamma_[c], dgamma / m, centring.rescaling.factor);
    constants_.rescaling.set(c, centring.rescaling);
    constants_.of.mean[c] = centring.mean.hi;
    constants_.of.mean_lo[c] = centring.mean.lo;
    constants_.of.scale[c] = scale.hi;
    constants_.of.scale_lo[c] = scale.lo;
    constants_.of.offset[c] = offset.hi;
    constants_.of.offset_lo[c] = offset.lo;
    constants_.of.slope[c] = slope.hi;
    constants_.of.slope_lo[c] = slope.lo;
  }

  void conclude() override {
    for (std::size_t c = 0; c < var_.size(); ++c) {
      if (!std::isfinite(var_[c])) throw RangeError("var", c);
      if (!std::isfinite(constants_.of.scale[c])) throw RangeError("gamma * inv_std", c);
      if (!std::isfinite(result_.dbeta[c])) throw RangeError("dbeta", c);
      if (!std::isfinite(result_.dgamma[c])) throw RangeError("dgamma", c);
      if (!std::isfinite(constants_.of.offset[c]) || !std::isfinite(constants_.of.slope[c])) {
        throw RangeError("gamma * inv_std * dbeta or gamma * inv_std^2 * dgamma", c);
      }
    }
  }

 private:
  const Dtype x_;
  const Sums* const batch_;
  const std::span<const double> gamma_;
  const double eps_;
  std::vector<double> var_;
  GradientChannels& constants_;
  BackwardResult& result_;
};

class TestGradients : public Reduction {
 public:
  TestGradients(std::span<const double> running_mean, std::span<const double> running_var,
                double eps, BackwardResult& result)
      : running_mean_(running_mean),
        running_var_(running_var),
        eps_(eps),
        ieee_dgamma_(running_mean.size()),
        ieee_dbeta_(running_mean.size()),
        result_(result) {}

  [[nodiscard]] DoubleDouble inv_std(std::size_t c) const {
    return inverse_sqrt(DoubleDouble{running_var_[c], 0} + eps_);
  }

  [[nodiscard]] Needs needs() const override {
    return {.products = true, .non_finite = NonFinite::skip};
  }

  // What IEEE 754 makes of NaN and infinities: finite terms do not matter beside them, nor does the
  // order.
  void add_non_finite(const Tile& tile, std::span<const Block> blocks) override {
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

  void finish(std::size_t c, ChannelTotals&& totals, std::uint64_t /*count*/) override {
    Dyadic centred_products = totals.sum_dy_x;
    centred_products -= Dyadic(running_mean_[c]) * totals.sum_dy;
    result_.dbeta[c] = quotient(totals.sum_dy, 1).hi;
    result_.dgamma[c] = scaled_quotient(centred_products, 1, inv_std(c)).hi;
  }

  // Results outside the range of double are errors unless x or dy had something of the kind.
  void conclude() override {
    for (std::size_t c = 0; c < ieee_dbeta_.size(); ++c) {
      settle(c, "dbeta", result_.dbeta[c], ieee_dbeta_[c]);
      settle(c, "dgamma", result_.dgamma[c], ieee_dgamma_[c]);
    }
  }

 private:
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
  BackwardResult& result_;
};

BackwardResult zero_gradients(std::size_t channels) {
  BackwardResult result;
  result.dgamma.resize(channels);
  result.dbeta.resize(channels);
  return result;
}

void run(const View& view, Source& x, Source& dy, Reduction& reduction, Formula& formula, Sink* dx,
         const Execution& execution, Checksum checksum, BackwardResult& result) {
  const std::array<Source*, 2> sources{&x, &dy};
  const PassResult passes =
      sum_and_apply(view, sources, reduction, formula, dx, checksum, execution);
  result.overflows = passes.overflows;
  result.x_checksum = passes.x_checksum;
}

}  // namespace

BackwardResult backward_train(const View& view, Source& x, Source& dy, const Sums* batch,
                              std::span<const double> gamma, double eps, Sink* dx,
                              const Execution& execution, Checksum checksum) {
  check_parameters(view, gamma, gamma, eps);
  if (batch != nullptr) {
    check_size("sum", batch->sum.size(), view.channel);
    check_size("sum_squares", batch->sum_squares.size(), view.channel);
  }
  BackwardResult result = zero_gradients(view.channel);
  Differentiate formula(view.channel);
  TrainGradients gradients(view.channel, x.dtype(), batch, gamma, eps, formula.constants, result);
  run(view, x, dy, gradients, formula, dx, execution, checksum, result);
  return result;
}

BackwardResult backward_test(const View& view, Source& x, Source& dy,
                             std::span<const double> running_mean,
                             std::span<const double> running_var, std::span<const double> gamma,
                             double eps, Sink* dx, const Execution& execution, Checksum checksum) {
  check_parameters(view, gamma, gamma, eps);
  check_running(view, running_mean, running_var);
  BackwardResult result = zero_gradients(view.channel);
  TestGradients gradients(running_mean, running_var, eps, result);
  Scale formula(view.channel);
  for (std::size_t c = 0; c < view.channel; ++c) {
    formula.constants.of.scale[c] = (gradients.inv_std(c) * gamma[c]).hi;
  }
  run(view, x, dy, gradients, formula, dx, execution, checksum, result);
  return result;
}

}  // namespace bn
