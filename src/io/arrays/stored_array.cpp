#include "io/arrays/stored_array.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
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

// The bytes from `from` on, which in a stream has to be where it stands; less where it ends.
std::size_t read_at(const InputFile& file, std::uint64_t from, std::span<std::byte> bytes) {
  return file.regular() ? pread_fully(file.fd, bytes, file.begin + from, file.name)
                        : read_fully(file.fd, bytes, file.name);
}

std::vector<std::byte> read_prefix(const InputFile& file) {
  std::vector<std::byte> prefix(kNpyPrefixSize);
  prefix.resize(read_at(file, 0, prefix));
  return prefix;
}

// `head`: what read_prefix() has read.
StoredArray find_npy(const InputFile& file, std::vector<std::byte> head) {
  refuse_document(file, head);
  const std::size_t offset = npy_data_offset(file.name, head);
  if (offset > head.size() && head.size() == kNpyPrefixSize) {
    head.resize(offset);
    head.resize(kNpyPrefixSize +
                read_at(file, kNpyPrefixSize, std::span(head).subspan(kNpyPrefixSize)));
  }
  return {.header = parse_npy_header(file.name, head), .offset = offset};
}

enum class Behind : std::uint8_t { nothing, anything };

void require_size(const InputFile& file, const StoredArray& array, Behind behind) {
  const std::uint64_t expected = array.offset + array.header.data_bytes();
  if (file.size() == expected || (file.size() > expected && behind == Behind::anything)) return;
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
  StoredArray array = find_npy(file, read_prefix(file));
  if (file.regular()) require_size(file, array, Behind::nothing);
  return array;
}

std::optional<StoredArray> find_next_array(const InputFile& file, std::size_t before) {
  std::vector<std::byte> prefix = read_prefix(file);
  if (prefix.empty() && before > 0) return std::nullopt;
  StoredArray array = find_npy(file, std::move(prefix));
  if (file.regular()) require_size(file, array, Behind::anything);
  return array;
}

}  // namespace bn::io
