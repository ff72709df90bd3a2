#include "io/files/file_kind.hpp"

#include <sys/stat.h>

#include <cstddef>

#include "io/files/descriptor.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

FileKind file_kind(const std::string& path) {
  // Opening a pipe would already take it away from whoever is to read it.
  struct stat status {};
  if (path == "-") return FileKind::stream;
  if (::stat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode)) return FileKind::array;
  if (!S_ISREG(status.st_mode)) return FileKind::stream;
  const InputFile file = open_input(path);
  std::byte first{};
  if (pread_fully(file.fd, {&first, 1}, 0, file.name) == 0) return FileKind::array;
  const char c = std::to_integer<char>(first);
  return c == '{' || c == ' ' || c == '\n' || c == '\r' || c == '\t' ? FileKind::json
                                                                     : FileKind::array;
}

}  // namespace bn::io
