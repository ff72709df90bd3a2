#include "bn/diagnosis/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bn/diagnosis/hypothesis.hpp"
#include "bn/diagnosis/mistakes.hpp"
#include "bn/diagnosis/readings.hpp"
#include "catch.hpp"
#include "diagnosis/diagnosis_case.hpp"

using bn::Dtype;
using bn::Mode;
using bn::Quantity;
using diagnosis::Case;
using diagnosis::Code;

namespace {

constexpr bn::View kView{10, 4, 6};

// The evidence of y, and what it refers to.
struct OfY {
  explicit OfY(const Code& code, Dtype dtype = Dtype::float32)
      : wrong(verified(code, dtype)),
        layer(wrong.before()),
        evidence{layer, wrong.verification.claims.at(0),        false,       kView,
                 {},    std::vector<double>(kView.channel, 50), {0, 1, 2, 3}} {
    data::ArraySource x(wrong.x);
    data::ArraySource y(wrong.y);
    evidence.cells = bn::cells_of(kView, x, nullptr, {});
    bn::take_sample(evidence, x, nullptr, &y, {});
  }
  OfY(const OfY&) = delete;
  OfY& operator=(const OfY&) = delete;

  static Case verified(const Code& code, Dtype dtype) {
    Case wrong(kView, Mode::train, dtype);
    wrong.run_all(code);
    (void)wrong.diagnose(Quantity::y);
    return wrong;
  }

  Case wrong;
  bn::LayerBefore layer;
  bn::Evidence evidence;
};

bn::SampledChannel channel_of(std::vector<double> x, std::vector<double> claim) {
  bn::SampledChannel of;
  of.x = std::move(x);
  of.claim = std::move(claim);
  return of;
}

const bn::Mistake& known(std::string_view name) {
  const auto all = bn::known_mistakes();
  return *std::find_if(all.begin(), all.end(), [&](const auto& m) { return m.name == name; });
}

}  // namespace

TEST_CASE("A line is fitted through the claims of a channel") {
  const bn::Line line = bn::fit(channel_of({1, 2, 4, 7}, {2, 5, 11, 20}), 2);  // 3 (x - 2) + 5
  REQUIRE(line.slope == 3);
  REQUIRE(line.at_mean == 5);
  const bn::Line least = bn::fit(channel_of({0, 1, 2}, {0, 3, 0}), 0);
  REQUIRE(least.slope == 0);
  REQUIRE(least.at_mean == 1);
  const bn::Line flat = bn::fit(channel_of({4, 4, 4}, {1, 2, 3}), 1);
  REQUIRE(flat.slope == 0);
  REQUIRE(flat.at_mean == 2);
}

TEST_CASE("A sample has the values of the channels in their order") {
  const OfY of({});
  REQUIRE(of.evidence.channels.size() == kView.channel);
  REQUIRE(of.evidence.whole());
  for (const bn::SampledChannel& channel : of.evidence.channels) {
    const std::vector<std::size_t> positions = of.wrong.x.positions(kView, channel.channel);
    REQUIRE(channel.x.size() == positions.size());
    double size = 0;
    for (std::size_t i = 0; i < positions.size(); ++i) {
      REQUIRE(channel.index[i] == i);
      REQUIRE(channel.x[i] == of.wrong.x.get(positions[i]));
      REQUIRE(channel.claim[i] == of.wrong.y.get(positions[i]));
      size += std::abs(channel.x[i]) / static_cast<double>(positions.size());
    }
    REQUIRE(std::abs(channel.sizes.x - size) <= 1e-12 * size);
    const bn::Cell& cell = of.evidence.cells[channel.channel];
    const diagnosis::Moments moments = of.wrong.moments({}, positions);
    REQUIRE(std::abs(cell.mean - moments.mean) <= 1e-12 * size);
    REQUIRE(std::abs(cell.var - moments.var) <= 1e-12 * moments.var);
  }
}

TEST_CASE("A value that was used in place of another is found, as short as it was written") {
  struct Used {
    double eps;
    Dtype dtype;
    std::optional<int> digits;
  };
  for (const Used& used :
       {Used{0.002, Dtype::float32, 1}, Used{0.25, Dtype::float32, 2},
        Used{0.0625, Dtype::float64, 3}, Used{0.123456789, Dtype::float64, {}}}) {
    Code code;
    code.eps = used.eps;
    const OfY of(code, used.dtype);
    const bn::Reading right = bn::right_reading(of.evidence);
    const bn::FoundValue found =
        bn::find_value(of.evidence, {&right, {&known("eps_other")}, std::nullopt});
    INFO(used.eps << " " << found.value);
    REQUIRE(found.digits == used.digits);
    if (used.digits) REQUIRE(found.value == used.eps);
    REQUIRE(std::abs(found.value - used.eps) <= 1e-10 * used.eps);
  }
}

TEST_CASE("Residuals are those of what was done, and of what is right") {
  Code code;
  code.var_unbiased = true;
  const OfY of(code);
  const bn::Reading right = bn::right_reading(of.evidence);
  const bn::Hypothesis none{&right, {}, {}};
  const bn::Hypothesis unbiased{&right, {&known("var_unbiased")}, {}};
  REQUIRE(bn::names(none).empty());
  REQUIRE(bn::names(unbiased) == std::vector<std::string>{"var_unbiased"});
  REQUIRE(bn::whole_residual(of.evidence, unbiased).largest <= 2);
  REQUIRE(bn::whole_residual(of.evidence, unbiased).within);
  REQUIRE_FALSE(bn::whole_residual(of.evidence, none).within);
  REQUIRE_FALSE(bn::residual(of.evidence, none).within);
  // Two implementations of the same measure.
  const double error = std::abs(of.evidence.held.all.worst->error);
  const double residual = bn::whole_residual(of.evidence, none).largest;
  REQUIRE(std::abs(residual - error) <= 1e-3 * error);
}

TEST_CASE("The orders of the channels that come nearest are found") {
  Code code;
  code.shift_parameters = 1;
  const OfY parameters(code);
  bool found = false;
  for (const bn::Reading& reading : bn::permuted_readings(parameters.evidence)) {
    if (reading.mistake != "channels_permuted_parameters") continue;
    std::size_t moved = 0;
    for (std::size_t c = 0; c < kView.channel; ++c) {
      const std::size_t other = (c + 1) % kView.channel;
      if (reading.cells[c].gamma_of == other && reading.cells[c].beta_of == other) ++moved;
    }
    found = found || moved == kView.channel;
  }
  REQUIRE(found);

  code = {};
  code.shift_statistics = 1;
  const OfY statistics(code);
  found = false;
  for (const bn::Reading& reading : bn::permuted_readings(statistics.evidence)) {
    if (reading.mistake != "channels_permuted_statistics") continue;
    found = true;
    for (std::size_t c = 0; c < kView.channel; ++c) {
      const std::size_t other = (c + 1) % kView.channel;
      REQUIRE(reading.cells[c].mean == statistics.evidence.cells[other].mean);
      REQUIRE(reading.cells[c].gamma_of == c);
    }
  }
  REQUIRE(found);
}
