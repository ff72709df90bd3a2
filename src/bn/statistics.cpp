#include "bn/statistics.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "bn/error.hpp"
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

ChannelStatistics channel_statistics(const Dyadic& sum, const Dyadic& sum_squares,
                                     std::uint64_t count) {
  // sum (x - mean)^2 = (m * sum x^2 - (sum x)^2) / m
  Dyadic deviation = Dyadic(Integer(count), 0) * sum_squares;
  deviation -= sum * sum;
  ChannelStatistics result;
  result.constant = deviation.integer().is_zero();
  result.mean = quotient(sum, count);
  result.var = quotient(deviation, count, count);
  result.var_unbiased = count > 1 ? quotient(deviation, count, count - 1).hi
                                  : std::numeric_limits<double>::quiet_NaN();
  return result;
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
    result.set(c, channel_statistics(sums.sum[c], sums.sum_squares[c], sums.count));
  }
  result.check_range();
  return result;
}

Statistics::Statistics(std::size_t channels)
    : mean(channels), mean_lo(channels), var(channels), var_unbiased(channels) {}

void Statistics::set(std::size_t channel, const ChannelStatistics& of_channel) {
  mean[channel] = of_channel.mean.hi;
  mean_lo[channel] = of_channel.mean.lo;
  var[channel] = of_channel.var.hi;
  var_unbiased[channel] = of_channel.var_unbiased;
}

void Statistics::check_range() const {
  for (std::size_t c = 0; c < var.size(); ++c) {
    if (!std::isfinite(var[c]) || std::isinf(var_unbiased[c])) throw RangeError("var", c);
  }
}

}  // namespace bn
