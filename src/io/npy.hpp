// The header of .npy files, NumPy's format versions 1.0, 2.0 and 3.0. Bytes only, no files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bn/dtype.hpp"
#include "bn/view.hpp"

namespace bn::io {

enum class ByteOrder : std::uint8_t { little, big };

/// What a .npy file says about its array. Every parsed header is_addressable().
struct NpyHeader {
  Dtype dtype = Dtype::float32;
  ByteOrder byte_order = ByteOrder::little;  ///< little where an item is one byte
  /// fortran only where that differs from c: with two dimensions other than 1 and no 0.
  Order order = Order::c;
  std::vector<std::size_t> shape;

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t data_bytes() const { return size() * item_size(dtype); }
  friend bool operator==(const NpyHeader&, const NpyHeader&) = default;
};

/// Bytes that have to be at hand before npy_data_offset() can be asked.
inline constexpr std::size_t npy_prefix_size = 12;
/// The longest header that is read; NumPy itself writes 118 bytes.
inline constexpr std::size_t npy_header_limit = 64 * 1024;

/// Where the data begin, from the first npy_prefix_size bytes of the file (or all, if it has
/// fewer). Throws Error (input) for anything that is no .npy file of a known version, and for
/// headers beyond the limit, so that the result can be trusted as the size of a buffer.
[[nodiscard]] std::size_t npy_data_offset(std::string_view file, std::span<const std::byte> prefix);

/// The header in the first npy_data_offset() bytes of a file. `file_size`: the size of the whole
/// file where it is known, which then must be exactly header and data. `file` is for messages.
///
/// Keys in any order, either quotes, any spacing. Throws Error (input) for everything else than
/// the dtypes of bn::Dtype, naming the dtype, and for everything that NumPy would not read either.
/// Of any rank from 0 to 64: who needs more says so himself.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view file, std::span<const std::byte> head,
                                         std::optional<std::uint64_t> file_size);

/// The header that numpy.save writes for such an array, byte for byte; a multiple of 64 bytes.
[[nodiscard]] std::string format_npy_header(const NpyHeader& header);

/// The order of an array of this shape as a NpyHeader states it: c where both orders are the same.
[[nodiscard]] Order canonical_order(std::span<const std::size_t> shape, Order order);

/// Whether such an array and a header fit in 63 bits, even if the zeros in the shape are taken for
/// ones, so that no product of dimensions overflows anywhere.
[[nodiscard]] bool is_addressable(std::span<const std::size_t> shape, Dtype dtype);

/// As Python writes it: "(2, 3)", "(3,)", "()".
[[nodiscard]] std::string shape_text(std::span<const std::size_t> shape);

/// "float32" -> Dtype::float32; none for other names.
[[nodiscard]] std::optional<Dtype> parse_dtype_name(std::string_view name);

}  // namespace bn::io
