#include "bn/verification.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/exact/nearest.hpp"
#include "bn/formulas.hpp"
#include "bn/held_elements.hpp"
#include "bn/passes/passes.hpp"
#include "bn/tiles/watched.hpp"

namespace bn {
namespace {

enum : std::size_t { kX = 0, kDy = 1 };  // sources

void require(bool right, const char* what) {
  if (!right) throw std::invalid_argument(what);
}

void check_claim(const View& view, const char* what, const std::optional<ChannelClaim>& claim) {
  if (!claim) return;
  check_size(what, claim->values.size(), view.channel);
  require(is_floating(claim->dtype), "claims are of floating dtypes");
}

void check_arguments(const View& view, const Source& x, const Source* dy, const LayerBefore& layer,
                     const Claims& claims, std::optional<double> tolerance) {
  check_parameters(view, layer.gamma, layer.beta, layer.eps);
  check_running(view, layer.running.running_mean, layer.running.running_var);
  check_claim(view, "the claimed running_mean", claims.running_mean);
  check_claim(view, "the claimed running_var", claims.running_var);
  check_claim(view, "the claimed dgamma", claims.dgamma);
  check_claim(view, "the claimed dbeta", claims.dbeta);
  const bool gradients = claims.dx != nullptr || claims.dgamma || claims.dbeta;
  require(dy != nullptr || !gradients, "gradients cannot be verified without dy");
  for (const Source* source : std::array<const Source*, 4>{&x, dy, claims.y, claims.dx}) {
    require(source == nullptr || !source->sequential(), "streams cannot be verified");
  }
  for (const Source* source : {claims.y, claims.dx}) {
    require(source == nullptr || is_floating(source->dtype()), "claims are of floating dtypes");
  }
  require(!tolerance || *tolerance >= 0, "a tolerance is not less than 0");
}

// Several passes with one progress.
class Stages {
 public:
  Stages(const Execution& execution, std::size_t total) : execution_(execution), total_(total) {}

  // Of a pass that reads so many bytes.
  Execution next(std::size_t bytes) {
    Execution stage = execution_;
    const std::size_t before = std::exchange(done_, done_ + bytes);
    if (execution_.progress) {
      stage.progress = [this, before](std::size_t done, std::size_t /*of*/) {
        execution_.progress(before + done, total_);
      };
    }
    return stage;
  }

 private:
  const Execution& execution_;
  const std::size_t total_;
  std::size_t done_ = 0;
};

// Keeps the totals of all channels.
class KeepTotals final : public Reduction {
 public:
  KeepTotals(std::size_t channels, Mode mode, bool with_dy)
      : totals(channels), mode_(mode), with_dy_(with_dy) {}

  [[nodiscard]] Needs needs() const override { return {.moments = true, .products = with_dy_}; }
  void begin(std::uint64_t count) override {
    if (count == 1 && mode_ == Mode::train && !totals.empty()) throw SingleValueError();
  }
  void finish(std::size_t channel, ChannelTotals&& of_channel, std::uint64_t /*count*/) override {
    totals[channel] = std::move(of_channel);
  }

  std::vector<ChannelTotals> totals;

 private:
  const Mode mode_;
  const bool with_dy_;
};

class Verifying {
 public:
  Verifying(const View& view, Source& x, Source* dy, const LayerBefore& layer, const Claims& claims,
            std::optional<double> tolerance, const Execution& execution)
      : view_(view),
        layer_(layer),
        claims_(claims),
        tolerance_(tolerance),
        train_(layer.mode == Mode::train),
        sources_{&x, dy},
        channels_(view.channel),
        bytes_of_x_(view.size() * item_size(x.dtype())),
        bytes_(bytes_of_x_ + (dy != nullptr ? view.size() * item_size(dy->dtype()) : 0)),
        stages_(execution, total_bytes()) {}

  Verification run() {
    if (train_) {
      weights_ = running_weights(layer_.momentum, layer_.running.num_batches_tracked + 1);
    }
    take_sums();
    if (with_magnitudes()) take_magnitudes();
    if (claims_.y != nullptr) hold_y();
    hold_running();
    hold_gradients();
    look_for_blindness();
    return std::move(result_);
  }

 private:
  [[nodiscard]] bool with_magnitudes() const {
    const bool elements = claims_.y != nullptr || claims_.running_mean || claims_.running_var;
    return sources_[kDy] != nullptr || (train_ && elements);
  }
  [[nodiscard]] std::size_t bytes_of_dx() const { return train_ ? bytes_ : bytes_ - bytes_of_x_; }
  [[nodiscard]] std::size_t total_bytes() const {
    return bytes_ + (with_magnitudes() ? bytes_ : 0) + (claims_.y != nullptr ? bytes_of_x_ : 0) +
           (claims_.dx != nullptr ? bytes_of_dx() : 0);
  }
  [[nodiscard]] std::size_t sources() const { return sources_[kDy] != nullptr ? 2 : 1; }

  // S = sum x, Q = sum x^2, sum dy, sum dy x.
  void take_sums() {
    Watched x(*sources_[kX], view_.channel);
    std::optional<Watched> dy;
    std::array<Source*, 2> watched{&x, nullptr};
    if (sources() == 2) watched[kDy] = &dy.emplace(*sources_[kDy], view_.channel);
    KeepTotals sums(view_.channel, layer_.mode, sources() == 2);
    sum_only(view_, std::span(watched).first(sources()), sums, stages_.next(bytes_));
    result_.blindness.zeros_of_x = x.zeros();
    if (dy) {
      result_.blindness.zeros_of_dy = dy->zeros();
      result_.blindness.dy_constant = view_.m() != 0 && dy->constant();
    }
    if (view_.m() != 0) result_.statistics = Statistics(view_.channel);
    for (std::size_t c = 0; c < view_.channel && view_.m() != 0; ++c) set(c, sums.totals[c]);
  }

  void set(std::size_t c, const ChannelTotals& totals) {
    HeldChannel& channel = channels_[c];
    const Dyadic squares = deviation(totals.sum_x, totals.sum_x_squares, view_.m());
    channel.batch = channel_statistics(totals.sum_x, squares, view_.m());
    result_.statistics.set(c, channel.batch);
    channel.constant = train_ && squares.integer().is_zero();
    channel.centre = train_ ? batch_centre(totals.sum_x, squares, view_.m(), layer_.eps)
                            : running_centre(layer_.running.running_mean[c],
                                             layer_.running.running_var[c], layer_.eps);
    channel.mean = train_ ? channel.batch.mean : layer_.running.running_mean[c];
    channel.mean_size = std::abs(channel.mean);
    // m / sqrt(V)
    channel.inv_std =
        nearest_double({0, {Integer(channel.centre.count), 0}, channel.centre.variance});
    channel.sizes = totals.sizes;
    channel.gamma = layer_.gamma[c];
    channel.beta = layer_.beta[c];
    if (sources() == 1) return;
    channel.sum_dy = totals.sum_dy;
    channel.covariance = covariance(channel.centre, totals.sum_dy, totals.sum_dy_x);
    channel.dbeta = quotient(totals.sum_dy, 1);
    channel.dgamma = bn::dgamma(channel.centre, channel.covariance);
  }

  // Sums of sizes: sum |x|, sum |dy|, sum |dy| |x|.
  void take_magnitudes() {
    Magnitudes x(*sources_[kX]);
    std::optional<Magnitudes> dy;
    std::array<Source*, 2> magnitudes{&x, nullptr};
    if (sources() == 2) magnitudes[kDy] = &dy.emplace(*sources_[kDy]);
    KeepTotals sums(view_.channel, layer_.mode, sources() == 2);
    sum_only(view_, std::span(magnitudes).first(sources()), sums, stages_.next(bytes_));
    for (std::size_t c = 0; c < view_.channel && view_.m() != 0; ++c) {
      const ChannelTotals& totals = sums.totals[c];
      HeldChannel& channel = channels_[c];
      if (train_) channel.mean_size = quotient(totals.sum_x, view_.m());
      channel.size_of_dbeta = quotient(totals.sum_dy, 1);
      channel.size_of_dgamma = channel.inv_std * (quotient(totals.sum_dy_x, 1) +
                                                  channel.mean_size * channel.size_of_dbeta);
    }
  }

  [[nodiscard]] HeldClaim start(Quantity quantity, Dtype dtype) const {
    HeldClaim held;
    held.quantity = quantity;
    held.dtype = dtype;
    for (const HeldChannel& channel : channels_) {
      held.defaults.push_back(
          default_tolerance(quantity, {layer_.mode, dtype, view_.m(), channel.batch.var, layer_.eps,
                                       channel.mean_size, weights_.batch}));
      held.tolerances.push_back(tolerance_.value_or(held.defaults.back()));
    }
    return held;
  }

  void finish(HeldClaim&& held) {
    for (const Errors& channel : held.channels) held.all += channel;
    result_.claims.push_back(std::move(held));
  }

  void hold_y() {
    HeldClaim held = start(Quantity::y, claims_.y->dtype());
    held.channels = bn::hold_y(view_, *sources_[kX], channels_, *claims_.y, held.tolerances,
                               stages_.next(bytes_of_x_));
    finish(std::move(held));
  }

  // One value per channel: exact(c), size(c).
  template <class Exact, class Size>
  void hold(Quantity quantity, const std::optional<ChannelClaim>& claim, Exact exact, Size size) {
    if (!claim) return;
    HeldClaim held = start(quantity, claim->dtype);
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      held.channels.push_back(
          errors_of_one(claim->dtype, claim->values[c], exact(c), size(c), held.tolerances[c], c));
    }
    finish(std::move(held));
  }

  void hold_running() {
    const RunningStatistics& before = layer_.running;
    RunningStatistics after = before;
    const bool updated = train_ && view_.m() != 0;
    if (updated && (claims_.running_mean || claims_.running_var)) {
      update(after, result_.statistics, layer_.momentum);
    }
    const double old_weight = std::abs(weights_.old);
    const double new_weight = std::abs(weights_.batch);
    hold(
        Quantity::running_mean, claims_.running_mean,
        [&](std::size_t c) { return after.running_mean[c]; },
        [&](std::size_t c) {
          const double old = old_weight * std::abs(before.running_mean[c]);
          return updated ? old + new_weight * channels_[c].mean_size : old;
        });
    hold(
        Quantity::running_var, claims_.running_var,
        [&](std::size_t c) { return after.running_var[c]; },
        [&](std::size_t c) {
          const double old = old_weight * before.running_var[c];
          if (!updated) return old;
          const auto& var =
              batch_variance(result_.statistics, layer_.momentum.running_var_estimator);
          const double mean_size = channels_[c].mean_size;
          const double s = std::sqrt(var[c]) + unit_of(claims_.running_var->dtype) * mean_size;
          return old + new_weight * s * (s + mean_size);
        });
    if (claims_.num_batches_tracked) hold_count(before.num_batches_tracked + (updated ? 1 : 0));
  }

  // A count is right or wrong, whatever the tolerance.
  void hold_count(std::uint64_t exact) {
    const std::uint64_t claimed = *claims_.num_batches_tracked;
    const bool more = claimed >= exact;
    const std::uint64_t size = more ? claimed - exact : exact - claimed;
    const double error = more ? static_cast<double>(size) : -static_cast<double>(size);
    HeldClaim held;
    held.quantity = Quantity::num_batches_tracked;
    held.tolerances = {0};
    held.all.values = 1;
    held.all.beyond = size == 0 ? 0 : 1;
    held.all.worst =
        Errors::Worst{error, 0, static_cast<double>(claimed), static_cast<double>(exact)};
    held.all.worst_plain = std::abs(error);
    held.all.sum = Dyadic(error);
    held.all.sum_of_sizes = Dyadic(std::abs(error));
    result_.claims.push_back(std::move(held));
  }

  void hold_gradients() {
    if (claims_.dx != nullptr) {
      HeldClaim held = start(Quantity::dx, claims_.dx->dtype());
      Source& x = *sources_[kX];
      Source& dy = *sources_[kDy];
      const Execution execution = stages_.next(bytes_of_dx());
      held.channels =
          train_ ? hold_train_dx(view_, x, dy, channels_, *claims_.dx, held.tolerances, execution)
                 : hold_test_dx(view_, dy, channels_, *claims_.dx, held.tolerances, execution);
      finish(std::move(held));
    }
    hold(
        Quantity::dgamma, claims_.dgamma, [&](std::size_t c) { return channels_[c].dgamma; },
        [&](std::size_t c) { return channels_[c].size_of_dgamma; });
    hold(
        Quantity::dbeta, claims_.dbeta, [&](std::size_t c) { return channels_[c].dbeta; },
        [&](std::size_t c) { return channels_[c].size_of_dbeta; });
  }

  void look_for_blindness() {
    Blindness& blindness = result_.blindness;
    const bool any = view_.channel != 0;
    const auto all = [](std::span<const double> values, double value) {
      return std::all_of(values.begin(), values.end(), [&](double each) { return each == value; });
    };
    blindness.gamma_one = any && all(layer_.gamma, 1);
    blindness.beta_zero = any && all(layer_.beta, 0);
    blindness.count = view_.m();
    blindness.running_equal = any && view_.m() != 0;
    for (std::size_t c = 0; c < view_.channel; ++c) {
      if (!running_equal(c)) blindness.running_equal = false;
    }
  }

  // As far as a state tells that was kept in float32.
  [[nodiscard]] bool running_equal(std::size_t c) const {
    constexpr double kNear = 0x1p-20;
    const ChannelStatistics& batch = channels_[c].batch;
    const double size = std::abs(batch.mean) + std::sqrt(batch.var);
    const double var = layer_.running.running_var[c];
    const auto near = [&](double other) { return std::abs(var - other) <= kNear * other; };
    return std::abs(layer_.running.running_mean[c] - batch.mean) <= kNear * size &&
           (near(batch.var) || near(batch.var_unbiased));
  }

  const View& view_;
  const LayerBefore& layer_;
  const Claims& claims_;
  const std::optional<double> tolerance_;
  const bool train_;
  const std::array<Source*, 2> sources_;  // dy may be null
  std::vector<HeldChannel> channels_;
  const std::size_t bytes_of_x_;
  const std::size_t bytes_;
  Stages stages_;
  RunningWeights weights_{1, 0};
  Verification result_;
};

}  // namespace

bool Verification::holds() const {
  return std::all_of(claims.begin(), claims.end(),
                     [](const HeldClaim& claim) { return claim.holds(); });
}

Verification verify(const View& view, Source& x, Source* dy, const LayerBefore& layer,
                    const Claims& claims, std::optional<double> tolerance,
                    const Execution& execution) {
  check_arguments(view, x, dy, layer, claims, tolerance);
  return Verifying(view, x, dy, layer, claims, tolerance, execution).run();
}

}  // namespace bn
