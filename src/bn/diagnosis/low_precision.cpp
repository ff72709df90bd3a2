#include "bn/diagnosis/low_precision.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "bn/diagnosis/recipe.hpp"

namespace bn {
namespace {

// Orders of summation differ by about so much.
constexpr double kAlike = 30;

// Nearest number of so many binary digits (G. W. Veltkamp, 1968).
double rounded(double value, int digits) {
  const double shifted = value * (std::ldexp(1.0, 53 - digits) + 1);
  return shifted - (shifted - value);
}

// sum x and sum x^2.
struct Moments {
  double sum = 0;
  double squares = 0;
};

// One value after the other.
Moments in_sequence(std::span<const double> x, int digits) {
  Moments of;
  for (const double value : x) {
    of.sum = rounded(of.sum + value, digits);
    of.squares = rounded(of.squares + rounded(value * value, digits), digits);
  }
  return of;
}

// Halves, each summed up alike.
Moments in_halves(std::span<const double> x, int digits) {
  constexpr std::size_t kShort = 8;
  if (x.size() <= kShort) return in_sequence(x, digits);
  const Moments a = in_halves(x.first(x.size() / 2), digits);
  const Moments b = in_halves(x.subspan(x.size() / 2), digits);
  return {rounded(a.sum + b.sum, digits), rounded(a.squares + b.squares, digits)};
}

struct MeanAndVar {
  double mean = 0;
  double var = 0;
};

// How far sums in so many digits may move them.
MeanAndVar doubt_of(std::span<const double> x, int digits) {
  const auto count = static_cast<double>(x.size());
  Moments right;
  for (const double value : x) {
    right.sum += value;
    right.squares += value * value;
  }
  const double mean = right.sum / count;
  const double unit = std::ldexp(1.0, -digits);
  MeanAndVar doubt{unit * std::sqrt(right.squares / count), unit * right.squares / count};
  for (const Moments& sums : {in_sequence(x, digits), in_halves(x, digits)}) {
    const double off = sums.sum / count - mean;
    const double off_squares = (sums.squares - right.squares) / count;
    doubt.mean = std::max(doubt.mean, std::abs(off));
    doubt.var = std::max(doubt.var, std::abs(off_squares - off * (2 * mean + off)));
  }
  return doubt;
}

// The batch's statistics that the claim suggests.
std::optional<MeanAndVar> suggested(const Evidence& evidence, const SampledChannel& of) {
  const Cell& cell = evidence.cells[of.channel];
  const Recipe right = right_recipe(evidence.layer, cell);
  if (evidence.quantity() == Quantity::y) {
    const Line line = fit(of, cell.mean);
    if (line.slope == 0 || right.gamma == 0) return std::nullopt;
    const double deviation = right.gamma / line.slope;
    return MeanAndVar{cell.mean - (line.at_mean - right.beta) / line.slope,
                      deviation * deviation - right.eps};
  }
  const auto batch = [&](double old) {
    const double claimed = evidence.held.channels[of.channel].worst->claimed;
    return (claimed - (1 - right.weight) * old) / right.weight;
  };
  if (evidence.quantity() == Quantity::running_mean)
    return MeanAndVar{batch(right.old_mean), cell.var};
  return MeanAndVar{cell.mean, batch(right.old_var) * cell.var / right.batch_var};
}

}  // namespace

std::optional<Reading> reading_of_low_precision(const Evidence& evidence, int bits, int digits) {
  const bool possible = evidence.quantity() == Quantity::y ||
                        evidence.quantity() == Quantity::running_mean ||
                        evidence.quantity() == Quantity::running_var;
  if (!possible || !evidence.train()) return std::nullopt;
  if (!evidence.of_elements() && !evidence.whole()) return std::nullopt;
  Reading reading = right_reading(evidence);
  reading.mistake = "low_precision_sums";
  reading.sentence =
      "mean and variance were summed with {} bits, as E[x^2] - E[x]^2, which loses what the mean "
      "is larger than the deviation; they need the difference from the mean, or more bits";
  reading.value = bits;
  double least_ratio = HUGE_VAL, largest_ratio = 0;
  bool seen = false;
  bool mean_seen = evidence.quantity() != Quantity::y;
  for (const SampledChannel& of : evidence.channels) {
    Cell& cell = reading.cells[of.channel];
    const std::optional<MeanAndVar> found = suggested(evidence, of);
    if (!found) return std::nullopt;
    const MeanAndVar doubt = doubt_of(std::span(of.x).first(evidence.first_values), digits);
    const double off_mean = std::abs(found->mean - cell.mean);
    const double off_var = std::abs(found->var - cell.var);
    if (!(off_mean <= kAlike * doubt.mean && off_var <= kAlike * doubt.var)) return std::nullopt;
    seen = seen || kAlike * off_var >= doubt.var;
    mean_seen = mean_seen || kAlike * off_mean >= doubt.mean;
    least_ratio = std::min(least_ratio, found->var / cell.var);
    largest_ratio = std::max(largest_ratio, found->var / cell.var);
    cell.mean = found->mean;
    cell.var_unbiased *= found->var / cell.var;
    cell.var = found->var;
  }
  // Rounding does not multiply every variance by the same number.
  constexpr double kSame = 0.02;
  const bool same = evidence.channels.size() > 1 &&
                    largest_ratio - least_ratio < kSame * std::abs(largest_ratio - 1);
  // Sums that round the squares so much round the values, too.
  return seen && mean_seen && !same ? std::optional(std::move(reading)) : std::nullopt;
}

}  // namespace bn
