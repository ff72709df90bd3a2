// Results element by element, tile by tile, for every pair of dtypes. The formulas are in
// kernels/elementwise.hpp, the rounding in kernels/rounding.hpp; here are the walk over the tile,
// the conversions around them, and what becomes of results that the kernels are not certain of.
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
