// How an array is cut into tiles: for few bytes moved, little memory, and work for every thread.
#pragma once

#include <cstddef>

#include "bn/arrays/machine.hpp"
#include "bn/arrays/view.hpp"

namespace bn {

/// A view cut into boxes; the last ones in each direction may be smaller.
struct Tiling {
  View view;
  std::size_t outer_step = 1;
  std::size_t channel_step = 1;
  std::size_t inner_step = 1;

  /// Tiles of at most about `elements`, each contiguous in memory, in memory order.
  [[nodiscard]] static Tiling contiguous(const View& view, std::size_t elements);

  [[nodiscard]] std::size_t count() const;
  /// Tile number `index`: of ascending position in memory where the tiles are contiguous.
  [[nodiscard]] Tile tile(std::size_t index) const;
};

/// The way through an array whose every channel is needed whole before any of it can be finished.
struct Blocking {
  unsigned threads = 1;

  /// Channels that are summed together, each tile with all of their values. Resident: such a tile
  /// fits a cache, a core's own where it has to be loaded, so that it is read once and stays there
  /// from the sums to the results. Else all threads sum one group after the other, and the array is
  /// read again for the results: of a file in the page cache that costs less than a large buffer,
  /// whose pages have to be faulted in and which leaves in short pieces.
  Tiling groups;
  bool resident = false;

  /// Of smaller tiles, which stay in a core's own cache while they are worked on.
  std::size_t tile_elements = 1;
};

/// element_bytes: of all arrays that are read together; result_bytes: of an element of what is
/// written, or 0. copies: whether reading or writing costs system calls and buffers, or all is in
/// memory already. threads: at most; 0: the cores of the machine.
///
/// Buffers of all threads together take at most 40 MiB, whatever the array's size.
[[nodiscard]] Blocking make_blocking(const View& view, std::size_t element_bytes,
                                     std::size_t result_bytes, bool copies, unsigned threads,
                                     const Machine& machine);

}  // namespace bn
