#include "bn/backward.hpp"

#include <array>
#include <atomic>
#include <cmath>
#include <vector>

#include "bn/check.hpp"
#include "bn/checksum.hpp"
#include "bn/double_double.hpp"
#include "bn/elements.hpp"
#include "bn/elementwise.hpp"
#include "bn/error.hpp"
#include "bn/passes.hpp"

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

class Backward : public Computation {
 public:
  Backward(const View& view, const Execution& execution, BackwardResult& result)
      : result_(result), with_checksum_(execution.x_checksum) {
    result_.dgamma.resize(view.channel);
    result_.dbeta.resize(view.channel);
  }

  void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
              std::span<const Block> blocks) override {
    sums[kProducts].add_products(view, tile, blocks[kX], blocks[kDy]);
    if (with_checksum_) x_checksum_ += checksum(view, tile, blocks[kX].dtype, blocks[kX].rows);
  }

  void check_range() const {
    for (std::size_t c = 0; c < result_.dbeta.size(); ++c) {
      if (!std::isfinite(result_.dbeta[c])) throw RangeError("dbeta", c);
      if (!std::isfinite(result_.dgamma[c])) throw RangeError("dgamma", c);
    }
  }

  [[nodiscard]] std::size_t overflows() const { return overflows_; }
  [[nodiscard]] std::uint64_t x_checksum() const { return x_checksum_; }

 protected:
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
        wide_integers_(!fits_double(x)),
        batch_(batch),
        gamma_(gamma),
        eps_(eps),
        var_(view.channel),
        constants_(view.channel) {}

  [[nodiscard]] std::size_t sums() const override { return batch_ != nullptr ? 1 : 2; }

  void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
              std::span<const Block> blocks) override {
    if (batch_ == nullptr) sums[kMoments].add_moments(view, tile, blocks[kX]);
    Backward::add_to(view, sums, tile, blocks);
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
    const DoubleDouble slope = scale * inv_std * (dgamma / m);
    constants_.mean[c] = statistics.mean.hi;
    constants_.mean_lo[c] = statistics.mean.lo;
    constants_.mean_fraction[c] = wide_integers_ ? mean_fraction(moments.values, m_) : 0;
    constants_.scale[c] = scale.hi;
    constants_.scale_lo[c] = scale.lo;
    constants_.offset[c] = offset.hi;
    constants_.offset_lo[c] = offset.lo;
    constants_.slope[c] = slope.hi;
    constants_.slope_lo[c] = slope.lo;
  }

  void apply(const View&, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
             MutableRows dx) override {
    overflows_ += gradient(tile, blocks[kX], blocks[kDy], constants_, dtype, dx);
  }

  void check_range() const {
    for (std::size_t c = 0; c < var_.size(); ++c) {
      if (!std::isfinite(var_[c])) throw RangeError("var", c);
    }
    Backward::check_range();
  }

 private:
  const std::uint64_t m_;
  const bool wide_integers_;
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
        constants_(view.channel) {
    // dx = ((dy - 0) - 0) * scale + -0.0: adding -0.0 changes nothing, not even the sign of a zero.
    for (std::size_t c = 0; c < view.channel; ++c) {
      constants_.scale[c] = (inv_std(c) * gamma[c]).hi;
      constants_.beta[c] = -0.0;
    }
  }

  void finish(std::size_t c, std::span<ChannelSums> sums) override {
    const auto [sum_dy, sum_dy_x] = sums[kProducts].take(c);
    Dyadic centred_products = sum_dy_x;
    centred_products -= Dyadic(running_mean_[c]) * sum_dy;
    result_.dbeta[c] = quotient(sum_dy, 1).hi;
    result_.dgamma[c] = scaled_quotient(centred_products, 1, inv_std(c)).hi;
  }

  void apply(const View&, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
             MutableRows dx) override {
    overflows_ += normalise(tile, blocks[kDy], constants_, dtype, dx);
  }

 private:
  [[nodiscard]] DoubleDouble inv_std(std::size_t c) const {
    return inverse_sqrt(DoubleDouble{running_var_[c], 0} + eps_);
  }

  const std::span<const double> running_mean_;
  const std::span<const double> running_var_;
  const double eps_;
  AffineChannels constants_;
};

template <class Mode>
BackwardResult run(const View& view, Source& x, Source& dy, Mode& computation,
                   BackwardResult& result, Sink* dx, const Execution& execution) {
  const std::array<Source*, 2> sources{&x, &dy};
  sum_and_apply(view, sources, computation, dx, execution);
  computation.check_range();
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
    check_size("count", batch->count, view.m());
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
