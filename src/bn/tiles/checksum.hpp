// Telling one array from another by its values and by where they stand.
#pragma once

#include <cstdint>

#include "bn/arrays/array.hpp"

namespace bn {

/// Whether a computation is asked for the checksum of x besides its results. It takes about a third
/// of the time of the sums.
enum class Checksum : bool { none, of_x };

/// The part that a tile adds, modulo 2^64, to the checksum of its array: the sum over all elements
/// of their bits times a weight of their position in memory order. Any order of the tiles gives the
/// same sum. Exchanging two different values, or changing one, gives another: surely for elements
/// of up to four bytes in an array of fewer than 2^32 - 1, otherwise very probably.
[[nodiscard]] std::uint64_t checksum(const View& view, const Tile& tile, Dtype dtype, Rows rows);

}  // namespace bn
