// How the values of one array differ from those of another.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/tiles/differences.hpp"

namespace bn {

/// Of a from the reference b, both of one view, element by element. What is computed is exact, or
/// exact and then rounded once.
struct Comparison {
  Differences all;
  std::vector<Differences> channels;  ///< shape (C,)
};

/// Throws std::invalid_argument for bits of two dtypes.
[[nodiscard]] Comparison compare(const View& view, Source& a, Source& b, const Tolerance& tolerance,
                                 const Execution& execution = {});

/// The mean of a - b over the pairs of finite values, rounded once; none where there are none.
[[nodiscard]] std::optional<double> mean_error(const Differences& differences);

/// The smallest double that is enough as atol, beside the tolerance's rtol, for every pair to pass;
/// none where a pair passes with none.
[[nodiscard]] std::optional<double> needed_atol(const Differences& differences,
                                                const Tolerance& tolerance);
/// The same for ulp; none, too, where the steps between integers are more than can be given.
[[nodiscard]] std::optional<std::uint64_t> needed_ulp(const Differences& differences,
                                                      const Tolerance& tolerance);

}  // namespace bn
