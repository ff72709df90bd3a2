// Where an array lies in a file, whatever the format.
#pragma once

#include <cstdint>

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

}  // namespace bn::io
