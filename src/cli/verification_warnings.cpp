#include <algorithm>
#include <initializer_list>

#include "cli/listing.hpp"
#include "cli/verification_text.hpp"

namespace bn::cli {

namespace {

// The statistics of fewer values can be right by accident.
constexpr std::uint64_t kFew = 4;

bool claimed(const Verification& verification, std::initializer_list<Quantity> quantities) {
  return std::any_of(
      verification.claims.begin(), verification.claims.end(), [&](const HeldClaim& claim) {
        return std::find(quantities.begin(), quantities.end(), claim.quantity) != quantities.end();
      });
}

}  // namespace

std::vector<std::string> verification_warnings(const Verified& verified) {
  const Verification& verification = verified.verification;
  const Blindness& data = verification.blindness;
  std::vector<std::string> warnings;
  const std::uint64_t values = verified.x.size();
  if (values == 0) {
    warnings.emplace_back("x is empty: there is nothing that could be wrong");
    return warnings;
  }
  const auto warn_if = [&](bool blind, const std::string& what) {
    if (blind) warnings.push_back(what);
  };
  const bool gamma_hides = data.gamma_one && claimed(verification, {Quantity::y, Quantity::dx});
  const bool beta_hides = data.beta_zero && claimed(verification, {Quantity::y});
  warn_if(gamma_hides && beta_hides,
          "gamma is 1 and beta is 0 in every channel: that they are forgotten would not be seen");
  warn_if(gamma_hides && !beta_hides,
          "gamma is 1 in every channel: that it is forgotten would not be seen");
  warn_if(beta_hides && !gamma_hides,
          "beta is 0 in every channel: that it is forgotten would not be seen");
  warn_if(data.running_equal,
          "the running statistics are those of the batch: that one is used for the other would "
          "not be seen");
  warn_if(data.dy_constant && verified.mode == Mode::train && claimed(verification, {Quantity::dx}),
          "dy is constant in every channel: the right dx is 0, whatever the code does");
  warn_if(data.count < kFew, "only " + grouped(data.count, "value") +
                                 " per channel: much that is wrong looks right with so few");
  warn_if(data.zeros_of_x > values / 2, "more than half of x is 0: the test sees little");
  warn_if(data.zeros_of_dy > values / 2, "more than half of dy is 0: the test sees little");
  return warnings;
}

}  // namespace bn::cli
