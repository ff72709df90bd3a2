// What bn verify prints.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bn/conventions.hpp"
#include "bn/diagnosis/diagnosis.hpp"
#include "bn/verification.hpp"
#include "io/arrays/array_header.hpp"

namespace bn::cli {

/// Claims held against the right results, for the output.
struct Verified {
  std::string_view name;     ///< of x
  const io::ArrayHeader& x;  ///< in whose memory order the positions are
  std::ptrdiff_t axis;
  Mode mode;
  const Verification& verification;
  std::span<const Diagnosis> diagnoses;
  bool tried;  ///< show what was tried, too

  [[nodiscard]] View view() const { return make_view(x.shape, axis, x.order); }
  /// No claim is wrong.
  [[nodiscard]] bool right() const { return verification.holds() && diagnoses.empty(); }
  [[nodiscard]] bool right(const HeldClaim& claim) const {
    return claim.holds() && diagnosis(claim) == nullptr;
  }
  /// Null for a claim that is right.
  [[nodiscard]] const Diagnosis* diagnosis(const HeldClaim& claim) const;
  /// Of the worst value of a claim: the index in an array, that of a channel, none of a number.
  [[nodiscard]] std::vector<std::size_t> index(const HeldClaim& claim, std::size_t position) const;
};

/// Of the channels of a claim those with the largest errors, at most ten.
[[nodiscard]] std::vector<std::size_t> worst_channels(const HeldClaim& claim);

/// The largest |error|, 0 of no values; infinite with a NaN among them.
[[nodiscard]] double worst_size(const Errors& errors);

/// The smallest tolerance with which the claim holds; none where none is enough.
[[nodiscard]] std::optional<double> needed_tolerance(const HeldClaim& claim);

/// For people. In colour: the verdicts alone, green and red.
[[nodiscard]] std::string verification_text(const Verified& verified, bool colour);

/// For programs: an object, whose keys the README lists.
[[nodiscard]] std::string verification_json(const Verified& verified,
                                            std::span<const std::string> warnings);

/// What about the data makes the test say little.
[[nodiscard]] std::vector<std::string> verification_warnings(const Verified& verified);

}  // namespace bn::cli
