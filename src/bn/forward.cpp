#include "bn/forward.hpp"

#include <array>
#include <utility>

#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/formulas.hpp"
#include "bn/passes/passes.hpp"
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

// y by the exact formula of every channel.
class Normalise : public Formula, public ExactChannels {
 public:
  Normalise(std::size_t channels, Dtype y) : constants_(channels, 1, y) {}

  Counts apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
               MutableRows y) override {
    return results(tile, blocks, constants_, *this, dtype, y);
  }

 protected:
  ChannelConstants constants_;
};

class NormaliseByRunning final : public Normalise {
 public:
  NormaliseByRunning(std::span<const double> running_mean, std::span<const double> running_var,
                     const Parameters& parameters, Dtype y)
      : Normalise(running_mean.size(), y),
        running_mean_(running_mean),
        running_var_(running_var),
        parameters_(parameters) {}

  void prepare(std::size_t c) override { constants_.set(c, exact(c), running_mean_[c], nullptr); }

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    return exact_y(running_centre(running_mean_[c], running_var_[c], parameters_.eps),
                   parameters_.gamma[c], parameters_.beta[c]);
  }

 private:
  const std::span<const double> running_mean_;
  const std::span<const double> running_var_;
  const Parameters& parameters_;
};

// The batch's own statistics normalise it.
class NormaliseByBatch final : public Normalise, public Reduction {
 public:
  NormaliseByBatch(std::size_t channels, const Parameters& parameters, Dtype y,
                   const AcceptStatistics& accept, ForwardResult& result)
      : Normalise(channels, y),
        channels_(channels),
        parameters_(parameters),
        accept_(accept),
        result_(result) {}

  [[nodiscard]] Needs needs() const override { return {.moments = true}; }

  void begin(std::uint64_t count) override {
    if (count == 1 && channels_ != 0) throw SingleValueError();
    result_.sums.count = count;
    result_.sums.sum.resize(channels_);
    result_.sums.sum_squares.resize(channels_);
    if (count != 0) result_.statistics = Statistics(channels_);
  }

  void finish(std::size_t c, ChannelTotals&& totals, std::uint64_t count) override {
    const Dyadic squares = deviation(totals.sum_x, totals.sum_x_squares, count);
    const ChannelStatistics statistics = channel_statistics(totals.sum_x, squares, count);
    result_.statistics.set(c, statistics);
    constants_.set(c, exact_y_of(c, totals.sum_x, squares), statistics.mean, &totals.sizes);
    result_.sums.sum[c] = std::move(totals.sum_x);
    result_.sums.sum_squares[c] = std::move(totals.sum_x_squares);
  }

  void conclude() override {
    if (accept_) accept_(result_.statistics);
  }

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    const auto& [count, sum, sum_squares] = result_.sums;
    return exact_y_of(c, sum[c], deviation(sum[c], sum_squares[c], count));
  }

 private:
  [[nodiscard]] ExactChannel exact_y_of(std::size_t c, const Dyadic& sum,
                                        const Dyadic& squares) const {
    // In a constant channel x - mean is 0 whatever it is multiplied by.
    const double gamma = squares.integer().is_zero() ? 0 : parameters_.gamma[c];
    return exact_y(batch_centre(sum, squares, result_.sums.count, parameters_.eps), gamma,
                   parameters_.beta[c]);
  }

  const std::size_t channels_;
  const Parameters& parameters_;
  const AcceptStatistics& accept_;
  ForwardResult& result_;
};

}  // namespace

ForwardResult forward_train(const View& view, Source& x, const Parameters& parameters, Sink& y,
                            const Execution& execution, Checksum checksum,
                            const AcceptStatistics& accept) {
  check_parameters(view, parameters.gamma, parameters.beta, parameters.eps);
  ForwardResult result;
  NormaliseByBatch normalise(view.channel, parameters, y.dtype(), accept, result);
  const std::array<Source*, 1> sources{&x};
  const PassResult passes =
      sum_and_apply(view, sources, normalise, normalise, &y, checksum, execution);
  result.counts = passes.counts;
  result.x_checksum = passes.x_checksum;
  return result;
}

ForwardResult forward_test(const View& view, Source& x, std::span<const double> running_mean,
                           std::span<const double> running_var, const Parameters& parameters,
                           Sink& y, const Execution& execution, Checksum checksum) {
  check_parameters(view, parameters.gamma, parameters.beta, parameters.eps);
  check_running(view, running_mean, running_var);
  NormaliseByRunning normalise(running_mean, running_var, parameters, y.dtype());
  const std::array<Source*, 1> sources{&x};
  const PassResult passes = apply_only(view, sources, normalise, y, checksum, execution);
  ForwardResult result;
  result.counts = passes.counts;
  result.x_checksum = passes.x_checksum;
  return result;
}

}  // namespace bn
