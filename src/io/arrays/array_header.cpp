#include "io/arrays/array_header.hpp"

#include <algorithm>
#include <limits>

namespace bn::io {

namespace {

constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::int64_t>::max();
// Room for what stands before the data, which in a .npy file is at most this.
constexpr std::uint64_t kHeaderRoom = 64 * 1024 + 12;

}  // namespace

std::size_t ArrayHeader::size() const {
  std::size_t product = 1;
  for (const std::size_t dimension : shape) product *= dimension;
  return product;
}

Order canonical_order(std::span<const std::size_t> shape, Order order) {
  const auto long_dimensions =
      std::count_if(shape.begin(), shape.end(), [](std::size_t d) { return d > 1; });
  const bool empty = std::find(shape.begin(), shape.end(), 0) != shape.end();
  return empty || long_dimensions < 2 ? Order::c : order;
}

bool is_addressable(std::span<const std::size_t> shape, Dtype dtype) {
  std::uint64_t items = (kMaxBytes - kHeaderRoom) / item_size(dtype);
  for (const std::size_t dimension : shape) items /= std::max<std::size_t>(dimension, 1);
  return items > 0;
}

std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text.append(", ");
    text.append(std::to_string(shape[i]));
  }
  return text.append(shape.size() == 1 ? ",)" : ")");
}

std::vector<std::size_t> index_of(const ArrayHeader& header, std::size_t position) {
  std::vector<std::size_t> index(header.shape.size());
  for (std::size_t step = 0; step < index.size(); ++step) {
    // The dimension whose index changes fastest comes first.
    const std::size_t d = header.order == Order::c ? index.size() - 1 - step : step;
    index[d] = position % header.shape[d];
    position /= header.shape[d];
  }
  return index;
}

std::string index_text(const ArrayHeader& header, std::size_t position) {
  return shape_text(index_of(header, position));
}

std::optional<Dtype> parse_dtype_name(std::string_view text) {
  const auto* const found = std::find_if(kDtypes.begin(), kDtypes.end(),
                                         [&](Dtype dtype) { return name(dtype) == text; });
  return found == kDtypes.end() ? std::nullopt : std::optional(*found);
}

}  // namespace bn::io
