// Results element by element, tile by tile, for every pair of dtypes, correctly rounded in three
// steps:
//
//   1. The kernels compute an interval in which each result lies, in double arithmetic for float16
//      and float32, in twice its precision for float64 (kernels/elementwise.hpp). Where both ends
//      round to the same value, that is the result (kernels/rounding.hpp). Where the sums have told
//      how large a channel's operands are, the interval is first the same for all of its results,
//      which is faster, then each result's own.
//   2. What is left is computed from the channel's exact formula in about 100 bits, and looked at
//      in the same way (undecided.hpp, exact/nearest.hpp).
//   3. What is left then is decided in integers (exact/nearest.hpp): the formula has one square
//      root, which an exact comparison with the midpoint between two values squares.
//
// Here are the walk over the tile, the conversions around the kernels, and the way from one step to
// the next.
#pragma once

#include <span>

#include "bn/arrays/array.hpp"
#include "bn/tiles/constants.hpp"
#include "bn/tiles/counts.hpp"
#include "bn/tiles/undecided.hpp"

namespace bn {

/// The results for the operands {x}, {dy} or {x, dy} of a tile, each the real number that its
/// channel's exact formula gives, rounded once to `dtype`, to nearest, ties to even; NaN and
/// infinities follow IEEE 754. The constants are those of the same formulas and this dtype. Results
/// may take the place of an operand of the same dtype.
Counts results(const Tile& tile, std::span<const Block> operands, const ChannelConstants& constants,
               const ExactChannels& exact, Dtype dtype, MutableRows rows);

}  // namespace bn
