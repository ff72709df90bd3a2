// The header of .npy files, NumPy's format versions 1.0, 2.0 and 3.0. Bytes only, no files.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "io/arrays/array_header.hpp"

namespace bn::io {

/// Bytes that have to be at hand before npy_data_offset() can be asked.
inline constexpr std::size_t kNpyPrefixSize = 12;
/// The longest header that is read; NumPy itself writes 118 bytes.
inline constexpr std::size_t kMaxNpyHeaderSize = 64 * 1024;

/// Where the data begin, from the first kNpyPrefixSize bytes of the file (or all, if it has
/// fewer). Throws Error (input) for anything that is not a .npy file of a known version, and for
/// headers beyond the limit, so that the result can be trusted as the size of a buffer.
[[nodiscard]] std::size_t npy_data_offset(std::string_view file, std::span<const std::byte> prefix);

/// The header in the first npy_data_offset() bytes of a file. `file` is for messages.
///
/// Keys in any order, either quotes, any spacing. Throws Error (input) for everything else than
/// the dtypes of bn::Dtype, naming the dtype, and for everything that NumPy would not read either.
/// Of any rank from 0 to 64: who needs more says so himself.
[[nodiscard]] ArrayHeader parse_npy_header(std::string_view file, std::span<const std::byte> head);

/// The header that numpy.save writes for such an array, byte for byte; a multiple of 64 bytes.
[[nodiscard]] std::string format_npy_header(const ArrayHeader& header);

}  // namespace bn::io
