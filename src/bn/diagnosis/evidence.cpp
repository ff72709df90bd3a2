#include "bn/diagnosis/evidence.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "bn/arrays/elements.hpp"
#include "bn/backward.hpp"
#include "bn/passes/passes.hpp"
#include "bn/statistics.hpp"

namespace bn {
namespace {

// What is kept of an array: 2 MiB.
constexpr std::size_t kSampledValues = std::size_t{1} << 18;
constexpr std::size_t kFewest = 64;  // values of a channel
constexpr std::size_t kWorstValues = 64;

// Writes the first values of some channels where they belong.
class Collecting final : public Inspection {
 public:
  Collecting(const View& view, std::span<const std::size_t> channels, std::size_t first)
      : view_(view), slots_(view.channel, kNone), first_(first), values_(channels.size()) {
    for (std::size_t k = 0; k < channels.size(); ++k) {
      slots_[channels[k]] = k;
      values_[k].resize(first);
    }
  }
  void begin(unsigned /*threads*/) override {}
  void inspect(unsigned /*thread*/, const Tile& tile, std::span<const Block> blocks) override {
    const auto& [dtype, rows] = blocks[0];
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      for (std::size_t c = 0; c < tile.channel.count; ++c) {
        const std::size_t slot = slots_[tile.channel.begin + c];
        if (slot == kNone) continue;
        const std::size_t index = (tile.outer.begin + r) * view_.inner + tile.inner.begin;
        const std::size_t end = std::min(first_, index + tile.inner.count);
        for (std::size_t i = index; i < end; ++i) {
          const std::size_t at = c * tile.inner.count + i - index;
          values_[slot][i] = as_double(dtype, rows.data + r * rows.stride + at * item_size(dtype));
        }
      }
    }
  }
  [[nodiscard]] std::vector<std::vector<double>> take() { return std::move(values_); }

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  const View view_;
  std::vector<std::size_t> slots_;  // of each channel
  const std::size_t first_;
  std::vector<std::vector<double>> values_;
};

std::vector<std::vector<double>> collect(const View& view, Source& source,
                                         std::span<const std::size_t> channels, std::size_t first,
                                         const Execution& execution) {
  View part = view;
  part.outer =
      std::min(view.outer, (first + view.inner - 1) / std::max<std::size_t>(view.inner, 1));
  Collecting collecting(part, channels, first);
  const std::array<Source*, 1> sources{&source};
  inspect(part, sources, collecting, execution);
  return collecting.take();
}

double value_at(const View& view, Source& source, std::size_t position) {
  const std::size_t row = position / view.inner;
  const Tile tile{{row / view.channel, 1}, {row % view.channel, 1}, {position % view.inner, 1}};
  std::array<std::byte, sizeof(double)> scratch;
  const Rows rows = source.load(view, tile, scratch.data());
  return as_double(source.dtype(), rows.data);
}

// Of at most `count` elements of `all` evenly spread.
std::vector<std::size_t> spread(const std::vector<std::size_t>& all, std::size_t count) {
  if (all.size() <= count) return all;
  std::vector<std::size_t> some(count);
  for (std::size_t k = 0; k < count; ++k) some[k] = all[k * all.size() / count];
  return some;
}

void add_worst_values(Evidence& evidence, Source& x, Source* dy, Source& claim) {
  const View& view = evidence.view;
  for (std::size_t k = 0; k < std::min(kWorstValues, evidence.channels.size()); ++k) {
    SampledChannel& of = evidence.channels[k];
    const auto& worst = evidence.held.channels[of.channel].worst;
    if (!worst) continue;
    const std::size_t outer = worst->position / (view.channel * view.inner);
    const std::size_t index = outer * view.inner + worst->position % view.inner;
    if (index < evidence.first_values) continue;
    of.index.push_back(index);
    of.x.push_back(value_at(view, x, worst->position));
    if (dy != nullptr) of.dy.push_back(value_at(view, *dy, worst->position));
    of.claim.push_back(value_at(view, claim, worst->position));
  }
}

void measure(SampledChannel& of, bool train) {
  double x = 0;
  for (std::size_t i = 0; i < of.x.size(); ++i) {
    x += std::abs(of.x[i]);
    if (of.dy.empty()) continue;
    of.sizes.dy += std::abs(of.dy[i]);
    of.sizes.dy_x += std::abs(of.dy[i]) * std::abs(of.x[i]);
  }
  const auto count = static_cast<double>(std::max<std::size_t>(of.x.size(), 1));
  if (train) of.sizes.x = x / count;
  of.sizes.dy /= count;
  of.sizes.dy_x /= count;
}

}  // namespace

Line fit(const SampledChannel& of, double mean) {
  double x = 0, claim = 0, n = 0;
  for (std::size_t i = 0; i < of.x.size(); ++i) {
    x += of.x[i] - mean;
    claim += of.claim[i];
    n += 1;
  }
  x /= n;
  claim /= n;
  double squares = 0, products = 0;
  for (std::size_t i = 0; i < of.x.size(); ++i) {
    const double centred = of.x[i] - mean - x;
    squares += centred * centred;
    products += centred * (of.claim[i] - claim);
  }
  const double slope = squares > 0 ? products / squares : 0;
  return {slope, claim - slope * x};
}

std::vector<Cell> cells_of(const View& view, Source& x, Source* dy, const Execution& execution) {
  const Statistics of_x = statistics(sums(view, x, execution));
  std::vector<Cell> cells(view.channel);
  for (std::size_t c = 0; c < cells.size(); ++c) {
    cells[c] = {view.m(), of_x.mean[c], of_x.var[c], of_x.var_unbiased[c], 0, 0, c, c, c};
  }
  if (dy == nullptr) return cells;
  // In test mode dgamma is sum dy (x - mean) / sqrt(var + eps), whatever the statistics and eps
  // are.
  const std::vector<double> ones(view.channel, 1);
  constexpr double kEps = 1;
  const BackwardResult gradients =
      backward_test(view, x, *dy, of_x.mean, of_x.var, ones, kEps, nullptr, execution);
  for (std::size_t c = 0; c < cells.size(); ++c) {
    cells[c].sum_dy = gradients.dbeta[c];
    cells[c].sum_dy_x = gradients.dgamma[c] * std::sqrt(cells[c].var + kEps);
  }
  return cells;
}

void take_sample(Evidence& evidence, Source& x, Source* dy, Source* claim,
                 const Execution& execution) {
  const View& view = evidence.view;
  const std::vector<std::size_t> channels = spread(evidence.wrong, kSampledValues / kFewest);
  evidence.first_values =
      std::min(view.m(), kSampledValues / std::max<std::size_t>(channels.size(), 1));
  const std::size_t first = evidence.first_values;
  auto of_x = collect(view, x, channels, first, execution);
  auto of_dy = dy != nullptr ? collect(view, *dy, channels, first, execution)
                             : std::vector<std::vector<double>>(channels.size());
  auto of_claim = claim != nullptr ? collect(view, *claim, channels, first, execution)
                                   : std::vector<std::vector<double>>(channels.size());
  for (std::size_t k = 0; k < channels.size(); ++k) {
    const std::size_t c = channels[k];
    SampledChannel of;
    of.channel = c;
    of.index.resize(first);
    for (std::size_t i = 0; i < first; ++i) of.index[i] = i;
    of.x = std::move(of_x[k]);
    of.dy = std::move(of_dy[k]);
    of.claim = std::move(of_claim[k]);
    measure(of, evidence.train());
    evidence.channels.push_back(std::move(of));
  }
  if (claim != nullptr) add_worst_values(evidence, x, dy, *claim);
}

}  // namespace bn
