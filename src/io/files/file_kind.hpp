// Arrays and JSON documents told apart, for commands that take either.
#pragma once

#include <cstdint>
#include <string>

namespace bn::io {

enum class FileKind : std::uint8_t { array, json, stream };

/// What the first byte of a file says it is; a stream where it cannot be looked at without
/// consuming it (standard input, a pipe, a device), an array where there is nothing to look at.
[[nodiscard]] FileKind file_kind(const std::string& path);

}  // namespace bn::io
