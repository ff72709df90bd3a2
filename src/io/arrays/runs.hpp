// The pieces of a tile that are contiguous, both in the array and where its rows are held.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bn/arrays/view.hpp"

namespace bn::io {

/// Calls use(offset in the array, offset among the rows, size), all in bytes, for one piece after
/// the other: a row each or, where rows adjoin in both places, all of them. `stride` is that of the
/// rows, `item` the size of an element.
template <class Use>
void for_each_run(const View& view, const Tile& tile, std::size_t item, std::size_t stride,
                  Use use) {
  const std::size_t row_bytes = tile.row_size() * item;
  const bool contiguous = tile.row_size() == view.channel * view.inner && stride == row_bytes;
  const std::size_t rows_per_run = contiguous ? tile.outer.count : 1;
  for (std::size_t row = 0; row < tile.outer.count; row += rows_per_run) {
    const std::uint64_t offset = tile.position(view, row) * item;
    use(offset, row * stride, rows_per_run * row_bytes);
  }
}

}  // namespace bn::io
