// Telling one array from another by its values and by where they stand.
#pragma once

#include <cstdint>

#include "bn/arrays/array.hpp"

namespace bn {

/// The part that a tile adds, modulo 2^64, to the checksum of its array: the sum over all elements
/// of their bits times a weight of their position in memory order. Any order of the tiles gives the
/// same sum. Exchanging two different values, or changing one, gives another: surely for elements
/// of up to four bytes in an array of fewer than 2^32 - 1, otherwise very probably.
[[nodiscard]] std::uint64_t checksum(const View& view, const Tile& tile, Dtype dtype, Rows rows);

}  // namespace bn
