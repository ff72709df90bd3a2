#include "bn/tiles/checksum.hpp"

#include "bn/kernels/kernels.hpp"

namespace bn {

std::uint64_t checksum(const View& view, const Tile& tile, Dtype dtype, Rows rows) {
  const kernels::Table& kernel = kernels::table();
  const std::size_t n = tile.row_size();
  std::uint64_t total = 0;
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    const void* row = rows.data + r * rows.stride;
    const std::size_t position = tile.position(view, r);
    switch (item_size(dtype)) {
      case 1:
        total += kernel.checksum_8(static_cast<const std::uint8_t*>(row), n, position);
        break;
      case 2:
        total += kernel.checksum_16(static_cast<const std::uint16_t*>(row), n, position);
        break;
      case 4:
        total += kernel.checksum_32(static_cast<const std::uint32_t*>(row), n, position);
        break;
      default:
        total += kernel.checksum_64(static_cast<const std::uint64_t*>(row), n, position);
    }
  }
  return total;
}

}  // namespace bn
