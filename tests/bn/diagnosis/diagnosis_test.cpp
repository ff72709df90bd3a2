#include "bn/diagnosis/diagnosis.hpp"

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "catch.hpp"
#include "diagnosis/diagnosis_case.hpp"
#include "support.hpp"

using bn::Diagnosis;
using bn::Dtype;
using bn::Mode;
using bn::Quantity;
using diagnosis::Case;
using diagnosis::Code;

namespace {

constexpr bn::View kView{10, 4, 6};
using Names = std::vector<std::string>;

struct Mistaken {
  Quantity quantity;
  const char* mistake;
  std::optional<double> value;
  Code code;
  Mode mode = Mode::train;
};

Code with(void (*change)(Code&)) {
  Code code;
  change(code);
  return code;
}

std::vector<Mistaken> mistakes() {
  using Q = Quantity;
  return {
      {Q::y, "eps_outside_root", {}, with([](Code& c) { c.eps_outside_root = true; })},
      {Q::y, "var_unbiased", {}, with([](Code& c) { c.var_unbiased = true; })},
      {Q::y, "gamma_missing", {}, with([](Code& c) { c.without_gamma = true; })},
      {Q::y, "beta_missing", {}, with([](Code& c) { c.without_beta = true; }), Mode::test},
      {Q::y, "running_statistics", {}, with([](Code& c) { c.running_statistics = true; })},
      {Q::y, "eps_other", 0.002, with([](Code& c) { c.eps = 0.002; })},
      {Q::y, "eps_other", 0.3, with([](Code& c) { c.eps = 0.3; }), Mode::test},
      {Q::y, "per_sample_statistics", {}, with([](Code& c) { c.group = 1; })},
      {Q::y, "group_statistics", 3, with([](Code& c) { c.group = 3; })},
      {Q::y, "group_statistics", 4, with([](Code& c) { c.group = 4; })},
      {Q::y, "group_statistics", 7, with([](Code& c) { c.group = 7; })},
      {Q::y, "channels_permuted_parameters", {}, with([](Code& c) { c.shift_parameters = 1; })},
      {Q::y, "channels_permuted_statistics", {}, with([](Code& c) { c.shift_statistics = 1; })},
      {Q::dx, "mean_terms_missing", {}, with([](Code& c) { c.without_mean_terms = true; })},
      {Q::dx, "gamma_missing", {}, with([](Code& c) { c.without_gamma = true; })},
      {Q::dx, "eps_other", 0.002, with([](Code& c) { c.eps = 0.002; })},
      {Q::dx, "group_statistics", 5, with([](Code& c) { c.group = 5; })},
      {Q::dx, "channels_permuted_parameters", {}, with([](Code& c) { c.shift_parameters = 1; })},
      {Q::dx, "channels_permuted_statistics", {}, with([](Code& c) { c.shift_statistics = 1; })},
      {Q::dgamma, "mean_for_sum", {}, with([](Code& c) { c.mean_for_sum = true; })},
      {Q::dgamma, "x_for_x_hat", {}, with([](Code& c) { c.x_for_x_hat = true; })},
      {Q::dgamma, "running_statistics", {}, with([](Code& c) { c.running_statistics = true; })},
      {Q::dgamma, "group_statistics", 5, with([](Code& c) { c.group = 5; })},
      {Q::running_mean, "momentum_other_side", {}, with([](Code& c) { c.weight = 0.9; })},
      {Q::running_mean, "momentum_other", 0.03, with([](Code& c) { c.weight = 0.03; })},
      {Q::running_var, "never_updated", {}, with([](Code& c) { c.weight = 0; })},
      {Q::running_var, "var_biased", {}, with([](Code& c) { c.running_var_biased = true; })},
      {Q::num_batches_tracked, "not_counted", {}, with([](Code& c) { c.counted = 0; })},
      {Q::num_batches_tracked, "counted_twice", {}, with([](Code& c) { c.counted = 2; })},
      {Q::num_batches_tracked,
       "updated_in_test_mode",
       {},
       with([](Code&) {}),  // see below
       Mode::test},
  };
}

// One diagnosis, of one mistake.
void explains(const std::vector<Diagnosis>& all, const Mistaken& want) {
  REQUIRE(all.size() == 1);
  const Diagnosis& diagnosis = all[0];
  REQUIRE(diagnosis.quantity == want.quantity);
  REQUIRE_FALSE(diagnosis.within_tolerance);
  REQUIRE(diagnosis.explanations.size() == 1);
  const bn::Explanation& explanation = diagnosis.explanations[0];
  REQUIRE(explanation.mistakes == Names{want.mistake});
  REQUIRE(explanation.value == want.value);
  REQUIRE(explanation.sentence.find("{}") == std::string::npos);
  REQUIRE(explanation.residual <= bn::kCarefulTolerance);
  REQUIRE(explanation.residual < explanation.error);
}

std::string text(const std::vector<Diagnosis>& all) {
  std::ostringstream text;
  for (const Diagnosis& diagnosis : all) {
    text << bn::name(diagnosis.quantity) << ':';
    for (const bn::Explanation& explanation : diagnosis.explanations) {
      for (const std::string& mistake : explanation.mistakes) text << ' ' << mistake;
      if (explanation.value) text << ' ' << *explanation.value;
      text << ' ' << explanation.residual << " of " << explanation.error << ';';
    }
  }
  return text.str();
}

}  // namespace

TEST_CASE("Right claims have no diagnosis") {
  for (const Mode mode : {Mode::train, Mode::test}) {
    for (const Dtype dtype : {Dtype::float16, Dtype::float32}) {
      Case right(kView, mode, dtype);
      const std::vector<Diagnosis> all = right.diagnose();
      INFO(bn::name(mode) << " " << bn::name(dtype) << " " << text(all));
      REQUIRE(right.verification.holds());
      REQUIRE(all.empty());
    }
  }
}

TEST_CASE("A mistake is named, with its value, in every channel that it was made in") {
  for (const Mistaken& mistaken : mistakes()) {
    Case wrong(kView, mistaken.mode, Dtype::float32);
    wrong.run_all(mistaken.code);
    if (mistaken.mode == Mode::test && mistaken.quantity == Quantity::num_batches_tracked) {
      wrong.count = 6;
    }
    const std::vector<Diagnosis> all = wrong.diagnose(mistaken.quantity);
    INFO(mistaken.mistake << " in " << bn::name(mistaken.quantity) << ": " << text(all));
    explains(all, mistaken);
    if (mistaken.quantity == Quantity::num_batches_tracked) continue;
    REQUIRE(all[0].values == kView.m());
    REQUIRE(all[0].sampled_values == kView.m());
    REQUIRE(all[0].sampled_channels == all[0].channels.size());
  }
}

TEST_CASE("A mistake in one channel is named for that channel") {
  for (const Quantity quantity : {Quantity::y, Quantity::dx, Quantity::running_var}) {
    Case wrong(kView, Mode::train, Dtype::float32);
    const Code code = with([](Code& c) {
      c.running_statistics = true;
      c.running_var_biased = true;
    });
    wrong.run(code, 2);
    const std::vector<Diagnosis> all = wrong.diagnose(quantity);
    INFO(bn::name(quantity) << " " << text(all));
    const bool running = quantity == Quantity::running_var;
    explains(all, {quantity, running ? "var_biased" : "running_statistics", {}, {}});
    REQUIRE(all[0].channels == std::vector<std::size_t>{2});
  }
}

TEST_CASE("Two mistakes that were made together are both named") {
  Case wrong(kView, Mode::train, Dtype::float32);
  wrong.run_all(with([](Code& c) {
    c.without_beta = true;
    c.var_unbiased = true;
  }));
  const std::vector<Diagnosis> all = wrong.diagnose(Quantity::y);
  INFO(text(all));
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].explanations.size() == 1);
  REQUIRE(all[0].explanations[0].mistakes == Names{"var_unbiased", "beta_missing"});
}

TEST_CASE("Noise is no known mistake") {
  for (const Quantity quantity :
       {Quantity::y, Quantity::dx, Quantity::dgamma, Quantity::running_var}) {
    Case wrong(kView, Mode::train, Dtype::float32);
    data::Random random(3);
    for (std::size_t i = 0; i < kView.size(); ++i) {
      wrong.y.set(i, wrong.y.get(i) + 1e-3 * random.normal());
      wrong.dx.set(i, wrong.dx.get(i) + 1e-3 * random.normal());
    }
    for (std::size_t c = 0; c < kView.channel; ++c) {
      wrong.dgamma.values[c] += 0.1 * random.normal();
      wrong.new_var.values[c] += 0.01 * random.normal();
    }
    const std::vector<Diagnosis> all = wrong.diagnose(quantity);
    INFO(bn::name(quantity) << " " << text(all));
    REQUIRE(all.size() == 1);
    REQUIRE(all[0].quantity == quantity);
    REQUIRE(all[0].explanations.empty());
    REQUIRE_FALSE(all[0].tried.empty());
  }
}

TEST_CASE("What is within the tolerance of many values is named if it is exactly a mistake") {
  Case wrong({200, 2, 200}, Mode::train, Dtype::float32);
  REQUIRE(wrong.diagnose(Quantity::y).empty());
  wrong.run_all(with([](Code& c) { c.var_unbiased = true; }));
  const std::vector<Diagnosis> all = wrong.diagnose(Quantity::y);
  INFO(text(all));
  REQUIRE(wrong.verification.holds());
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].within_tolerance);
  REQUIRE(all[0].channels == std::vector<std::size_t>{0, 1});
  REQUIRE(all[0].explanations.size() == 1);
  REQUIRE(all[0].explanations[0].mistakes == Names{"var_unbiased"});

  // As much noise is nothing that is known, and no claim that does not hold.
  wrong.run_all({});
  data::Random random(3);
  for (std::size_t i = 0; i < wrong.view.size(); ++i) {
    wrong.y.set(i, wrong.y.get(i) + 1e-5 * random.normal());
  }
  const std::vector<Diagnosis> of_noise = wrong.diagnose(Quantity::y);
  INFO(text(of_noise));
  REQUIRE(wrong.verification.holds());
  REQUIRE(of_noise.empty());
}

TEST_CASE("Sums in too low a precision are seen where the mean is large") {
  Case wrong(kView, Mode::train, Dtype::float32, 1000);
  wrong.run_all(with([](Code& c) { c.float_sums = true; }));
  const std::vector<Diagnosis> all = wrong.diagnose(Quantity::y);
  INFO(text(all));
  REQUIRE(all.size() == 1);
  REQUIRE(all[0].explanations.size() == 1);
  REQUIRE(all[0].explanations[0].mistakes == Names{"low_precision_sums"});
  REQUIRE(all[0].explanations[0].value == 32);
}

TEST_CASE("A diagnosis does not depend on threads") {
  for (const Quantity quantity : {Quantity::y, Quantity::dx, Quantity::running_var}) {
    Case wrong(kView, Mode::train, Dtype::float32);
    wrong.run_all(with([](Code& c) {
      c.eps = 0.002;
      c.weight = 0.03;
    }));
    bn::Execution execution;
    execution.threads = 1;
    const std::vector<Diagnosis> want = wrong.diagnose(quantity, execution);
    REQUIRE(want.size() == 1);
    REQUIRE(want[0].explanations.size() == 1);
    for (const unsigned threads : {2U, 3U, 7U}) {
      execution.threads = threads;
      const std::vector<Diagnosis> have = wrong.diagnose(quantity, execution);
      INFO(bn::name(quantity) << " " << threads);
      REQUIRE(have.size() == 1);
      REQUIRE(text(have) == text(want));
      REQUIRE(have[0].explanations[0].value == want[0].explanations[0].value);
      REQUIRE(have[0].tried.size() == want[0].tried.size());
      for (std::size_t k = 0; k < want[0].tried.size(); ++k) {
        REQUIRE(have[0].tried[k].mistakes == want[0].tried[k].mistakes);
        REQUIRE(have[0].tried[k].residual == want[0].tried[k].residual);
      }
    }
  }
}
