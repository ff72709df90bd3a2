#include "io/files/input_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <span>
#include <string_view>

#include "io/error.hpp"

namespace bn::io {

namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{4} << 30U;
constexpr std::size_t kTextBlockBytes = std::size_t{64} << 10U;

}  // namespace

InputFile open_input(const std::string& path) {
  InputFile file;
  file.name = path == "-" ? "standard input" : printable(path);
  file.fd = STDIN_FILENO;
  if (path != "-") {
    file.owned = Descriptor(
        uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY); }));
    if (!file.owned) throw system_error(file.name, "cannot open", errno);
    file.fd = file.owned.get();
  }
  const int flags = ::fcntl(file.fd, F_GETFL);
  if (flags == -1 || (flags & O_PATH) != 0) throw system_error(file.name, "is closed");
  if (::fstat(file.fd, &file.status) != 0) throw system_error(file.name, "cannot examine", errno);
  if (S_ISDIR(file.status.st_mode)) throw system_error(file.name, "is a directory, not a file");
  if (::isatty(file.fd) == 1) throw usage_error(file.name, "is a terminal; give a file or a pipe");
  if (file.regular() && !file.owned) {
    const off_t offset = ::lseek(file.fd, 0, SEEK_CUR);
    if (offset < 0) throw system_error(file.name, "cannot seek", errno);
    file.begin = static_cast<std::uint64_t>(offset);
  }
  return file;
}

std::string read_text(const InputFile& file, FileKind expected) {
  std::string text;
  const auto refuse_array = [&](std::string_view head) {
    if (!head.starts_with(kNpyMagic)) return;
    throw wrong_kind(file.name, FileKind::array, expected);
  };
  if (file.regular()) {  // before all of it is read
    std::string head(kNpyMagic.size(), '\0');
    head.resize(
        pread_fully(file.fd, std::as_writable_bytes(std::span(head)), file.begin, file.name));
    refuse_array(head);
  }
  for (;;) {
    const std::size_t size = text.size();
    // A regular file is read in one go, and one byte more tells that it has ended.
    const auto claimed = file.regular() ? static_cast<std::size_t>(file.status.st_size) : 0;
    if (std::max(claimed, size) > kMaxTextBytes) {
      throw input_error(file.name, "is larger than 4 GiB");
    }
    const std::size_t room =
        std::min(claimed > size ? claimed - size + 1 : kTextBlockBytes, kMaxTextBytes - size + 1);
    text.resize(size + room);
    const std::size_t got =
        read_fully(file.fd, std::as_writable_bytes(std::span(text).subspan(size)), file.name);
    text.resize(size + got);
    refuse_array(text);
    const std::size_t nul = std::string_view(text).find('\0', size);
    if (nul != std::string_view::npos) {
      throw input_error(file.name, "is not a text file: byte " + std::to_string(nul) +
                                       " is NUL (JSON in UTF-8 is needed)");
    }
    if (got < room) return text;
  }
}

}  // namespace bn::io
