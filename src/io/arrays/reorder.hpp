// An array turned from one memory order into the other, in little memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "io/arrays/array_header.hpp"
#include "io/files/descriptor.hpp"

namespace bn::io {

/// Fills `bytes` with the array's data from `offset` on, in the memory order that it has.
using ReadData = std::function<void(std::uint64_t offset, std::span<std::byte> bytes)>;

/// An unnamed file with the same array in the memory order that `header` does not say. Takes 32 MiB
/// of memory and, for every 32 MiB of the array, one pass over it. `name` is for messages. Throws
/// Error (system) and what `read` throws.
[[nodiscard]] Descriptor reordered_copy(const ArrayHeader& header, const std::string& name,
                                        const ReadData& read);

}  // namespace bn::io
