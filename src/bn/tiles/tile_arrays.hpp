// The arrays whose tile is summed.
#pragma once

#include <cstddef>
#include <span>

#include "bn/arrays/array.hpp"
#include "bn/arrays/elements.hpp"
#include "bn/arrays/view.hpp"

namespace bn {

/// One tile of {x}, whose sums are sum x and sum x^2, or of {x, dy}: sum dy and sum dy * x.
struct TileArrays {
  const View& view;
  const Tile& tile;
  std::span<const Block> blocks;

  [[nodiscard]] const std::byte* at(std::size_t array, std::size_t row, std::size_t i) const {
    const Block& block = blocks[array];
    return block.rows.data + row * block.rows.stride + i * item_size(block.dtype);
  }

  /// Throws NonFiniteError for the first such value, of x before dy; there is one.
  [[noreturn]] void throw_first_non_finite() const;
};

}  // namespace bn
