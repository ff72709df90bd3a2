#include <algorithm>
#include <cmath>

#include "cli/report.hpp"
#include "cli/verification_text.hpp"
#include "io/documents/json_text.hpp"

namespace bn::cli {

namespace {

namespace json = io::json;

// How deep in the document the keys of a claim and of its diagnosis are.
constexpr std::size_t kInClaim = 2;
constexpr std::size_t kInDiagnosis = 3;

std::string json_of(bool value) { return value ? "true" : "false"; }

std::string json_of(std::optional<double> value) {
  return value ? json::number_or_null_text(*value) : "null";
}

// A claim may be what no JSON number is.
std::string json_of_claimed(double value) {
  if (std::isfinite(value)) return json::number_text(value);
  return json::string_text(std::isnan(value) ? "nan" : text(value));
}

std::string json_of_worst(const Verified& verified, const HeldClaim& claim) {
  if (!claim.all.worst) return "null";
  const Errors::Worst& worst = *claim.all.worst;
  return json::line_text({{"ulp", json::number_or_null_text(std::abs(worst.error))},
                          {"plain_ulp", json::number_or_null_text(claim.all.worst_plain)},
                          {"index", json::integers_text(verified.index(claim, worst.position))},
                          {"claimed", json_of_claimed(worst.claimed)},
                          {"exact", json::number_or_null_text(worst.exact)}});
}

std::string json_of_channels(const HeldClaim& claim) {
  std::vector<std::string> channels;
  for (const std::size_t c : worst_channels(claim)) {
    const Errors& errors = claim.channels[c];
    channels.push_back(json::line_text({{"channel", std::to_string(c)},
                                        {"ulp", json::number_or_null_text(worst_size(errors))},
                                        {"beyond", std::to_string(errors.beyond)}}));
  }
  return json::lines_text(channels, kInClaim + 1);
}

std::string json_of_diagnosis(const Diagnosis* diagnosis, bool tried) {
  if (diagnosis == nullptr) return "null";
  std::vector<std::string> explanations;
  for (const Explanation& explanation : diagnosis->explanations) {
    explanations.push_back(
        json::line_text({{"mistakes", json::strings_text(explanation.mistakes)},
                         {"sentence", json::string_text(explanation.sentence)},
                         {"value", json_of(explanation.value)},
                         {"residual_ulp", json::number_or_null_text(explanation.residual)},
                         {"error_ulp", json::number_or_null_text(explanation.error)}}));
  }
  json::Members members = {{"explanations", json::lines_text(explanations, kInDiagnosis + 1)},
                           {"channels", json::integers_text(diagnosis->channels)},
                           {"sampled_channels", std::to_string(diagnosis->sampled_channels)},
                           {"sampled_values", std::to_string(diagnosis->sampled_values)}};
  if (tried) {
    std::vector<std::string> all;
    for (const Tried& one : diagnosis->tried) {
      all.push_back(json::line_text({{"mistakes", json::strings_text(one.mistakes)},
                                     {"residual_ulp", json_of(one.residual)}}));
    }
    members.emplace_back("tried", json::lines_text(all, kInDiagnosis + 1));
  }
  return json::nested_text(members, kInDiagnosis);
}

std::string json_of_claim(const Verified& verified, const HeldClaim& claim) {
  double tolerance = 0;
  for (const double each : claim.tolerances) tolerance = std::max(tolerance, each);
  return json::nested_text(
      {{"claim", json::string_text(name(claim.quantity))},
       {"dtype", json::string_text(name(claim.dtype))},
       {"holds", json_of(verified.right(claim))},
       {"tolerance", json::number_or_null_text(tolerance)},
       {"values", std::to_string(claim.all.values)},
       {"beyond", std::to_string(claim.all.beyond)},
       {"nan", std::to_string(claim.all.nan)},
       {"worst", json_of_worst(verified, claim)},
       {"mean_ulp", json::number_or_null_text(mean_size(claim.all))},
       {"bias_ulp", json::number_or_null_text(bias(claim.all))},
       {"needed_tolerance", json_of(needed_tolerance(claim))},
       {"worst_channels", json_of_channels(claim)},
       {"diagnosis", json_of_diagnosis(verified.diagnosis(claim), verified.tried)}},
      kInClaim);
}

}  // namespace

std::string verification_json(const Verified& verified, std::span<const std::string> warnings) {
  const View view = verified.view();
  std::vector<std::string> claims;
  for (const HeldClaim& claim : verified.verification.claims) {
    claims.push_back(json_of_claim(verified, claim));
  }
  return json::object_text({{"holds", json_of(verified.right())},
                            {"mode", json::string_text(name(verified.mode))},
                            {"shape", json::integers_text(verified.x.shape)},
                            {"axis", std::to_string(verified.axis)},
                            {"channels", std::to_string(view.channel)},
                            {"values_per_channel", std::to_string(view.m())},
                            {"claims", json::lines_text(claims, 1)},
                            {"warnings", json::strings_text(warnings)}});
}

}  // namespace bn::cli
