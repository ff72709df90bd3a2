// Opening what a user names as input.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "io/files/descriptor.hpp"
#include "io/files/file_kind.hpp"

namespace bn::io {

struct InputFile {
  std::string name;  ///< as messages call it
  Descriptor owned;  ///< none for standard input
  int fd = -1;
  struct stat status {};
  std::uint64_t begin = 0;  ///< where its content begins: standard input may stand within a file

  [[nodiscard]] bool regular() const { return S_ISREG(status.st_mode); }
  /// Of the content, where regular().
  [[nodiscard]] std::uint64_t size() const {
    return static_cast<std::uint64_t>(status.st_size) - begin;
  }
};

/// Opens `path`, "-" being standard input. Throws Error: system for what cannot be opened, a closed
/// standard input and a directory; usage for a terminal, which nobody means to type an array at.
[[nodiscard]] InputFile open_input(const std::string& path);

/// All that is left to read of it, up to 4 GiB: the text of a document of the kind `expected`.
/// Throws Error: system where reading fails, input for more, for an array, and for a NUL byte,
/// which no text has and an endless device begins with.
[[nodiscard]] std::string read_text(const InputFile& file, FileKind expected);

}  // namespace bn::io
