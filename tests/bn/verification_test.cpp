#include "bn/verification.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "bn/error.hpp"
#include "catch.hpp"
#include "support.hpp"
#include "verification_case.hpp"

using bn::Dtype;
using bn::Errors;
using bn::HeldClaim;
using bn::Mode;
using bn::Quantity;
using bn::View;
using data::Array;
using verification::Case;

namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

const HeldClaim& claim(const bn::Verification& verification, Quantity quantity) {
  for (const HeldClaim& each : verification.claims) {
    if (each.quantity == quantity) return each;
  }
  throw std::logic_error("not claimed");
}

constexpr View kViews[] = {{3, 4, 20}, {50, 3, 1}, {4, 5, 3}};

bool same(const Errors& a, const Errors& b) {
  if (a.worst.has_value() != b.worst.has_value()) return false;
  if (a.worst && (a.worst->position != b.worst->position ||
                  !support::same_bits(a.worst->error, b.worst->error) ||
                  !support::same_bits(a.worst->claimed, b.worst->claimed) ||
                  !support::same_bits(a.worst->exact, b.worst->exact))) {
    return false;
  }
  return a.values == b.values && a.beyond == b.beyond && a.nan == b.nan &&
         a.worst_plain == b.worst_plain && a.sum == b.sum && a.sum_of_sizes == b.sum_of_sizes;
}

std::string differs(const bn::Verification& a, const bn::Verification& b) {
  if (a.claims.size() != b.claims.size()) return "claims";
  for (std::size_t k = 0; k < a.claims.size(); ++k) {
    const std::string what(bn::name(a.claims[k].quantity));
    if (!same(a.claims[k].all, b.claims[k].all)) return what;
    for (std::size_t c = 0; c < a.claims[k].channels.size(); ++c) {
      if (!same(a.claims[k].channels[c], b.claims[k].channels[c])) return "channel of " + what;
    }
  }
  if (a.blindness.zeros_of_x != b.blindness.zeros_of_x) return "zeros of x";
  if (a.blindness.zeros_of_dy != b.blindness.zeros_of_dy) return "zeros of dy";
  if (a.blindness.dy_constant != b.blindness.dy_constant) return "dy constant";
  return a.statistics.var == b.statistics.var ? "" : "statistics";
}

bool near(double a, double b) { return a == b || std::abs(a - b) <= 1e-9 * std::abs(b); }

}  // namespace

TEST_CASE("Right results hold, in the order of the quantities") {
  for (const Mode mode : {Mode::train, Mode::test}) {
    for (const Dtype dtype : data::kFloating) {
      for (const View& view : kViews) {
        Case of(view, mode, dtype);
        INFO(bn::name(mode) << " " << bn::name(dtype) << " " << support::text(view));
        const bn::Verification verification = of.verify();
        REQUIRE(verification.holds());
        REQUIRE(verification.claims.size() == 7);
        for (std::size_t k = 0; k < 7; ++k) {
          const HeldClaim& held = verification.claims[k];
          INFO(bn::name(held.quantity));
          REQUIRE(held.quantity == static_cast<Quantity>(k));
          // Three terms of the same size have a sum with steps four times as large.
          REQUIRE(std::abs(held.all.worst->error) <= 2);
          const bool elements = held.quantity == Quantity::y || held.quantity == Quantity::dx;
          const bool one = held.quantity == Quantity::num_batches_tracked;
          REQUIRE(held.all.values == (one ? 1 : elements ? view.size() : view.channel));
          REQUIRE(held.dtype == (elements ? dtype : Dtype::float64));
        }
        // Of float64 they are the very values.
        if (dtype != Dtype::float64) continue;
        REQUIRE(claim(verification, Quantity::y).all.worst->error == 0);
        REQUIRE(claim(verification, Quantity::dx).all.worst->error == 0);
        REQUIRE(claim(verification, Quantity::dgamma).all.worst->error == 0);
        REQUIRE(claim(verification, Quantity::dbeta).all.worst->error == 0);
      }
    }
  }
}

TEST_CASE("An error is measured at the size of what is added up") {
  constexpr double kAlmostAll = 1e-12;  // sizes next to a power of two may be on either side of it
  data::Random random(1);
  for (const Mode mode : {Mode::train, Mode::test}) {
    for (const View& view : kViews) {
      for (int turn = 0; turn < 20; ++turn) {
        Case of(view, mode, Dtype::float32, static_cast<std::uint64_t>(turn));
        of.tolerance = 5;
        const std::size_t i = random.below(view.size());
        const std::size_t c = random.below(view.channel);
        const double y = of.y.get(i);
        const double dx = of.dx.get(i);
        const std::array<double, 4> before{of.dgamma[c], of.dbeta[c], of.new_mean[c],
                                           of.new_var[c]};
        of.y.set(i, y + 0.25);
        of.dx.set(i, dx + 0.25);
        of.dgamma[c] += 0.5;
        of.dbeta[c] -= 0.5;
        of.new_mean[c] += 0.5;
        const std::array<double, 5> sizes{of.size_of_y(i), of.size_of_dx(i), of.size_of_dgamma(c),
                                          of.size_of_dbeta(c), of.size_of_mean(c)};
        const double size_of_var = of.size_of_var(c);
        of.new_var[c] += 0.5;
        const bn::Verification verification = of.verify();
        INFO(bn::name(mode) << " " << support::text(view) << " " << turn);
        const auto holds = [&](Quantity quantity, std::size_t position, double size, double error,
                               double claimed) {
          const HeldClaim& held = claim(verification, quantity);
          INFO(bn::name(quantity) << " " << held.all.worst->error << " " << size);
          REQUIRE_FALSE(held.holds());
          REQUIRE(held.all.beyond == 1);
          REQUIRE(held.channels[of.channel(position)].values != 0);
          REQUIRE(held.all.worst->position == position);
          REQUIRE(held.all.worst->claimed == claimed);
          const double found = held.all.worst->error;
          REQUIRE((near(found, error / bn::ulp_at(held.dtype, size * (1 + kAlmostAll))) ||
                   near(found, error / bn::ulp_at(held.dtype, size * (1 - kAlmostAll)))));
        };
        const auto step = [&](const Array& array, double exact) { return array.get(i) - exact; };
        const double exact_y = claim(verification, Quantity::y).all.worst->exact;
        const double exact_dx = claim(verification, Quantity::dx).all.worst->exact;
        REQUIRE(std::abs(exact_y - y) <= 1e-6 * std::abs(y));
        REQUIRE(std::abs(exact_dx - dx) <= 1e-6 * std::abs(dx));
        holds(Quantity::y, i, sizes[0], step(of.y, exact_y), of.y.get(i));
        holds(Quantity::dx, i, sizes[1], step(of.dx, exact_dx), of.dx.get(i));
        const auto of_channel = [&](Quantity quantity, double size, double error, double claimed) {
          const HeldClaim& held = claim(verification, quantity);
          INFO(bn::name(quantity) << " " << held.all.worst->error << " " << size);
          REQUIRE(held.all.beyond == 1);
          REQUIRE(held.channels[c].beyond == 1);
          REQUIRE(held.all.worst->position == c);
          REQUIRE(held.all.worst->claimed == claimed);
          const double found = held.all.worst->error;
          REQUIRE((near(found, error / bn::ulp_at(held.dtype, size * (1 + kAlmostAll))) ||
                   near(found, error / bn::ulp_at(held.dtype, size * (1 - kAlmostAll)))));
        };
        of_channel(Quantity::dgamma, sizes[2], of.dgamma[c] - before[0], of.dgamma[c]);
        of_channel(Quantity::dbeta, sizes[3], of.dbeta[c] - before[1], of.dbeta[c]);
        of_channel(Quantity::running_mean, sizes[4], of.new_mean[c] - before[2], of.new_mean[c]);
        of_channel(Quantity::running_var, size_of_var, of.new_var[c] - before[3], of.new_var[c]);
      }
    }
  }
}

TEST_CASE("A verification does not depend on threads, tiles or where arrays lie") {
  for (const Mode mode : {Mode::train, Mode::test}) {
    for (const View& view : {View{3, 4, 30000}, View{4000, 60, 1}}) {
      Case of({3, 4, 20}, mode, Dtype::float32);
      of.view = view;
      of.layer = support::Layer(view.channel);
      of.running = {of.layer.running_mean, of.layer.running_var, 5};
      of.x = data::make(Dtype::float32, view, data::Kind::normal, 1);
      of.dy = data::make(Dtype::float32, view, data::Kind::normal, 2);
      of.y = data::make(Dtype::float32, view, data::Kind::normal, 3);
      of.dx = data::make(Dtype::float16, view, data::Kind::normal, 4);
      of.y.set(view.size() / 2, kNan);
      of.x.set(view.size() / 3, 0);
      for (auto* of_channels :
           {&of.dgamma, &of.dbeta, &of.new_mean, &of.new_var, &of.mean, &of.inv_std}) {
        of_channels->assign(view.channel, 1);
      }
      bn::Execution one;
      one.threads = 1;
      const bn::Verification want = of.verify(one);
      REQUIRE(claim(want, Quantity::y).all.nan == 1);
      REQUIRE(want.blindness.zeros_of_x == 1);
      for (const bn::Machine& machine : support::machines()) {
        for (const unsigned threads : {1U, 3U}) {
          bn::Execution execution;
          execution.threads = threads;
          execution.machine = machine;
          INFO(bn::name(mode) << " " << support::text(view) << " " << support::text(machine));
          REQUIRE(differs(of.verify(execution), want) == "");
          REQUIRE(differs(of.verify(execution, data::Access::copying), want) == "");
        }
      }
    }
  }
}

TEST_CASE("A count is right or wrong, whatever the tolerance") {
  for (const Mode mode : {Mode::train, Mode::test}) {
    Case of(kViews[0], mode, Dtype::float32);
    of.tolerance = 100;
    const std::uint64_t right = mode == Mode::train ? 6 : 5;
    REQUIRE(of.verify().holds());
    of.count = right - 1;
    const bn::Verification verification = of.verify();
    const HeldClaim& held = claim(verification, Quantity::num_batches_tracked);
    REQUIRE_FALSE(held.holds());
    REQUIRE(held.all.worst->error == -1);
    REQUIRE(held.all.worst->exact == static_cast<double>(right));
    REQUIRE(held.tolerances == std::vector<double>{0});
    of.count = right + 1;
    REQUIRE(of.verify().claims[3].all.worst->error == 1);
  }
}

TEST_CASE("An empty batch changes nothing, and its gradients are 0") {
  Case of({2, 3, 4}, Mode::train, Dtype::float32);
  of.view = {0, 3, 4};
  of.x = of.dy = of.y = of.dx = Array(Dtype::float32, 0);
  of.new_mean = of.running.running_mean;
  of.new_var = of.running.running_var;
  of.count = 5;
  of.dgamma = of.dbeta = {0, 0, 0};
  const bn::Verification verification = of.verify();
  REQUIRE(verification.holds());
  REQUIRE(verification.statistics.mean.empty());
  REQUIRE_FALSE(claim(verification, Quantity::y).all.worst.has_value());
  REQUIRE(verification.blindness.count == 0);
  REQUIRE_FALSE(verification.blindness.dy_constant);
}

TEST_CASE("What makes a test blind is seen") {
  Case of({2, 3, 20}, Mode::train, Dtype::float32);
  const bn::Blindness none = of.verify().blindness;
  REQUIRE_FALSE(none.dy_constant);
  REQUIRE_FALSE(none.gamma_one);
  REQUIRE_FALSE(none.beta_zero);
  REQUIRE_FALSE(none.running_equal);
  REQUIRE(none.count == 40);
  REQUIRE(none.zeros_of_x == 0);
  REQUIRE(none.zeros_of_dy == 0);

  of.layer.gamma.assign(3, 1);
  REQUIRE(of.verify().blindness.gamma_one);
  of.layer.gamma[2] = 2;
  REQUIRE_FALSE(of.verify().blindness.gamma_one);
  of.layer.beta = {0, -0.0, 0};
  REQUIRE(of.verify().blindness.beta_zero);

  of.x.set(7, 0);
  of.x.set(8, -0.0);
  of.dy.set(119, 0);
  REQUIRE(of.verify().blindness.zeros_of_x == 2);
  REQUIRE(of.verify().blindness.zeros_of_dy == 1);

  for (std::size_t i = 0; i < of.view.size(); ++i) {
    of.dy.set(i, static_cast<double>(of.channel(i)) + 1);
  }
  REQUIRE(of.verify().blindness.dy_constant);
  of.dy.set(119, 2);
  REQUIRE_FALSE(of.verify().blindness.dy_constant);

  const bn::Statistics batch = of.verify().statistics;
  for (const std::vector<double>& var : {batch.var, batch.var_unbiased}) {
    of.running.running_mean = batch.mean;
    of.running.running_var = var;
    REQUIRE(of.verify().blindness.running_equal);
    of.running.running_mean[1] += 0.01;
    REQUIRE_FALSE(of.verify().blindness.running_equal);
    of.running.running_mean = batch.mean;
    of.running.running_var[2] *= 1.001;
    REQUIRE_FALSE(of.verify().blindness.running_equal);
  }
}

TEST_CASE("Integers are verified like other values, negative ones and those beyond double, too") {
  for (const Dtype dtype : {Dtype::int8, Dtype::int16, Dtype::int64, Dtype::uint8, Dtype::uint64}) {
    const View view{2, 2, 30};
    Case of(view, Mode::train, Dtype::float64);
    of.x = data::make(dtype, view, data::Kind::extremes, 1);
    of.dy = data::make(dtype, view, data::Kind::normal, 2);
    for (auto* of_channels :
         {&of.mean, &of.inv_std, &of.dgamma, &of.dbeta, &of.new_mean, &of.new_var}) {
      of_channels->clear();
    }
    for (std::size_t c = 0; c < view.channel; ++c) of.set_channel(c);
    INFO(bn::name(dtype));
    const bn::Verification verification = of.verify();
    REQUIRE(verification.holds());
    for (const Quantity quantity : {Quantity::y, Quantity::dx, Quantity::dgamma, Quantity::dbeta}) {
      REQUIRE(claim(verification, quantity).all.worst->error == 0);
    }
  }
}

TEST_CASE("What cannot be verified is refused") {
  Case of({2, 3, 4}, Mode::train, Dtype::float32);
  data::ArraySource x(of.x);
  data::ArraySource y(of.y);
  data::ArraySource stream(of.y, data::Access::sequential);
  const Array integers(Dtype::int32, of.view.size());
  data::ArraySource of_integers(integers);
  bn::LayerBefore layer{
      .gamma = of.layer.gamma, .beta = of.layer.beta, .momentum = {}, .running = of.running};
  const auto verify = [&](const bn::Claims& claims, std::optional<double> tolerance = {}) {
    return bn::verify(of.view, x, nullptr, layer, claims, tolerance);
  };
  REQUIRE(verify({.y = &y}).holds());
  REQUIRE_THROWS_AS(verify({.dx = &y}), std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.dgamma = bn::ChannelClaim{of.dgamma}}), std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.y = &stream}), std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.y = &of_integers}), std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.running_mean = bn::ChannelClaim{{1, 2}}}), std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.running_var = bn::ChannelClaim{{1, 2, 3}, Dtype::int8}}),
                    std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.y = &y}, -1), std::invalid_argument);
  REQUIRE_THROWS_AS(verify({.y = &y}, kNan), std::invalid_argument);
  for (const Mode mode : {Mode::train, Mode::test}) {
    layer.mode = mode;
    of.x.set(5, kNan);
    REQUIRE_THROWS_AS(verify({.y = &y}), bn::NonFiniteError);
    of.x.set(5, 1);
  }
}

TEST_CASE("A single value is verified in test mode, and has no train mode") {
  Case of({2, 3, 1}, Mode::test, Dtype::float32);
  of.view = {1, 3, 1};
  data::ArraySource x(of.x);
  data::ArraySource y(of.y);
  bn::LayerBefore layer{.mode = Mode::test,
                        .gamma = of.layer.gamma,
                        .beta = of.layer.beta,
                        .momentum = {},
                        .running = of.running};
  REQUIRE(bn::verify(of.view, x, nullptr, layer, {.y = &y}, {}).holds());
  layer.mode = Mode::train;
  REQUIRE_THROWS_AS(bn::verify(of.view, x, nullptr, layer, {.y = &y}, {}), bn::SingleValueError);
}

TEST_CASE("Progress goes on from pass to pass, up to all that is read") {
  Case of({3, 4, 2000}, Mode::train, Dtype::float32);
  bn::Execution execution;
  execution.threads = 1;
  std::size_t last = 0;
  std::size_t all = 0;
  bool ascending = true;
  execution.progress = [&](std::size_t done, std::size_t total) {
    ascending = ascending && done > last && (all == 0 || all == total);
    last = done;
    all = total;
  };
  (void)of.verify(execution);
  REQUIRE(ascending);
  REQUIRE(last == all);
}

TEST_CASE("A default tolerance is that of the channel's own data, whatever tolerance is given") {
  for (const Mode mode : {Mode::train, Mode::test}) {
    Case of(kViews[0], mode, Dtype::float32);
    const bn::Verification by_default = of.verify();
    of.tolerance = 3;
    const bn::Verification given = of.verify();
    const auto m = static_cast<double>(of.view.m());
    for (const Quantity quantity : {Quantity::y, Quantity::running_mean, Quantity::running_var,
                                    Quantity::dx, Quantity::dgamma, Quantity::dbeta}) {
      const HeldClaim& held = claim(by_default, quantity);
      INFO(bn::name(mode) << " " << bn::name(quantity));
      REQUIRE(held.defaults.size() == of.view.channel);
      REQUIRE(held.tolerances == held.defaults);
      REQUIRE(claim(given, quantity).defaults == held.defaults);
      REQUIRE(claim(given, quantity).tolerances == std::vector<double>(of.view.channel, 3));
      for (std::size_t c = 0; c < of.view.channel; ++c) {
        double mean = 0;
        double squares = 0;
        for (const std::size_t i : of.x.positions(of.view, c)) mean += of.at(of.x, i) / m;
        for (const std::size_t i : of.x.positions(of.view, c)) {
          squares += (of.at(of.x, i) - mean) * (of.at(of.x, i) - mean);
        }
        const bn::Circumstances circumstances{mode,
                                              held.dtype,
                                              of.view.m(),
                                              squares / m,
                                              of.layer.eps,
                                              of.mean_size(c),
                                              mode == Mode::train ? 1 - 0.9 : 0};
        REQUIRE(near(held.defaults[c], bn::default_tolerance(quantity, circumstances)));
      }
    }
    REQUIRE(claim(given, Quantity::num_batches_tracked).defaults.empty());
  }
}

TEST_CASE("A variance of 0 is measured at what the rounding of a mean leaves of it") {
  Case of({2, 2, 20}, Mode::train, Dtype::float32);
  for (const std::size_t i : of.x.positions(of.view, 1)) of.x.set(i, 1e10);
  const double right = 0.9 * of.running.running_var[1];
  of.new_var[1] = right + 0.5;
  const double deviation = 1e10 * 0x1p-53;
  const double size = right + (1 - 0.9) * deviation * (deviation + 1e10);  // about 1e3
  const bn::Verification verification = of.verify();
  const Errors& errors = claim(verification, Quantity::running_var).channels[1];
  REQUIRE(size > 500);
  REQUIRE(near(errors.worst->error, 0.5 / bn::ulp_at(Dtype::float64, size)));
}
