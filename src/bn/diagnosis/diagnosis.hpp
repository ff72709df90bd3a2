// Which of the known mistakes explains a claim that does not hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/diagnosis/other_view.hpp"
#include "bn/passes/execution.hpp"
#include "bn/verification.hpp"

namespace bn {

/// A mistake, or two, whose own exact results are what is claimed.
struct Explanation {
  std::vector<std::string> mistakes;  ///< their names, stable: "eps_outside_root"
  std::string sentence;               ///< what was done, with the values found; what it has to be
  std::optional<double> value;        ///< what was found: another eps, a momentum, a size k
  double residual = 0;  ///< the largest |error| of the claim from the mistake's own results, in ulp
                        ///< at the size of what these add up
  double error = 0;     ///< the same from the right results
};

/// What was tried: its names, and how far the claim is from it; none where it is not applicable.
struct Tried {
  std::vector<std::string> mistakes;
  std::optional<double> residual;
};

struct Diagnosis {
  Quantity quantity{};
  bool within_tolerance = false;          ///< the claim holds, but a mistake explains its errors
  std::vector<Explanation> explanations;  ///< the best first; empty: no known mistake explains it
  std::vector<Tried> tried;
  std::vector<std::size_t> channels;  ///< that do not hold
  // What the mistakes were held against, where it is not all that does not hold:
  std::size_t sampled_channels = 0;
  std::size_t sampled_values = 0;  ///< of each
  std::uint64_t values = 0;        ///< m
};

/// For every claim of the verification that does not hold; and for those that do, where errors that
/// are more than those of careful code (kCarefulTolerance) are exactly those of a mistake: what is
/// within the tolerance then is wrong, too. The arguments are those of verify();
/// `rows_per_sample`: how many elements of `outer` belong to one sample of the batch (H * W of NHWC
/// data, 1 of NCHW); none where the layout does not tell. `others`: wrong views that are known to
/// happen.
[[nodiscard]] std::vector<Diagnosis> diagnose(const View& view, Source& x, Source* dy,
                                              const LayerBefore& layer, const Claims& claims,
                                              const Verification& verification,
                                              std::optional<std::size_t> rows_per_sample,
                                              std::span<const OtherView> others,
                                              const Execution& execution = {});

}  // namespace bn
