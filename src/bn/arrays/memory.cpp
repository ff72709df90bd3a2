#include "bn/arrays/memory.hpp"

#include <cstdint>
#include <cstring>
#include <utility>

namespace bn {

bool Strided::contiguous(Order order) const {
  std::ptrdiff_t expected = 1;
  for (std::size_t k = 0; k < shape.size(); ++k) {
    const std::size_t d = order == Order::c ? shape.size() - 1 - k : k;
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= static_cast<std::ptrdiff_t>(shape[d]);
  }
  return true;
}

StridedArray::StridedArray(Strided memory, Order order, const Machine& machine)
    : memory_(std::move(memory)),
      order_(order),
      in_place_(memory_.contiguous(order)),
      last_cache_(machine.last_cache) {}

// use(address, index): every element of the tile, in the order of its rows.
template <class Use>
void StridedArray::for_each(const View& view, const Tile& tile, Use use) const {
  const std::size_t rank = memory_.shape.size();
  const auto dimension = [&](std::size_t from_fastest) {
    return order_ == Order::c ? rank - 1 - from_fastest : from_fastest;
  };
  const auto size = static_cast<std::ptrdiff_t>(item_size(memory_.dtype));
  std::vector<std::size_t> index(rank);
  std::size_t count = 0;
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    std::size_t rest = tile.position(view, r);
    std::ptrdiff_t offset = 0;
    for (std::size_t k = 0; k < rank; ++k) {
      const std::size_t d = dimension(k);
      index[d] = rest % memory_.shape[d];
      rest /= memory_.shape[d];
      offset += static_cast<std::ptrdiff_t>(index[d]) * memory_.strides[d];
    }
    for (std::size_t i = 0; i < tile.row_size(); ++i) {
      use(memory_.data + offset * size, count++);
      for (std::size_t k = 0; k < rank; ++k) {
        const std::size_t d = dimension(k);
        offset += memory_.strides[d];
        if (++index[d] < memory_.shape[d]) break;
        offset -= static_cast<std::ptrdiff_t>(memory_.shape[d]) * memory_.strides[d];
        index[d] = 0;
      }
    }
  }
}

Rows StridedArray::load(const View& view, const Tile& tile, std::byte* scratch) {
  const std::size_t size = item_size(memory_.dtype);
  if (in_place_) {
    return {memory_.data + tile.position(view, 0) * size, view.channel * view.inner * size};
  }
  for_each(view, tile, [&](const std::byte* element, std::size_t i) {
    std::memcpy(scratch + i * size, element, size);
  });
  return {scratch, tile.row_size() * size};
}

MutableRows StridedArray::place(const View& view, const Tile& tile, std::byte* scratch) {
  const std::size_t size = item_size(memory_.dtype);
  if (in_place_) {
    const bool aligned = reinterpret_cast<std::uintptr_t>(memory_.data) % size == 0;
    return {.data = memory_.data + tile.position(view, 0) * size,
            .stride = view.channel * view.inner * size,
            .non_temporal = aligned && view.size() * size > 2 * last_cache_};
  }
  return {.data = scratch, .stride = tile.row_size() * size};
}

void StridedArray::store(const View& view, const Tile& tile, MutableRows rows) {
  if (in_place_) return;
  const std::size_t size = item_size(memory_.dtype);
  for_each(view, tile, [&](std::byte* element, std::size_t i) {
    std::memcpy(element, rows.data + i * size, size);
  });
}

}  // namespace bn
