#include "bn/statistics.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "bn/error.hpp"
#include "bn/exact/nearest.hpp"
#include "bn/passes/passes.hpp"

namespace bn {
namespace {

// Keeps the sums as they are.
class KeepSums : public Reduction {
 public:
  explicit KeepSums(Sums& result) : result_(result) {}

  [[nodiscard]] Needs needs() const override { return {.moments = true}; }
  void begin(std::uint64_t count) override { result_.count = count; }
  void finish(std::size_t channel, ChannelTotals&& totals, std::uint64_t /*count*/) override {
    result_.sum[channel] = std::move(totals.sum_x);
    result_.sum_squares[channel] = std::move(totals.sum_x_squares);
  }

 private:
  Sums& result_;
};

}  // namespace

Dyadic deviation(const Dyadic& sum, const Dyadic& sum_squares, std::uint64_t count) {
  Dyadic result = Dyadic(Integer(count), 0) * sum_squares;
  result -= sum * sum;
  return result;
}

ChannelStatistics channel_statistics(const Dyadic& sum, const Dyadic& deviation,
                                     std::uint64_t count) {
  return {
      quotient(sum, count), quotient(deviation, count, count),
      count > 1 ? quotient(deviation, count, count - 1) : std::numeric_limits<double>::quiet_NaN()};
}

Sums sums(const View& view, Source& x, const Execution& execution) {
  Sums result;
  result.sum.resize(view.channel);
  result.sum_squares.resize(view.channel);
  KeepSums reduction(result);
  const std::array<Source*, 1> sources{&x};
  sum_only(view, sources, reduction, execution);
  return result;
}

Statistics statistics(const Sums& sums) {
  if (sums.count == 0) throw std::invalid_argument("no values have no statistics");
  Statistics result(sums.sum.size());
  for (std::size_t c = 0; c < sums.sum.size(); ++c) {
    const Dyadic squares = deviation(sums.sum[c], sums.sum_squares[c], sums.count);
    result.set(c, channel_statistics(sums.sum[c], squares, sums.count));
  }
  result.check_range();
  return result;
}

Statistics::Statistics(std::size_t channels)
    : mean(channels), var(channels), var_unbiased(channels) {}

void Statistics::set(std::size_t channel, const ChannelStatistics& of_channel) {
  mean[channel] = of_channel.mean;
  var[channel] = of_channel.var;
  var_unbiased[channel] = of_channel.var_unbiased;
}

void Statistics::check_range() const {
  for (std::size_t c = 0; c < var.size(); ++c) {
    if (!std::isfinite(mean[c])) throw RangeError("mean", c);
    if (!std::isfinite(var[c])) throw RangeError("var", c);
  }
}

}  // namespace bn
