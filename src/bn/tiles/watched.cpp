#include "bn/tiles/watched.hpp"

#include <cstring>
#include <type_traits>

namespace bn {
namespace {

// Calls use(T()) for the unsigned integer of the size of an item.
template <class Use>
auto with_bits(Dtype dtype, Use use) {
  switch (item_size(dtype)) {
    case 1:
      return use(std::uint8_t());
    case 2:
      return use(std::uint16_t());
    case 4:
      return use(std::uint32_t());
    default:
      return use(std::uint64_t());
  }
}

template <class T>
T read(const std::byte* from, std::size_t i) {
  T value;
  std::memcpy(&value, from + i * sizeof value, sizeof value);
  return value;
}

// The bits of 0 and -0 are none.
template <class T>
std::uint64_t count_zeros(const std::byte* values, std::size_t n, bool floating) {
  const T counted = static_cast<T>(floating ? static_cast<T>(~T{}) >> 1 : ~T{});
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < n; ++i) count += (read<T>(values, i) & counted) == 0 ? 1 : 0;
  return count;
}

bool is_signed_integer(Dtype dtype) { return dtype >= Dtype::int8 && dtype <= Dtype::int64; }

template <class T>
void magnitudes(Dtype dtype, const std::byte* from, std::size_t n, std::byte* to) {
  constexpr T kNotSign = static_cast<T>(static_cast<T>(~T{}) >> 1);
  const bool integers = is_signed_integer(dtype);
  for (std::size_t i = 0; i < n; ++i) {
    const T value = read<T>(from, i);
    const bool negative = value > kNotSign;
    T magnitude = static_cast<T>(value & kNotSign);
    if (integers) magnitude = negative ? static_cast<T>(T{0} - value) : value;
    std::memcpy(to + i * sizeof magnitude, &magnitude, sizeof magnitude);
  }
}

}  // namespace

Watched::Watched(Source& source, std::size_t channels)
    : source_(source), constant_(channels != 0), first_(channels), seen_(channels) {}

Rows Watched::load(const View& view, const Tile& tile, std::byte* scratch) {
  const Rows rows = source_.load(view, tile, scratch);
  const bool floating = is_floating(dtype());
  std::uint64_t count = 0;
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    const std::byte* row = rows.data + r * rows.stride;
    count += with_bits(dtype(),
                       [&]<class T>(T) { return count_zeros<T>(row, tile.row_size(), floating); });
  }
  zeros_ += count;
  if (constant_) look_for_changes(tile, rows);
  return rows;
}

void Watched::look_for_changes(const Tile& tile, const Rows& rows) {
  const std::lock_guard lock(mutex_);
  with_bits(dtype(), [&]<class T>(T) {
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      for (std::size_t i = 0; i < tile.row_size(); ++i) {
        const std::size_t c = tile.channel.begin + i / tile.inner.count;
        const T value = read<T>(rows.data + r * rows.stride, i);
        if (seen_[c] && first_[c] != value) {
          constant_ = false;
          return;
        }
        first_[c] = value;
        seen_[c] = true;
      }
    }
  });
}

Dtype Magnitudes::dtype() const {
  const Dtype dtype = source_.dtype();
  if (!is_signed_integer(dtype)) return dtype;
  constexpr auto kSigned = static_cast<int>(Dtype::int8);
  constexpr auto kUnsigned = static_cast<int>(Dtype::uint8);
  return static_cast<Dtype>(static_cast<int>(dtype) - kSigned + kUnsigned);
}

Rows Magnitudes::load(const View& view, const Tile& tile, std::byte* scratch) {
  const Dtype dtype = source_.dtype();
  const Rows rows = source_.load(view, tile, scratch);
  const std::size_t bytes = tile.row_size() * item_size(dtype);
  const bool any_sign = is_floating(dtype) || is_signed_integer(dtype);
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    const std::byte* from = rows.data + r * rows.stride;
    std::byte* to = scratch + r * bytes;
    if (!any_sign) {
      std::memmove(to, from, bytes);
      continue;
    }
    with_bits(dtype, [&]<class T>(T) { magnitudes<T>(dtype, from, tile.row_size(), to); });
  }
  return {scratch, bytes};
}

}  // namespace bn
