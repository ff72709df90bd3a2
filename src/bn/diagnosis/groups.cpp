#include "bn/diagnosis/groups.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <span>
#include <utility>

#include "bn/diagnosis/recipe.hpp"

namespace bn {
namespace {

// Sizes of groups that are tried whatever the first group looks like: beside another mistake it may
// look like anything.
constexpr std::array<std::size_t, 7> kUsual = {1, 2, 4, 8, 16, 32, 64};
// What is kept of small groups: 1 MiB.
constexpr std::size_t kMostCells = std::size_t{1} << 14;
// What is looked at to see that a size is worth trying.
constexpr std::size_t kChannels = 2;
constexpr std::size_t kValues = 32;

// Samples of the batch that lie in the sample as a whole; 0 where the layout does not tell.
std::size_t sampled_samples(const Evidence& evidence) {
  const auto values = evidence.values_per_sample;
  return values && *values != 0 ? evidence.first_values / *values : 0;
}

// Of all samples of the batch.
std::size_t all_samples(const Evidence& evidence) {
  const auto values = evidence.values_per_sample;
  return values && *values != 0 ? evidence.view.m() / *values : 0;
}

// The statistics of some values, in double arithmetic.
Cell cell_of(std::span<const double> x, std::span<const double> dy, std::size_t channel) {
  Cell cell;
  cell.count = x.size();
  cell.gamma_of = cell.beta_of = cell.running_of = channel;
  const auto count = static_cast<double>(x.size());
  double sum = 0;
  for (const double value : x) sum += value - x[0];
  cell.mean = x[0] + sum / count;
  double squares = 0;
  for (const double value : x) squares += (value - cell.mean) * (value - cell.mean);
  cell.var = squares / count;
  cell.var_unbiased = squares / (count - 1);
  for (std::size_t i = 0; i < dy.size(); ++i) {
    cell.sum_dy += dy[i];
    cell.sum_dy_x += dy[i] * (x[i] - cell.mean);
  }
  return cell;
}

// Prefix sums over the samples, of differences from one number: the statistics of any consecutive
// samples at once.
class PrefixSums {
 public:
  PrefixSums(const SampledChannel& of, std::size_t values_per_sample, std::size_t samples,
             double about)
      : channel_(of.channel), values_(values_per_sample), about_(about), totals_(samples + 1) {
    for (std::size_t s = 0; s < samples; ++s) {
      Totals next = totals_[s];
      for (std::size_t i = s * values_; i < (s + 1) * values_; ++i) {
        const double x = of.x[i] - about;
        const double dy = of.dy.empty() ? 0 : of.dy[i];
        next.x += x;
        next.squares += x * x;
        next.dy += dy;
        next.products += dy * x;
      }
      totals_[s + 1] = next;
    }
  }

  [[nodiscard]] Cell cell(std::size_t begin, std::size_t end) const {
    const Totals& a = totals_[begin];
    const Totals& b = totals_[end];
    Cell cell;
    cell.count = (end - begin) * values_;
    cell.gamma_of = cell.beta_of = cell.running_of = channel_;
    const auto count = static_cast<double>(cell.count);
    const double off = (b.x - a.x) / count;
    cell.mean = about_ + off;
    cell.var = std::max(0.0, (b.squares - a.squares) / count - off * off);
    cell.var_unbiased = cell.var * count / (count - 1);
    cell.sum_dy = b.dy - a.dy;
    cell.sum_dy_x = b.products - a.products - off * cell.sum_dy;
    return cell;
  }

 private:
  struct Totals {
    double x = 0;
    double squares = 0;
    double dy = 0;
    double products = 0;
  };
  const std::size_t channel_;
  const std::size_t values_;
  const double about_;
  std::vector<Totals> totals_;
};

std::vector<PrefixSums> sums_of_first_channels(const Evidence& evidence) {
  std::vector<PrefixSums> all;
  for (std::size_t k = 0; k < std::min(kChannels, evidence.channels.size()); ++k) {
    const SampledChannel& of = evidence.channels[k];
    all.emplace_back(of, *evidence.values_per_sample, sampled_samples(evidence),
                     evidence.cells[of.channel].mean);
  }
  return all;
}

// Whether the first so many values of a channel, or some of them, are what this cell yields.
bool fits(const Evidence& evidence, const SampledChannel& of, const Cell& cell) {
  const Elementwise computed(right_recipe(evidence.layer, cell), evidence.quantity(), of.sizes);
  const Dtype dtype = evidence.held.dtype;
  const std::size_t every = std::max<std::size_t>(1, cell.count / kValues);
  for (std::size_t i = 0; i < cell.count; i += every) {
    const Predicted predicted = computed.of(of.x[i], of.dy.empty() ? 0 : of.dy[i]);
    const double error =
        error_in_ulp(of.claim[i], predicted.value, ulp_at(dtype, predicted.size), dtype);
    if (!(std::abs(error) <= evidence.limits[of.channel])) return false;
  }
  return true;
}

// dgamma as the sum of those of groups of so many values, in units of the channel's own inv_std.
double sum_over_groups(const Evidence& evidence, const SampledChannel& of, std::size_t size) {
  double dgamma = 0;
  for (std::size_t begin = 0; begin < evidence.first_values; begin += size) {
    const std::size_t n = std::min(size, evidence.first_values - begin);
    const Cell group =
        cell_of(std::span(of.x).subspan(begin, n), std::span(of.dy).subspan(begin, n), of.channel);
    dgamma += right_recipe(evidence.layer, group).inv_std() * group.sum_dy_x;
  }
  return dgamma / right_recipe(evidence.layer, evidence.cells[of.channel]).inv_std();
}

// Sizes of shards that somebody may have: powers of two, round numbers, equal shares of up to 64
// devices. One number per channel is soon explained by one of all sizes.
std::set<std::size_t> shard_sizes(std::size_t samples) {
  constexpr std::size_t kMostShares = 64;
  std::set<std::size_t> sizes;
  for (std::size_t k = 1; k < samples; k *= 2) sizes.insert(k);
  for (std::size_t k = 10; k < samples; k *= 10) sizes.insert({k, 2 * k, 3 * k, 5 * k});
  for (std::size_t shares = 2; shares <= kMostShares; ++shares) {
    sizes.insert((samples + shares - 1) / shares);
  }
  sizes.erase(sizes.lower_bound(samples), sizes.end());
  return sizes;
}

// The right cell with the means over shards of k samples in place of the statistics.
Cell mean_of_shards(const Evidence& evidence, const PrefixSums& totals, std::size_t channel,
                    std::size_t k) {
  const std::size_t samples = sampled_samples(evidence);
  Cell cell = evidence.cells[channel];
  cell.mean = cell.var = cell.var_unbiased = 0;
  double shards = 0;
  for (std::size_t begin = 0; begin < samples; begin += k, ++shards) {
    const Cell shard = totals.cell(begin, std::min(samples, begin + k));
    cell.mean += shard.mean;
    cell.var += shard.var;
    cell.var_unbiased += shard.var_unbiased;
  }
  cell.mean /= shards;
  cell.var /= shards;
  cell.var_unbiased /= shards;
  return cell;
}

}  // namespace

std::optional<Reading> reading_of_groups(const Evidence& evidence, std::size_t k) {
  const std::size_t size = k * evidence.values_per_sample.value_or(0);
  if (sampled_samples(evidence) < k || size < 2) return std::nullopt;
  Reading reading{k == 1 ? "per_sample_statistics" : "group_statistics",
                  k == 1
                      ? "every sample of the batch was normalised by itself, as in instance "
                        "normalisation; the statistics are those of the whole batch"
                      : "every {} samples were normalised by themselves, as ghost batches or one "
                        "device's share; the statistics are those of the whole batch",
                  k == 1 ? std::nullopt : std::optional(static_cast<double>(k)),
                  {},
                  {}};
  if (!evidence.of_elements()) {
    if (!evidence.whole()) return std::nullopt;
    reading.cells = evidence.cells;
    for (const SampledChannel& of : evidence.channels) {
      Cell& cell = reading.cells[of.channel];
      cell.sum_dy_x = sum_over_groups(evidence, of, size);
    }
    return reading;
  }
  for (const SampledChannel& of : evidence.channels) {
    std::vector<std::uint32_t> cells(of.index.size(), Reading::kNone);
    const std::size_t most = kMostCells / evidence.channels.size() + 1;
    for (std::size_t g = 0; g < most && g * size < evidence.first_values; ++g) {
      const std::size_t begin = g * size;
      const std::size_t n = std::min(size, evidence.first_values - begin);
      if (n < size && !evidence.whole()) break;
      const auto cell = static_cast<std::uint32_t>(reading.cells.size());
      const auto dy =
          of.dy.empty() ? std::span<const double>() : std::span(of.dy).subspan(begin, n);
      reading.cells.push_back(cell_of(std::span(of.x).subspan(begin, n), dy, of.channel));
      for (std::size_t i = begin; i < begin + n; ++i) cells[i] = cell;
    }
    reading.of_values.push_back(std::move(cells));
  }
  return reading;
}

std::vector<std::size_t> group_sizes(const Evidence& evidence) {
  std::vector<std::size_t> sizes;
  const std::size_t all = all_samples(evidence);
  const std::size_t samples = sampled_samples(evidence);
  if (samples == 0) return sizes;
  // Where the first values are all alike, every size explains them.
  constexpr std::size_t kMostOthers = 16;
  std::size_t others = 0;
  const std::vector<PrefixSums> totals = sums_of_first_channels(evidence);
  for (std::size_t k = 1; k <= samples && k < all; ++k) {
    bool worth =
        std::find(kUsual.begin(), kUsual.end(), k) != kUsual.end() || 2 * k == all || 4 * k == all;
    if (!worth && evidence.of_elements() && others < kMostOthers) {
      worth = true;
      for (std::size_t c = 0; worth && c < totals.size(); ++c) {
        worth = fits(evidence, evidence.channels[c], totals[c].cell(0, k));
      }
      others += worth ? 1 : 0;
    }
    if (worth) sizes.push_back(k);
  }
  return sizes;
}

std::vector<Reading> readings_of_shards(const Evidence& evidence) {
  const std::size_t samples = sampled_samples(evidence);
  if (samples == 0 || !evidence.whole()) return {};
  const std::size_t values = *evidence.values_per_sample;
  std::vector<Reading> readings;
  for (const std::size_t k : shard_sizes(samples)) {
    if (k * values < 2) continue;
    Reading& reading = readings.emplace_back(right_reading(evidence));
    reading.mistake = "shard_statistics";
    reading.sentence =
        "the batch's statistic was the mean of those of shards of {} samples; it is that of all "
        "values together";
    reading.value = static_cast<double>(k);
  }
  for (const SampledChannel& of : evidence.channels) {
    const PrefixSums totals(of, values, samples, evidence.cells[of.channel].mean);
    for (Reading& reading : readings) {
      const auto k = static_cast<std::size_t>(*reading.value);
      reading.cells[of.channel] = mean_of_shards(evidence, totals, of.channel, k);
    }
  }
  return readings;
}

}  // namespace bn
