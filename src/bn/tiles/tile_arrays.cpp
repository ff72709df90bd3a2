#include "bn/tiles/tile_arrays.hpp"

#include <stdexcept>

#include "bn/error.hpp"

namespace bn {

void TileArrays::throw_first_non_finite() const {
  for (std::size_t a = 0; a < blocks.size(); ++a) {
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      for (std::size_t i = 0; i < tile.row_size(); ++i) {
        const double value = non_finite(blocks[a].dtype, at(a, r, i));
        if (value == 0) continue;
        throw NonFiniteError(a == 0 ? Operand::x : Operand::dy, tile.position(view, r) + i, value);
      }
    }
  }
  throw std::logic_error("no value of the tile is NaN or infinite");
}

}  // namespace bn
