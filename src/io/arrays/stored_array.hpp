// Where an array lies in a file, whatever the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "io/arrays/array_header.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

struct StoredArray {
  ArrayHeader header;
  std::uint64_t offset = 0;  ///< of the first element, from where the input begins
};

/// What an open file says about its array, checked; of a regular file also that it has exactly the
/// bytes it should, and of a stream everything before the first element has been taken. Throws
/// Error: input for the content, system where reading fails.
[[nodiscard]] StoredArray find_array(const InputFile& file);

/// The next of several arrays, one behind the other, `before` of which lie before where `file`
/// begins: more may follow. None where the input ends before it, unless it is the first.
[[nodiscard]] std::optional<StoredArray> find_next_array(const InputFile& file, std::size_t before);

}  // namespace bn::io
