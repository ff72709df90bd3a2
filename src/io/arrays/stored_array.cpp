#include "io/arrays/stored_array.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/arrays/npy.hpp"
#include "io/error.hpp"
#include "io/files/file_kind.hpp"

namespace bn::io {

namespace {

// Documents are named by what they are; of a stream only the first bytes are left to tell by.
void refuse_document(const InputFile& file, std::span<const std::byte> head) {
  const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
  if (text.starts_with(kNpyMagic)) return;
  const FileKind kind = file.regular()          ? file_kind(file.fd, file.begin, file.name)
                        : text.starts_with('{') ? FileKind::json
                                                : FileKind::other;
  if (is_document(kind)) throw wrong_kind(file.name, kind, FileKind::array);
}

StoredArray find_npy(const InputFile& file) {
  std::vector<std::byte> head(kNpyPrefixSize);
  const auto read = [&](std::size_t from) {
    const std::span<std::byte> rest = std::span(head).subspan(from);
    const std::size_t got = file.regular()
                                ? pread_fully(file.fd, rest, file.begin + from, file.name)
                                : read_fully(file.fd, rest, file.name);
    head.resize(from + got);
  };
  read(0);
  refuse_document(file, head);
  const std::size_t offset = npy_data_offset(file.name, head);
  if (offset > head.size() && head.size() == kNpyPrefixSize) {
    head.resize(offset);
    read(kNpyPrefixSize);
  }
  return {.header = parse_npy_header(file.name, head), .offset = offset};
}

// The data are the last thing in the file.
void require_size(const InputFile& file, const StoredArray& array) {
  const std::uint64_t expected = array.offset + array.header.data_bytes();
  if (file.size() == expected) return;
  const std::string found =
      file.size() > expected ? "something follows the data: " : "the file is cut short: ";
  throw input_error(file.name, found + "expected " + std::to_string(expected) + " bytes, got " +
                                   std::to_string(file.size()) + " (" +
                                   std::string(name(array.header.dtype)) + " " +
                                   shape_text(array.header.shape) + " and a header of " +
                                   std::to_string(array.offset) + ")");
}

}  // namespace

// There is one format today. Another one is told apart here, by how the file begins.
StoredArray find_array(const InputFile& file) {
  StoredArray array = find_npy(file);
  if (file.regular()) require_size(file, array);
  return array;
}

}  // namespace bn::io
