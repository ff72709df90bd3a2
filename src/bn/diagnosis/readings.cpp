#include "bn/diagnosis/readings.hpp"

#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <utility>

#include "bn/diagnosis/recipe.hpp"

namespace bn {
namespace {

std::size_t position(const Evidence& evidence, std::size_t channel, std::size_t index) {
  const View& view = evidence.view;
  return (index / view.inner * view.channel + channel) * view.inner + index % view.inner;
}

Reading reading_of(const OtherView& other, const Evidence& evidence, std::vector<Cell> cells) {
  Reading reading{other.mistake, other.sentence, other.value, std::move(cells), {}};
  for (const SampledChannel& of : evidence.channels) {
    std::vector<std::uint32_t>& cell_of_value = reading.of_values.emplace_back();
    for (const std::size_t index : of.index) {
      const std::size_t at = position(evidence, of.channel, index);
      const std::size_t cell = at / other.view.inner % other.view.channel;
      cell_of_value.push_back(static_cast<std::uint32_t>(cell));
    }
  }
  return reading;
}

// The same cells, for every channel with that channel's parameters.
void with_own_parameters(Reading& reading, const Evidence& evidence) {
  constexpr std::size_t kMostCells = std::size_t{1} << 16;
  const std::vector<Cell> cells = std::exchange(reading.cells, {});
  for (std::size_t k = 0; k < evidence.channels.size(); ++k) {
    std::vector<std::uint32_t> known(cells.size(), Reading::kNone);
    for (std::uint32_t& cell : reading.of_values[k]) {
      std::uint32_t& own = known[cell];
      if (own == Reading::kNone && reading.cells.size() < kMostCells) {
        own = static_cast<std::uint32_t>(reading.cells.size());
        Cell& added = reading.cells.emplace_back(cells[cell]);
        added.gamma_of = added.beta_of = added.running_of = evidence.channels[k].channel;
      }
      cell = own;
    }
  }
}

using Distance = std::function<double(std::size_t k, std::size_t channel)>;

// Exchanges what brings both nearer, as long as there is something: of numbers this finds the best
// order.
void exchange(std::vector<std::size_t>& order, const Distance& distance) {
  constexpr std::size_t kMost = 512;
  if (order.size() > kMost) return;
  const auto squared = [&](std::size_t k, std::size_t c) {
    const double here = distance(k, c);
    return here * here;
  };
  bool better = true;
  for (std::size_t round = 0; better && round < order.size(); ++round) {
    better = false;
    for (std::size_t k = 0; k < order.size(); ++k) {
      for (std::size_t j = k + 1; j < order.size(); ++j) {
        const double now = squared(k, order[k]) + squared(j, order[j]);
        if (!(squared(k, order[j]) + squared(j, order[k]) < now)) continue;
        std::swap(order[k], order[j]);
        better = true;
      }
    }
  }
}

// For each of these channels one whose values are near; none unless that moves something.
std::optional<std::vector<std::size_t>> nearest_order(const std::vector<std::size_t>& channels,
                                                      const Distance& distance) {
  constexpr std::size_t kMost = 4096;
  if (channels.size() > kMost) return std::nullopt;
  std::vector<std::size_t> order(channels.size());
  std::vector<bool> taken(channels.size());
  for (std::size_t k = 0; k < channels.size(); ++k) {
    std::size_t best = channels.size();
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < channels.size(); ++j) {
      if (taken[j]) continue;
      const double here = distance(k, channels[j]);
      if (!(here < least)) continue;
      least = here;
      best = j;
    }
    if (best == channels.size()) return std::nullopt;
    taken[best] = true;
    order[k] = channels[best];
  }
  exchange(order, distance);
  return order != channels ? std::optional(order) : std::nullopt;
}

constexpr const char* kParametersSentence =
    "gamma and beta were those of other channels: their order is not that of the channels";
constexpr const char* kStatisticsSentence =
    "the statistics were those of other channels: their order is not that of the channels";

// Of claim = factor dy + a x + b, by least squares over the sample.
double factor_of_dy(const SampledChannel& of) {
  const auto n = static_cast<double>(of.x.size());
  const double x = std::accumulate(of.x.begin(), of.x.end(), 0.0) / n;
  const double dy = std::accumulate(of.dy.begin(), of.dy.end(), 0.0) / n;
  double xx = 0, xd = 0, dd = 0, xc = 0, dc = 0;
  for (std::size_t i = 0; i < of.x.size(); ++i) {
    const double of_x = of.x[i] - x;
    const double of_dy = of.dy[i] - dy;
    xx += of_x * of_x;
    xd += of_x * of_dy;
    dd += of_dy * of_dy;
    xc += of_x * of.claim[i];
    dc += of_dy * of.claim[i];
  }
  const double determinant = dd * xx - xd * xd;
  return determinant > 0 ? (dc * xx - xc * xd) / determinant : dd > 0 ? dc / dd : 0;
}

class Permuting {
 public:
  explicit Permuting(const Evidence& evidence) : evidence_(evidence), layer_(evidence.layer) {}

  std::vector<Reading> of_y() {
    std::vector<Line> lines;
    for (const SampledChannel& of : evidence_.channels) {
      lines.push_back(fit(of, centre(of.channel)));
    }
    const auto gamma_of = [&](std::size_t k) {
      return lines[k].slope / inv_std(evidence_.wrong[k]);
    };
    const auto from_gamma = [&](std::size_t k, std::size_t c) {
      return std::abs(gamma_of(k) - layer_.gamma[c]);
    };
    const auto from_beta = [&](std::size_t k, std::size_t c) {
      return std::abs(lines[k].at_mean - layer_.beta[c]);
    };
    const auto from_both = [&](std::size_t k, std::size_t c) {
      return from_gamma(k, c) + from_beta(k, c);
    };
    add(from_both, {&Cell::gamma_of, &Cell::beta_of});
    add(from_gamma, {&Cell::gamma_of});
    add(from_beta, {&Cell::beta_of});
    add_statistics([&](std::size_t k, std::size_t c) {
      const std::size_t own = evidence_.wrong[k];
      const double slope = layer_.gamma[own] * inv_std(c);
      const double at_mean = slope * (centre(own) - centre(c)) + layer_.beta[own];
      return std::abs(lines[k].slope - slope) / std::abs(slope) +
             std::abs(lines[k].at_mean - at_mean);
    });
    return std::move(readings_);
  }

  // In dx the factor of dy is gamma inv_std.
  std::vector<Reading> of_dx() {
    std::vector<double> factors;
    for (const SampledChannel& of : evidence_.channels) factors.push_back(factor_of_dy(of));
    add(
        [&](std::size_t k, std::size_t c) {
          return std::abs(factors[k] / inv_std(evidence_.wrong[k]) - layer_.gamma[c]);
        },
        {&Cell::gamma_of});
    add_statistics([&](std::size_t k, std::size_t c) {
      const double with = layer_.gamma[evidence_.wrong[k]] * inv_std(c);
      return std::abs(factors[k] - with) / (std::abs(factors[k]) + std::abs(with));
    });
    return std::move(readings_);
  }

  std::vector<Reading> of_channels() {
    const Quantity quantity = evidence_.quantity();
    add_statistics([&](std::size_t k, std::size_t c) {
      const std::size_t own = evidence_.wrong[k];
      Cell cell = evidence_.cells[c];
      cell.running_of = own;
      const double claimed = evidence_.held.channels[own].worst->claimed;
      return std::abs(claimed - of_channel(right_recipe(layer_, cell), quantity, {}).value);
    });
    return std::move(readings_);
  }

 private:
  [[nodiscard]] double centre(std::size_t c) const {
    return right_recipe(layer_, evidence_.cells[c]).mean;
  }
  [[nodiscard]] double inv_std(std::size_t c) const {
    return right_recipe(layer_, evidence_.cells[c]).inv_std();
  }

  void add(const Distance& distance, const std::vector<std::size_t Cell::*>& members) {
    const auto order = nearest_order(evidence_.wrong, distance);
    if (!order) return;
    Reading reading = right_reading(evidence_);
    reading.mistake = "channels_permuted_parameters";
    reading.sentence = kParametersSentence;
    for (std::size_t k = 0; k < order->size(); ++k) {
      for (const auto member : members) reading.cells[evidence_.wrong[k]].*member = (*order)[k];
    }
    readings_.push_back(std::move(reading));
  }

  void add_statistics(const Distance& distance) {
    const auto order = nearest_order(evidence_.wrong, distance);
    if (!order) return;
    Reading reading = right_reading(evidence_);
    reading.mistake = "channels_permuted_statistics";
    reading.sentence = kStatisticsSentence;
    const bool running = evidence_.quantity() == Quantity::running_mean ||
                         evidence_.quantity() == Quantity::running_var;
    for (std::size_t k = 0; k < order->size(); ++k) {
      const std::size_t own = evidence_.wrong[k];
      const Cell& right = evidence_.cells[own];
      Cell cell = evidence_.cells[(*order)[k]];
      cell.gamma_of = cell.beta_of = own;
      cell.sum_dy = right.sum_dy;
      cell.sum_dy_x = right.sum_dy_x + (right.mean - cell.mean) * right.sum_dy;
      if (running) cell.running_of = own;
      reading.cells[own] = cell;
    }
    readings_.push_back(std::move(reading));
  }

  const Evidence& evidence_;
  const LayerBefore& layer_;
  std::vector<Reading> readings_;
};

}  // namespace

Reading right_reading(const Evidence& evidence) { return {{}, {}, {}, evidence.cells, {}}; }

std::vector<Reading> readings_of(const OtherView& other, const std::vector<Cell>& cells,
                                 const Evidence& evidence) {
  std::vector<Reading> readings;
  const Reading of_cells = reading_of(other, evidence, cells);
  if (other.view.channel == evidence.view.channel) readings.push_back(of_cells);
  if (evidence.of_elements() && evidence.train()) {
    Reading own = of_cells;
    with_own_parameters(own, evidence);
    readings.push_back(std::move(own));
  }
  return readings;
}

std::vector<Reading> permuted_readings(const Evidence& evidence) {
  if (evidence.wrong.size() < 2) return {};
  Permuting permuting(evidence);
  if (!evidence.of_elements()) return permuting.of_channels();
  if (evidence.channels.size() != evidence.wrong.size()) return {};
  return evidence.quantity() == Quantity::y ? permuting.of_y() : permuting.of_dx();
}

}  // namespace bn
