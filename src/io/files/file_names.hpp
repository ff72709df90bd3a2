// Lists of file names, as find -print0 writes them.
#pragma once

#include <string>
#include <vector>

namespace bn::io {

/// The names in the file `path`, "-" being standard input: each ends in a NUL byte, which the last
/// one may lack. Throws Error: system where it cannot be read; input where it has no name, an empty
/// one, one longer than any path, or, on standard input, "-".
[[nodiscard]] std::vector<std::string> read_file_names(const std::string& path);

}  // namespace bn::io
