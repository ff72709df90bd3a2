#include "bn/statistics.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "bn/check.hpp"
#include "bn/error.hpp"
#include "bn/passes/passes.hpp"

namespace bn {
namespace {

class Summing : public Computation {
 public:
  explicit Summing(Sums& result) : result_(result) {}

  void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
              std::span<const Block> blocks) override {
    sums[0].add_moments(view, tile, blocks[0]);
  }
  void finish(std::size_t channel, std::span<ChannelSums> sums) override {
    auto [sum, sum_squares] = sums[0].take(channel);
    result_.sum[channel] = std::move(sum);
    result_.sum_squares[channel] = std::move(sum_squares);
  }
  void apply(const View&, const Tile&, std::span<const Block>, Dtype, MutableRows) override {}

 private:
  Sums& result_;
};

}  // namespace

Sums sums(const View& view, Source& x, const Execution& execution) {
  Sums result;
  result.count = view.m();
  result.sum.resize(view.channel);
  result.sum_squares.resize(view.channel);
  Summing summing(result);
  const std::array<Source*, 1> sources{&x};
  sum_and_apply(view, sources, summing, nullptr, execution);
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
