// The one abstraction of the project: every array is [outer, channel, inner].
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bn {

/// The order in which the elements of an array lie in memory.
enum class Order : std::uint8_t { c, fortran };

/// An array seen as [outer, channel, inner]: element (o, c, i) lies at (o * channel + c) * inner +
/// i.
///
///   (N, D), axis 1            -> N, D, 1
///   (N, C, H, W), axis 1      -> N, C, H*W
///   (N, H, W, C), axis -1     -> N*H*W, C, 1
///   (N, C, H, W), axis 1, Fortran order -> W*H, C, N
struct View {
  std::size_t outer = 0;
  std::size_t channel = 0;
  std::size_t inner = 0;

  /// Values per channel, m in the formulas.
  [[nodiscard]] std::size_t m() const { return outer * inner; }
  [[nodiscard]] std::size_t size() const { return outer * channel * inner; }

  friend bool operator==(const View&, const View&) = default;
};

/// The view of an array of this shape. A negative axis counts from the end.
///
/// Throws std::invalid_argument for a rank below 2 and for an axis outside [-rank, rank).
[[nodiscard]] View make_view(std::span<const std::size_t> shape, std::ptrdiff_t axis,
                             Order order = Order::c);

struct Range {
  std::size_t begin = 0;
  std::size_t count = 0;

  [[nodiscard]] std::size_t end() const { return begin + count; }
};

/// A box in a view: `outer.count` rows of `row_size()` elements, each row contiguous in the array.
/// Invariant: either `inner` is the view's whole inner range or `channel.count` is at most 1.
struct Tile {
  Range outer;
  Range channel;
  Range inner;

  [[nodiscard]] std::size_t row_size() const { return channel.count * inner.count; }
  [[nodiscard]] std::size_t size() const { return outer.count * row_size(); }
  /// Position in the array of the first element of the tile's row `row`.
  [[nodiscard]] std::size_t position(const View& view, std::size_t row) const {
    return ((outer.begin + row) * view.channel + channel.begin) * view.inner + inner.begin;
  }
};

}  // namespace bn
