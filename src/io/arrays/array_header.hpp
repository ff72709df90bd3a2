// What any array file says about its array, whatever the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/arrays/view.hpp"

namespace bn::io {

enum class ByteOrder : std::uint8_t { little, big };

/// What a file says about its array. Every parsed header is_addressable().
struct ArrayHeader {
  Dtype dtype = Dtype::float32;
  ByteOrder byte_order = ByteOrder::little;  ///< little where an item is one byte
  /// fortran only where that differs from c: with two dimensions other than 1 and no 0.
  Order order = Order::c;
  std::vector<std::size_t> shape;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t data_bytes() const { return size() * item_size(dtype); }
  friend bool operator==(const ArrayHeader&, const ArrayHeader&) = default;
};

/// The order of an array of this shape as an ArrayHeader states it: c where both orders are the
/// same.
[[nodiscard]] Order canonical_order(std::span<const std::size_t> shape, Order order);

/// Whether such an array and a header fit in 63 bits, even if the zeros in the shape are taken for
/// ones, so that no product of dimensions overflows anywhere.
[[nodiscard]] bool is_addressable(std::span<const std::size_t> shape, Dtype dtype);

/// As Python writes it: "(2, 3)", "(3,)", "()".
[[nodiscard]] std::string shape_text(std::span<const std::size_t> shape);

/// The index of the element at a position in memory order.
[[nodiscard]] std::vector<std::size_t> index_of(const ArrayHeader& header, std::size_t position);
/// The same as Python writes it: "(2, 1)".
[[nodiscard]] std::string index_text(const ArrayHeader& header, std::size_t position);

/// "float32" -> Dtype::float32; none for other names.
[[nodiscard]] std::optional<Dtype> parse_dtype_name(std::string_view name);

}  // namespace bn::io
