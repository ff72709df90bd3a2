// What a file holds, told by how it begins: which reader takes it, and what may replace it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/error.hpp"

namespace bn::io {

inline constexpr std::string_view kNpyMagic = "\x93NUMPY";

enum class FileKind : std::uint8_t {
  empty,
  array,
  state,
  cache,
  part,
  json,        ///< a JSON object that is none of these, or that is cut short
  other,       ///< anything else
  unreadable,  ///< who may not read it cannot tell
};

/// A JSON object, whatever it says.
[[nodiscard]] bool is_document(FileKind kind);

/// All keys that a state, a cache or a part may have.
[[nodiscard]] std::span<const std::string_view> keys_of(FileKind document);

/// The kind of a document by its keys, given one after the other.
class DocumentKeys {
 public:
  void add(std::string_view key);
  /// What further keys are cannot change the kind: one kind alone has all keys so far, and one of
  /// them is of the sort that no other program writes, or no kind has them all.
  [[nodiscard]] bool decided() const;
  /// Of a document with these keys; json where no kind has them all, or where there is no key.
  [[nodiscard]] FileKind kind() const;

 private:
  unsigned candidates_ = ~0U;  ///< bit by bit: the kinds that have all keys so far,
  unsigned marked_ = 0;        ///< and those for which one of them is enough
  bool any_ = false;
};

/// The kind of the file that is open as `fd`, from `begin` on; reads as little as tells it. `file`
/// is for messages. Throws Error (system).
[[nodiscard]] FileKind file_kind(int fd, std::uint64_t begin, std::string_view file);

/// The kind of the file that a path leads to; none where there is no regular file: looking into a
/// pipe would already take something away from whoever is to read it. Throws Error (system).
[[nodiscard]] std::optional<FileKind> file_kind(const std::string& path);
/// The same for a path from a directory (a descriptor); `file` is for messages.
[[nodiscard]] std::optional<FileKind> file_kind_in(int directory, const std::string& path,
                                                   std::string_view file);

/// Whether an output may take the place of a file without anybody asking for that: a document that
/// of one of its own kind, an array that of anything but a document, and both that of nothing.
[[nodiscard]] bool may_replace(FileKind output, FileKind existing);

/// An input, or what an output would replace, is of the wrong kind: "s.json: is a state, not a .npy
/// array".
[[nodiscard]] Error wrong_kind(std::string_view file, FileKind found, FileKind expected);
[[nodiscard]] Error irreplaceable(std::string_view file, FileKind found, FileKind output);

}  // namespace bn::io
