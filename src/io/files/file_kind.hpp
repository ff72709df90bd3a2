// Arrays and JSON documents told apart, for commands that take either.
#pragma once

#include <cstdint>
#include <string>

namespace bn::io {

enum class FileKind : std::uint8_t { array, json };

/// What the first byte of a file says it is. A file that cannot be looked at without consuming it
/// (a pipe, standard input) counts as an array.
[[nodiscard]] FileKind file_kind(const std::string& path);

}  // namespace bn::io
