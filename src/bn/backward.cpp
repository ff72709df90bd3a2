#include "bn/backward.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bn/arrays/elements.hpp"
#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/formulas.hpp"
#include "bn/passes/passes.hpp"
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

enum : std::size_t { kX = 0, kDy = 1 };  // sources

// The first of these that finite x and dy have brought beyond the range of double.
void offer_overflow(std::optional<std::size_t>& first, std::size_t channel, double value) {
  if (!first && std::isinf(value)) first = channel;
}

// All gradients in train mode; dx only where there is room for it.
class TrainGradients final : public Reduction, public Formula, public ExactChannels {
 public:
  TrainGradients(std::size_t channels, const Sums* batch, std::span<const double> gamma, double eps,
                 const Sink* dx, BackwardResult& result)
      : channels_(channels),
        batch_(batch),
        gamma_(gamma),
        eps_(eps),
        with_dx_(dx != nullptr),
        moments_(with_dx_ ? channels : 0),
        constants_(moments_.size(), 2, with_dx_ ? dx->dtype() : Dtype::float64),
        result_(result) {}

  [[nodiscard]] Needs needs() const override {
    return {.moments = batch_ == nullptr, .products = true};
  }

  void begin(std::uint64_t count) override {
    if (batch_ != nullptr && batch_->count != count) {
      throw std::invalid_argument("batch has the sums of " + std::to_string(batch_->count) +
                                  " values per channel, x has " + std::to_string(count));
    }
    if (count == 1 && channels_ != 0) throw SingleValueError();
  }

  void finish(std::size_t c, ChannelTotals&& totals, std::uint64_t count) override {
    const Dyadic& sum_x = batch_ != nullptr ? batch_->sum[c] : totals.sum_x;
    const Dyadic& sum_x_squares = batch_ != nullptr ? batch_->sum_squares[c] : totals.sum_x_squares;
    const Dyadic squares = deviation(sum_x, sum_x_squares, count);
    if (squares.integer().sign() < 0) {
      throw std::invalid_argument("batch has sums that no values have: their variance is negative");
    }
    Centre centre = batch_centre(sum_x, squares, count, eps_);
    Dyadic with_x = covariance(centre, totals.sum_dy, totals.sum_dy_x);
    result_.dbeta[c] = quotient(totals.sum_dy, 1);
    result_.dgamma[c] = dgamma(centre, with_x);
    if (!with_dx_) return;
    moments_[c] = {std::move(centre), std::move(totals.sum_dy), std::move(with_x)};
    constants_.set(c, exact(c), quotient(sum_x, count), &totals.sizes);
  }

  void conclude() override {
    for (std::size_t c = 0; c < channels_; ++c) {
      offer_overflow(result_.dgamma_overflow, c, result_.dgamma[c]);
      offer_overflow(result_.dbeta_overflow, c, result_.dbeta[c]);
    }
  }

  Counts apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
               MutableRows dx) override {
    return results(tile, blocks, constants_, *this, dtype, dx);
  }

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    const auto& [centre, sum_dy, covariance] = moments_[c];
    return exact_dx(centre, sum_dy, covariance, gamma_[c]);
  }

 private:
  // What dx comes from.
  struct Moments {
    Centre centre;
    Dyadic sum_dy;
    Dyadic covariance;
  };

  const std::size_t channels_;
  const Sums* const batch_;
  const std::span<const double> gamma_;
  const double eps_;
  const bool with_dx_;
  std::vector<Moments> moments_;
  ChannelConstants constants_;
  BackwardResult& result_;
};

// All gradients in test mode.
class TestGradients final : public Reduction, public Formula, public ExactChannels {
 public:
  TestGradients(std::span<const double> running_mean, std::span<const double> running_var,
                std::span<const double> gamma, double eps, const Sink* dx, BackwardResult& result)
      : running_mean_(running_mean),
        running_var_(running_var),
        gamma_(gamma),
        eps_(eps),
        ieee_dgamma_(running_mean.size()),
        ieee_dbeta_(running_mean.size()),
        with_dx_(dx != nullptr),
        constants_(with_dx_ ? gamma.size() : 0, 1, with_dx_ ? dx->dtype() : Dtype::float64),
        result_(result) {}

  [[nodiscard]] Needs needs() const override {
    return {.products = true, .non_finite = NonFinite::skip};
  }

  // What IEEE 754 makes of NaN and infinities: finite terms do not matter beside them, nor does the
  // order, nor the positive inv_std.
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
        ieee_dgamma_[c] += dy * (x - running_mean_[c]);
      }
    }
  }

  void finish(std::size_t c, ChannelTotals&& totals, std::uint64_t /*count*/) override {
    const Centre of_running = centre(c);
    result_.dbeta[c] = quotient(totals.sum_dy, 1);
    result_.dgamma[c] = dgamma(of_running, covariance(of_running, totals.sum_dy, totals.sum_dy_x));
    if (with_dx_) constants_.set(c, exact(c), 0, nullptr);
  }

  void conclude() override {
    for (std::size_t c = 0; c < ieee_dbeta_.size(); ++c) {
      settle(c, result_.dgamma[c], ieee_dgamma_[c], result_.dgamma_overflow);
      settle(c, result_.dbeta[c], ieee_dbeta_[c], result_.dbeta_overflow);
    }
  }

  Counts apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
               MutableRows dx) override {
    return results(tile, blocks.subspan(kDy, 1), constants_, *this, dtype, dx);
  }

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    return exact_test_dx(centre(c), gamma_[c]);
  }

 private:
  [[nodiscard]] Centre centre(std::size_t c) const {
    return running_centre(running_mean_[c], running_var_[c], eps_);
  }

  static void settle(std::size_t channel, double& result, double ieee,
                     std::optional<std::size_t>& overflow) {
    if (std::isnan(ieee)) {
      result = std::numeric_limits<double>::quiet_NaN();
    } else if (std::isinf(ieee)) {
      result = ieee;
    } else {
      offer_overflow(overflow, channel, result);
    }
  }

  const std::span<const double> running_mean_;
  const std::span<const double> running_var_;
  const std::span<const double> gamma_;
  const double eps_;
  std::mutex mutex_;
  std::vector<double> ieee_dgamma_;
  std::vector<double> ieee_dbeta_;
  const bool with_dx_;
  ChannelConstants constants_;
  BackwardResult& result_;
};

BackwardResult zero_gradients(std::size_t channels) {
  BackwardResult result;
  result.dgamma.resize(channels);
  result.dbeta.resize(channels);
  return result;
}

template <class Gradients>
void run(const View& view, Source& x, Source& dy, Gradients& gradients, Sink* dx,
         const Execution& execution, Checksum checksum, BackwardResult& result) {
  const std::array<Source*, 2> sources{&x, &dy};
  const PassResult passes =
      sum_and_apply(view, sources, gradients, gradients, dx, checksum, execution);
  result.counts = passes.counts;
  result.x_checksum = passes.x_checksum;
}

}  // namespace

void BackwardResult::check_dgamma() const {
  if (dgamma_overflow) throw RangeError("dgamma", *dgamma_overflow);
}

void BackwardResult::check_dbeta() const {
  if (dbeta_overflow) throw RangeError("dbeta", *dbeta_overflow);
}

BackwardResult backward_train(const View& view, Source& x, Source& dy, const Sums* batch,
                              std::span<const double> gamma, double eps, Sink* dx,
                              const Execution& execution, Checksum checksum) {
  check_parameters(view, gamma, gamma, eps);
  if (batch != nullptr) {
    check_size("sum", batch->sum.size(), view.channel);
    check_size("sum_squares", batch->sum_squares.size(), view.channel);
  }
  BackwardResult result = zero_gradients(view.channel);
  TrainGradients gradients(view.channel, batch, gamma, eps, dx, result);
  run(view, x, dy, gradients, dx, execution, checksum, result);
  return result;
}

BackwardResult backward_test(const View& view, Source& x, Source& dy,
                             std::span<const double> running_mean,
                             std::span<const double> running_var, std::span<const double> gamma,
                             double eps, Sink* dx, const Execution& execution, Checksum checksum) {
  check_parameters(view, gamma, gamma, eps);
  check_running(view, running_mean, running_var);
  BackwardResult result = zero_gradients(view.channel);
  TestGradients gradients(running_mean, running_var, gamma, eps, dx, result);
  run(view, x, dy, gradients, dx, execution, checksum, result);
  return result;
}

}  // namespace bn
