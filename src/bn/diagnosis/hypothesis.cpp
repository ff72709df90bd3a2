#include "bn/diagnosis/hypothesis.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "bn/diagnosis/recipe.hpp"

namespace bn {
namespace {

// A few values, with which it is seen in no time that a mistake explains nothing, and from which
// those that go with one are estimated.
constexpr std::size_t kFewChannels = 64;
constexpr std::size_t kFewValues = 32;

Recipe recipe_of(const Evidence& evidence, const Hypothesis& hypothesis, const Cell& cell) {
  Recipe recipe = right_recipe(evidence.layer, cell);
  for (const Mistake* mistake : hypothesis.mistakes) {
    mistake->apply(recipe, evidence.layer, hypothesis.value.value_or(0));
  }
  return recipe;
}

// Calls use(number of the sampled channel, error in ulp, difference) for every so many values of
// every so many channels of y or dx.
template <class Use>
void for_elements(const Evidence& evidence, const Hypothesis& hypothesis, std::size_t most_channels,
                  std::size_t most_values, Use use) {
  const std::size_t channels = evidence.channels.size();
  const std::size_t every_channel = std::max<std::size_t>(1, channels / most_channels);
  const Reading& reading = *hypothesis.reading;
  for (std::size_t k = 0; k < channels; k += every_channel) {
    const SampledChannel& of = evidence.channels[k];
    const std::size_t every = std::max<std::size_t>(1, of.index.size() / most_values);
    std::uint32_t known = Reading::kNone;
    std::optional<Elementwise> computed;
    for (std::size_t i = 0; i < of.index.size(); i += every) {
      const auto cell = reading.of_values.empty() ? static_cast<std::uint32_t>(of.channel)
                                                  : reading.of_values[k][i];
      if (cell == Reading::kNone) continue;
      if (cell != known) {
        computed.emplace(recipe_of(evidence, hypothesis, reading.cells[cell]), evidence.quantity(),
                         of.sizes);
        known = cell;
      }
      const Predicted predicted = computed->of(of.x[i], of.dy.empty() ? 0 : of.dy[i]);
      const Dtype dtype = evidence.held.dtype;
      const double error =
          error_in_ulp(of.claim[i], predicted.value, ulp_at(dtype, predicted.size), dtype);
      use(k, error, of.claim[i] - predicted.value);
    }
  }
}

// The same for a claim per channel.
template <class Use>
void for_channels(const Evidence& evidence, const Hypothesis& hypothesis, Use use) {
  const Dtype dtype = evidence.held.dtype;
  for (std::size_t k = 0; k < evidence.channels.size(); ++k) {
    const SampledChannel& of = evidence.channels[k];
    const std::size_t c = of.channel;
    const Recipe recipe = recipe_of(evidence, hypothesis, hypothesis.reading->cells[c]);
    const auto [value, size] = of_channel(recipe, evidence.quantity(), of.sizes);
    const double ulp = ulp_at(dtype, std::max(size, std::abs(value)));
    const double claimed = evidence.held.channels[c].worst->claimed;
    use(k, error_in_ulp(claimed, value, ulp, dtype), claimed - value);
  }
}

template <class Use>
void for_all(const Evidence& evidence, const Hypothesis& hypothesis, std::size_t most_channels,
             std::size_t most_values, Use use) {
  if (evidence.of_elements()) {
    for_elements(evidence, hypothesis, most_channels, most_values, use);
  } else {
    for_channels(evidence, hypothesis, use);
  }
}

Residual residual_of(const Evidence& evidence, const Hypothesis& hypothesis,
                     std::size_t most_channels, std::size_t most_values) {
  Residual result;
  result.squares.resize(evidence.channels.size());
  const auto use = [&](std::size_t k, double error, double difference) {
    const double size = std::abs(error);
    result.largest = std::max(result.largest, size);
    result.within = result.within && size <= evidence.limits[evidence.channels[k].channel];
    if (std::isfinite(difference)) result.squares[k] += difference * difference;
  };
  for_all(evidence, hypothesis, most_channels, most_values, use);
  return result;
}

// The sum of the squares of errors, those beyond all reason cut off.
double cost(const Evidence& evidence, Hypothesis& hypothesis, double value) {
  hypothesis.value = value;
  double sum = 0;
  for_all(evidence, hypothesis, kFewChannels, kFewValues, [&](std::size_t, double error, double) {
    const double size = std::min(std::abs(error), 1e100);
    sum += size * size;
  });
  return sum;
}

// Where `at` is least between low and high, having but one minimum there: golden section search (J.
// Kiefer, 1953), till doubles tell no more.
double least(const std::function<double(double)>& at, double low, double high) {
  const double golden = (std::sqrt(5.0) - 1) / 2;
  double a = high - golden * (high - low), b = low + golden * (high - low);
  double of_a = at(a), of_b = at(b);
  for (int i = 0; i < 80; ++i) {
    if (of_a <= of_b) {
      high = b;
      b = a;
      of_b = of_a;
      a = high - golden * (high - low);
      of_a = at(a);
    } else {
      low = a;
      a = b;
      of_a = of_b;
      b = low + golden * (high - low);
      of_b = at(b);
    }
  }
  return (low + high) / 2;
}

// One step of Gauss and Newton after the other, as long as they lead down: errors are nearly linear
// in the value, so that this gives all of its digits.
double refine(const Evidence& evidence, Hypothesis& hypothesis, double value) {
  const auto errors = [&](double at) {
    hypothesis.value = at;
    std::vector<double> all;
    for_all(evidence, hypothesis, kFewChannels, kFewValues, [&](std::size_t, double error, double) {
      all.push_back(std::clamp(error, -1e100, 1e100));
    });
    return all;
  };
  double lowest = cost(evidence, hypothesis, value);
  for (int i = 0; i < 20; ++i) {
    const double step = std::max(std::abs(value) * 1e-6, 1e-15);
    const std::vector<double> here = errors(value);
    const std::vector<double> there = errors(value + step);
    double squares = 0, products = 0;
    for (std::size_t k = 0; k < here.size(); ++k) {
      const double slope = (there[k] - here[k]) / step;
      squares += slope * slope;
      products += slope * here[k];
    }
    const double next = value - products / squares;
    const double now = std::isfinite(next) ? cost(evidence, hypothesis, next) : lowest;
    if (!(now < lowest)) break;
    lowest = now;
    value = next;
  }
  return value;
}

double rounded_to(double value, int digits) {
  std::array<char, 64> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value,
                                 std::chars_format::scientific, digits - 1)
                       .ptr;
  double result = value;
  std::from_chars(text.data(), end, result);
  return result;
}

}  // namespace

Residual whole_residual(const Evidence& evidence, const Hypothesis& hypothesis) {
  constexpr std::size_t kAll = ~std::size_t{0};
  return residual_of(evidence, hypothesis, kAll, kAll);
}

Residual residual(const Evidence& evidence, const Hypothesis& hypothesis) {
  if (evidence.of_elements()) {
    const Residual few = residual_of(evidence, hypothesis, kFewChannels, kFewValues);
    if (!few.within) return few;
  }
  return whole_residual(evidence, hypothesis);
}

FoundValue find_value(const Evidence& evidence, Hypothesis hypothesis) {
  const bool logarithmic = std::any_of(hypothesis.mistakes.begin(), hypothesis.mistakes.end(),
                                       [](const Mistake* m) { return m->value == Value::eps; });
  const double low = logarithmic ? std::log(1e-14) : -1;
  const double high = logarithmic ? 0 : 2;
  const auto at = [&](double t) {
    return cost(evidence, hypothesis, logarithmic ? std::exp(t) : t);
  };
  constexpr int kSteps = 96;
  const double step = (high - low) / kSteps;
  int best = 0;
  double lowest = std::numeric_limits<double>::infinity();
  for (int i = 0; i <= kSteps; ++i) {
    const double here = at(low + i * step);
    if (!(here < lowest)) continue;
    lowest = here;
    best = i;
  }
  const double t = least(at, low + (best - 1) * step, low + (best + 1) * step);
  const double value = refine(evidence, hypothesis, logarithmic ? std::exp(t) : t);
  hypothesis.value = value;
  const double enough = std::max(kCarefulTolerance, 1.5 * residual(evidence, hypothesis).largest);
  for (int digits = 1; digits <= 6; ++digits) {
    hypothesis.value = rounded_to(value, digits);
    if (residual(evidence, hypothesis).largest <= enough) return {*hypothesis.value, digits};
  }
  return {value, std::nullopt};
}

std::vector<std::string> names(const Hypothesis& hypothesis) {
  std::vector<std::string> all;
  if (!hypothesis.reading->mistake.empty()) all.push_back(hypothesis.reading->mistake);
  for (const Mistake* mistake : hypothesis.mistakes) all.emplace_back(mistake->name);
  return all;
}

}  // namespace bn
