#include "bn/diagnosis/mistakes.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace bn {
namespace {

constexpr unsigned bit(Quantity quantity) { return 1U << static_cast<unsigned>(quantity); }

constexpr auto kY = static_cast<std::uint8_t>(bit(Quantity::y));
constexpr auto kDx = static_cast<std::uint8_t>(bit(Quantity::dx));
constexpr auto kDgamma = static_cast<std::uint8_t>(bit(Quantity::dgamma));
constexpr auto kDbeta = static_cast<std::uint8_t>(bit(Quantity::dbeta));
constexpr auto kMean = static_cast<std::uint8_t>(bit(Quantity::running_mean));
constexpr auto kVar = static_cast<std::uint8_t>(bit(Quantity::running_var));
constexpr std::uint8_t kElements = kY | kDx;
constexpr std::uint8_t kNormalised = kY | kDx | kDgamma;  // by inv_std
constexpr std::uint8_t kRunning = kMean | kVar;

using When = Mistake::Mode;

double bessel(const Recipe& recipe) {
  const auto count = static_cast<double>(recipe.count);
  return count / (count - 1);
}

bool keeps_biased(const LayerBefore& layer) {
  return layer.momentum.running_var_estimator == VarEstimator::biased;
}

void use_batch(Recipe& r, const LayerBefore& layer) {
  r.mean = r.batch_mean;
  r.var = keeps_biased(layer) ? r.batch_var : r.batch_var / bessel(r);
}

// clang-format off
constexpr std::array kMistakes = {
    // x_hat
    Mistake{"running_statistics",
            "the running statistics were used in train mode; those of the batch normalise",
            Step::statistics, kNormalised, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.mean = r.old_mean; r.var = r.old_var; }},
    Mistake{"batch_statistics",
            "the statistics of the batch were used in test mode; the running ones normalise",
            Step::statistics, kNormalised, When::test, Value::none,
            [](Recipe& r, const LayerBefore& layer, double) { use_batch(r, layer); }},
    Mistake{"var_unbiased",
            "the unbiased variance, divided by m - 1, normalised; the biased one, divided by m, does",
            Step::variance, kNormalised, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.var *= bessel(r); }},
    Mistake{"mean_missing", "the mean was not subtracted; x_hat is (x - mean) / sqrt(var + eps)",
            Step::centre, kY | kDgamma, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.mean = 0; }},
    Mistake{"mean_missing", "the mean was not subtracted; x_hat is (x - mean) / sqrt(var + eps)",
            Step::centre, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.mean = 0; }},
    Mistake{"eps_missing", "there was no eps; it is added to the variance, under the root",
            Step::eps, kNormalised, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.eps = 0; }},
    Mistake{"eps_twice", "eps was added twice; once is right", Step::eps, kNormalised, When::any,
            Value::none, [](Recipe& r, const LayerBefore&, double) { r.eps *= 2; }},
    Mistake{"eps_other", "eps was {}; it has to be that of the layer", Step::eps, kNormalised,
            When::any, Value::eps, [](Recipe& r, const LayerBefore&, double v) { r.eps = v; }},
    Mistake{"eps_outside_root",
            "eps was added outside the root, sqrt(var) + eps; it belongs inside, sqrt(var + eps)",
            Step::deviation, kNormalised, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.deviation = Deviation::root_plus_eps;
            }},
    Mistake{"eps_maximum",
            "eps was a lower bound of the variance, sqrt(max(var, eps)); it is added, sqrt(var + eps)",
            Step::deviation, kNormalised, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.deviation = Deviation::root_of_larger;
            }},
    Mistake{"divided_by_var",
            "x - mean was divided by var + eps; it is divided by the root of that",
            Step::deviation, kElements, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.deviation = Deviation::no_root; }},
    // gamma and beta
    Mistake{"gamma_missing", "gamma was left out; x_hat is multiplied by gamma", Step::gamma,
            kElements, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.gamma = 1; }},
    Mistake{"gamma_twice", "gamma was applied twice; once is right", Step::gamma, kElements,
            When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.gamma *= r.gamma; }},
    Mistake{"gamma_sign_lost", "the sign of gamma was lost; negative ones turn x_hat round",
            Step::gamma, kElements, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.gamma = std::abs(r.gamma); }},
    Mistake{"beta_missing", "beta was left out; it is added last", Step::beta, kY, When::any,
            Value::none, [](Recipe& r, const LayerBefore&, double) { r.beta = 0; }},
    Mistake{"beta_twice", "beta was added twice; once is right", Step::beta, kY, When::any,
            Value::none, [](Recipe& r, const LayerBefore&, double) { r.beta *= 2; }},
    Mistake{"beta_times_gamma",
            "beta was added before gamma was applied; y is gamma x_hat + beta", Step::beta, kY,
            When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.beta *= r.gamma; }},
    Mistake{"affine_twice", "gamma and beta were both applied twice; once is right", Step::affine,
            kY, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.beta += r.gamma * r.beta;
              r.gamma *= r.gamma;
            }},
    Mistake{"gamma_beta_swapped",
            "gamma and beta were swapped; gamma multiplies x_hat and beta is added", Step::affine,
            kElements, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { std::swap(r.gamma, r.beta); }},
    // the gradients
    Mistake{"mean_terms_missing",
            "dx was gamma inv_std dy, the formula of test mode; in train mode the mean and the "
            "variance depend on x, too: - dbeta / m - x_hat dgamma / m",
            Step::terms, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.of_dbeta = r.of_dgamma = 0; }},
    Mistake{"dbeta_term_missing", "dx had no term - dbeta / m, which comes through the mean",
            Step::terms, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.of_dbeta = 0; }},
    Mistake{"dgamma_term_missing",
            "dx had no term - x_hat dgamma / m, which comes through the variance", Step::terms, kDx,
            When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.of_dgamma = 0; }},
    Mistake{"mean_terms_missing",
            "dx was gamma inv_std dy with the running statistics, the formula of test mode; in train "
            "mode the mean and the variance depend on x, too: - dbeta / m - x_hat dgamma / m",
            Step::terms, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.of_dbeta = r.of_dgamma = 0;
              r.mean = r.old_mean;
              r.var = r.old_var;
            }},
    Mistake{"mean_terms_added",
            "dx had the mean terms of train mode; in test mode it is gamma inv_std dy alone",
            Step::terms, kDx, When::test, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.of_dbeta = r.of_dgamma = 1; }},
    Mistake{"mean_terms_added",
            "dx was that of train mode, with the statistics of the batch; in test mode it is "
            "gamma inv_std dy alone, with the running ones",
            Step::terms, kDx, When::test, Value::none,
            [](Recipe& r, const LayerBefore& layer, double) {
              use_batch(r, layer);
              r.of_dbeta = r.of_dgamma = 1;
            }},
    Mistake{"not_divided_by_count",
            "dbeta and x_hat dgamma were not divided by m in dx; they are means over the batch",
            Step::terms, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.of_dbeta = r.of_dgamma = static_cast<double>(r.count);
            }},
    Mistake{"not_divided_by_count",
            "dx was not divided by m: gamma inv_std (m dy - dbeta - x_hat dgamma) is m times dx",
            Step::factor, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.factor = static_cast<double>(r.count); }},
    Mistake{"divided_by_count", "dx was divided by m once more; once is right", Step::factor, kDx,
            When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.factor = 1 / static_cast<double>(r.count);
            }},
    Mistake{"mean_for_sum", "the mean over the batch was taken; dgamma and dbeta are sums",
            Step::factor, kDgamma | kDbeta, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.factor = 1 / static_cast<double>(r.count);
            }},
    Mistake{"gamma_in_dgamma",
            "dgamma was multiplied by gamma; it is sum dy x_hat, without gamma", Step::factor,
            kDgamma, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.factor = r.gamma; }},
    Mistake{"x_for_x_hat", "dgamma was sum dy x; it is sum dy x_hat", Step::centre, kDgamma,
            When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.mean = 0; r.power = 0; }},
    Mistake{"inv_std_missing", "inv_std was left out; x - mean is divided by sqrt(var + eps)",
            Step::power, kNormalised, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.power = 0; }},
    Mistake{"inv_std_squared", "inv_std was applied twice; once is right", Step::power,
            kDx | kDgamma, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.power = 2; }},
    Mistake{"gradients_swapped",
            "dgamma and dbeta were swapped; dgamma is sum dy x_hat and dbeta is sum dy", Step::swap,
            kDgamma | kDbeta, When::any, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.swapped = true; }},
    // dx of a wrong y: what automatic differentiation makes of it. Its term with x_hat is
    // - 2 inv_std' / inv_std^3 times the right one, inv_std' being the derivative by var.
    Mistake{"eps_outside_root",
            "dx was that of a y with eps outside the root, sqrt(var) + eps; it belongs inside, "
            "sqrt(var + eps)",
            Step::deviation, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.deviation = Deviation::root_plus_eps;
              r.of_dgamma *= 1 + r.eps / std::sqrt(r.var);
            }},
    Mistake{"eps_maximum",
            "dx was that of a y with eps as a lower bound, sqrt(max(var, eps)); it is added, "
            "sqrt(var + eps)",
            Step::deviation, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.deviation = Deviation::root_of_larger;
              if (r.var < r.eps) r.of_dgamma = 0;
            }},
    Mistake{"divided_by_var",
            "dx was that of a y divided by var + eps; it is divided by the root of that",
            Step::deviation, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.deviation = Deviation::no_root;
              r.of_dgamma *= 2 * (r.var + r.eps);
            }},
    Mistake{"var_unbiased",
            "dx was that of a y with the unbiased variance, divided by m - 1; the biased one, "
            "divided by m, normalises",
            Step::variance, kDx, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              r.var *= bessel(r);
              r.of_dgamma *= bessel(r);
            }},
    // the running statistics
    Mistake{"momentum_other_side",
            "momentum weighed the other side: the batch had the weight that is the old value's",
            Step::weight, kRunning, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.weight = 1 - r.weight; }},
    Mistake{"momentum_cumulative",
            "the cumulative average was kept, 1/k for the k-th batch; the momentum is the weight",
            Step::weight, kRunning, When::train, Value::none,
            [](Recipe& r, const LayerBefore& layer, double) {
              r.weight = 1 / static_cast<double>(layer.running.num_batches_tracked + 1);
            }},
    Mistake{"never_updated", "the running statistics were not updated; train mode updates them",
            Step::weight, kRunning, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.weight = 0; }},
    Mistake{"momentum_other", "the batch had the weight {}; the momentum says another one",
            Step::weight, kRunning, When::train, Value::weight,
            [](Recipe& r, const LayerBefore&, double v) { r.weight = v; }},
    Mistake{"updated_in_test_mode", "the running statistics were updated with the weight {} of the "
            "batch; test mode leaves them as they are",
            Step::weight, kRunning, When::test, Value::weight,
            [](Recipe& r, const LayerBefore&, double v) { r.weight = v; }},
    Mistake{"updated_twice", "the running statistics were updated twice with the same batch; once "
            "is right", Step::updates, kRunning, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.updates = 2; }},
    Mistake{"var_biased",
            "the biased variance, divided by m, went into running_var; the layer keeps the unbiased "
            "one, divided by m - 1", Step::variance, kVar, When::train, Value::none,
            [](Recipe& r, const LayerBefore& layer, double) {
              if (!keeps_biased(layer)) r.batch_var /= bessel(r);
            }},
    Mistake{"var_unbiased",
            "the unbiased variance, divided by m - 1, went into running_var; the layer keeps the "
            "biased one, divided by m", Step::variance, kVar, When::train, Value::none,
            [](Recipe& r, const LayerBefore& layer, double) {
              if (keeps_biased(layer)) r.batch_var *= bessel(r);
            }},
    Mistake{"eps_in_running_var", "eps went into running_var; it is added where x is normalised, "
            "and is no part of the variance", Step::eps, kVar, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.batch_var += r.eps; }},
    Mistake{"deviation_for_variance",
            "running_var was updated by the standard deviation; it averages the variance",
            Step::batch, kVar, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) { r.batch_var = std::sqrt(r.batch_var); }},
    Mistake{"mean_and_var_swapped", "running_mean and running_var were swapped", Step::swap,
            kRunning, When::train, Value::none,
            [](Recipe& r, const LayerBefore&, double) {
              std::swap(r.batch_mean, r.batch_var);
              std::swap(r.old_mean, r.old_var);
            }},
};
// clang-format on

}  // namespace

bool Mistake::concerns(Quantity quantity, bn::Mode of_layer) const {
  if ((quantities & bit(quantity)) == 0) return false;
  return mode == Mode::any || (mode == Mode::train) == (of_layer == bn::Mode::train);
}

std::span<const Mistake> known_mistakes() { return kMistakes; }

bool go_together(const Mistake& a, const Mistake& b) {
  const auto affine = [](Step step) {
    return step == Step::gamma || step == Step::beta || step == Step::affine;
  };
  if (a.step == Step::affine || b.step == Step::affine) return !(affine(a.step) && affine(b.step));
  return a.step != b.step;
}

std::string sentence_of(std::string_view sentence, std::optional<double> value) {
  std::string text(sentence);
  const std::size_t at = text.find("{}");
  if (at == std::string::npos) return text;
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), *value).ptr;
  return text.replace(at, 2, std::string(digits.data(), end));
}

}  // namespace bn
