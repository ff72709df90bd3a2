#include "io/arrays/reorder.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "io/files/temporary.hpp"

namespace bn::io {

namespace {

constexpr std::size_t kReadBytes = std::size_t{1} << 20U;
constexpr std::size_t kSlabBytes = std::size_t{32} << 20U;

// Walks over an array in memory order, telling where each element lies in the other order, in
// which the dimension that moves fastest here moves slowest.
class OtherOrder {
 public:
  explicit OtherOrder(std::vector<std::size_t> slowest_first) : extent_(std::move(slowest_first)) {
    index_.resize(extent_.size());
    std::size_t stride = 1;
    for (const std::size_t extent : extent_) {
      stride_.push_back(stride);
      stride *= extent;
    }
  }

  [[nodiscard]] std::size_t position() const { return position_; }

  void advance() {
    for (std::size_t k = extent_.size(); k-- > 0;) {
      position_ += stride_[k];
      if (++index_[k] < extent_[k]) return;
      position_ -= stride_[k] * extent_[k];
      index_[k] = 0;
    }
  }

 private:
  std::vector<std::size_t> extent_;
  std::vector<std::size_t> stride_;
  std::vector<std::size_t> index_;
  std::size_t position_ = 0;
};

// Copies the items that belong into `slab`, which holds the positions from `begin` on.
template <class Word>
void pick_items(std::span<const std::byte> items, OtherOrder& place, std::span<std::byte> slab,
                std::size_t begin) {
  const std::size_t room = slab.size() / sizeof(Word);
  for (std::size_t i = 0; i < items.size(); i += sizeof(Word), place.advance()) {
    // Below `begin` wraps round to more than any room.
    const std::size_t slot = place.position() - begin;
    if (slot < room) std::memcpy(&slab[slot * sizeof(Word)], &items[i], sizeof(Word));
  }
}

void pick_items(std::size_t item, std::span<const std::byte> items, OtherOrder& place,
                std::span<std::byte> slab, std::size_t begin) {
  if (item == 1) pick_items<std::uint8_t>(items, place, slab, begin);
  if (item == 2) pick_items<std::uint16_t>(items, place, slab, begin);
  if (item == 4) pick_items<std::uint32_t>(items, place, slab, begin);
  if (item == 8) pick_items<std::uint64_t>(items, place, slab, begin);
}

}  // namespace

Descriptor reordered_copy(const ArrayHeader& header, const std::string& name,
                          const ReadData& read) {
  Descriptor copy = open_unnamed_file();
  const std::size_t item = item_size(header.dtype);
  const std::size_t size = header.data_bytes();
  std::vector<std::size_t> slowest_first = header.shape;
  if (header.order == Order::fortran) std::reverse(slowest_first.begin(), slowest_first.end());
  std::vector<std::byte> buffer(kReadBytes);
  std::vector<std::byte> slab(std::min(kSlabBytes, size));
  for (std::size_t begin = 0; begin < size; begin += slab.size()) {
    slab.resize(std::min(slab.size(), size - begin));
    OtherOrder place(slowest_first);
    for (std::size_t at = 0; at < size; at += buffer.size()) {
      const std::span<std::byte> piece(buffer.data(), std::min(buffer.size(), size - at));
      read(at, piece);
      pick_items(item, piece, place, slab, begin / item);
    }
    write_fully(copy.get(), slab, name);
  }
  return copy;
}

}  // namespace bn::io
