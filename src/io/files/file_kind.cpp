#include "io/files/file_kind.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <stdexcept>
#include <vector>

#include "io/files/descriptor.hpp"

namespace bn::io {

namespace {

constexpr std::string_view kStateKeys[] = {
    "mode",  "axis", "eps",          "momentum",    "momentum_weights",    "running_var_estimator",
    "gamma", "beta", "running_mean", "running_var", "num_batches_tracked", "metadata"};
constexpr std::string_view kStateMarks[] = {"momentum_weights", "running_var_estimator",
                                            "running_mean", "running_var", "num_batches_tracked"};
constexpr std::string_view kCacheKeys[] = {
    "mode", "axis", "shape", "dtype", "memory_order", "eps",        "gamma",
    "mean", "var",  "count", "sum",   "sum_squares",  "x_checksum", "checksum"};
constexpr std::string_view kCacheMarks[] = {"memory_order", "x_checksum"};
constexpr std::string_view kPartKeys[] = {"channels", "count", "mean", "var", "sum", "sum_squares"};
constexpr std::string_view kPartMarks[] = {"var", "sum", "sum_squares"};

struct Row {
  FileKind kind;
  std::span<const std::string_view> keys;
  std::span<const std::string_view> marks;  // those that hardly any other program's JSON has
  bool may_lack_marks;                      // all of its keys are optional
};

constexpr std::array<Row, 3> kRows = {{{FileKind::state, kStateKeys, kStateMarks, true},
                                       {FileKind::cache, kCacheKeys, kCacheMarks, false},
                                       {FileKind::part, kPartKeys, kPartMarks, false}}};

bool contains(std::span<const std::string_view> keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A file byte by byte.
class Bytes {
 public:
  Bytes(int fd, std::uint64_t begin, std::string_view file)
      : fd_(fd), offset_(begin), file_(file), block_(kFirstBlock) {}

  // -1 at the end.
  int next() {
    if (at_ == end_) {
      if (end_ == kFirstBlock) block_.resize(kBlock);
      end_ = pread_fully(fd_, block_, offset_, file_);
      offset_ += end_;
      at_ = 0;
      if (end_ == 0) return -1;
    }
    return std::to_integer<int>(block_[at_++]);
  }

  int next_after_space() {
    int c = next();
    while (is_space(c)) c = next();
    return c;
  }

 private:
  // Nearly always enough; the others are for long arrays in front of what tells the kind.
  static constexpr std::size_t kFirstBlock = std::size_t{4} << 10U;
  static constexpr std::size_t kBlock = std::size_t{64} << 10U;

  int fd_;
  std::uint64_t offset_;
  std::string_view file_;
  std::vector<std::byte> block_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
};

// What follows an opening quote, as it is written, of what is too long for any key only the
// beginning. False where the string does not end.
bool take_string(Bytes& bytes, std::string& text) {
  constexpr std::size_t kMaxKey = 64;
  text.clear();
  for (;;) {
    const int c = bytes.next();
    if (c == '"') return true;
    if (c == -1 || (c == '\\' && bytes.next() == -1)) return false;
    if (text.size() < kMaxKey) text.push_back(static_cast<char>(c));
  }
}

// Goes past a value of the outermost object; the ',' or '}' behind it, or -1.
int skip_value(Bytes& bytes, std::string& scratch) {
  std::size_t depth = 0;
  for (;;) {
    const int c = bytes.next();
    if (c == -1) return -1;
    if (c == '"' && !take_string(bytes, scratch)) return -1;
    if (c == '[' || c == '{') ++depth;
    if (depth == 0 && (c == ',' || c == '}')) return c;
    if (c == ']' || c == '}') {
      if (depth == 0) return -1;
      --depth;
    }
  }
}

// Of an object whose '{' has been taken. Not a parser: it looks for the keys, and leaves everything
// that is not JSON to those who read the document.
FileKind kind_of_object(Bytes& bytes) {
  DocumentKeys keys;
  std::string text;
  for (;;) {
    if (bytes.next_after_space() != '"' || !take_string(bytes, text)) return FileKind::json;
    keys.add(text);
    if (keys.decided()) return keys.kind();
    const int end = skip_value(bytes, text);
    if (end == '}') return keys.kind();
    if (end == -1) return FileKind::json;
  }
}

std::string_view noun(FileKind kind) {
  switch (kind) {
    case FileKind::array:
      return "a .npy array";
    case FileKind::state:
      return "a state";
    case FileKind::cache:
      return "a cache of bn forward";
    case FileKind::part:
      return "a part of bn stats";
    case FileKind::json:
      return "JSON";
    case FileKind::empty:
    case FileKind::other:
    case FileKind::unreadable:
      break;
  }
  return {};
}

// "is a state, not a .npy array".
std::string mismatch_text(FileKind found, FileKind expected) {
  std::string text;
  if (found == FileKind::unreadable) {
    text = "may not be read, so that nobody can tell whether it is ";
  } else if (noun(found).empty()) {
    text = "is not ";
  } else {
    text.append("is ").append(noun(found));
    if (found == FileKind::json && is_document(expected)) text.append(" of another kind");
    text.append(", not ");
  }
  return text.append(noun(expected));
}

}  // namespace

bool is_document(FileKind kind) {
  return kind == FileKind::state || kind == FileKind::cache || kind == FileKind::part ||
         kind == FileKind::json;
}

std::span<const std::string_view> keys_of(FileKind document) {
  for (const Row& row : kRows) {
    if (row.kind == document) return row.keys;
  }
  throw std::invalid_argument("no document");
}

void DocumentKeys::add(std::string_view key) {
  any_ = true;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const unsigned bit = 1U << i;
    if (!contains(kRows.at(i).keys, key)) candidates_ &= ~bit;
    if (contains(kRows.at(i).marks, key)) marked_ |= bit;
  }
}

bool DocumentKeys::decided() const {
  constexpr unsigned kAll = (1U << kRows.size()) - 1;
  const unsigned left = candidates_ & kAll;
  const bool one = (left & (left - 1)) == 0;
  return left == 0 || (one && (marked_ & left) != 0);
}

FileKind DocumentKeys::kind() const {
  for (std::size_t i = 0; i < kRows.size() && any_; ++i) {
    const unsigned bit = 1U << i;
    if ((candidates_ & bit) == 0) continue;
    if ((marked_ & bit) != 0 || kRows.at(i).may_lack_marks) return kRows.at(i).kind;
  }
  return FileKind::json;
}

FileKind file_kind(int fd, std::uint64_t begin, std::string_view file) {
  std::array<std::byte, kNpyMagic.size()> head{};
  const std::size_t size = pread_fully(fd, head, begin, file);
  const std::string_view text(reinterpret_cast<const char*>(head.data()), size);
  if (text.empty()) return FileKind::empty;
  if (text == kNpyMagic) return FileKind::array;
  // No reader takes a document with a byte order mark, but what some editor put one in front of is
  // still its owner's state.
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  Bytes bytes(fd, begin + (text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0), file);
  return bytes.next_after_space() == '{' ? kind_of_object(bytes) : FileKind::other;
}

std::optional<FileKind> file_kind(const std::string& path) {
  return file_kind_in(AT_FDCWD, path, printable(path));
}

std::optional<FileKind> file_kind_in(int directory, const std::string& path,
                                     std::string_view file) {
  struct stat status {};
  if (::fstatat(directory, path.c_str(), &status, 0) != 0) {
    if (errno == ENOENT) return std::nullopt;
    throw system_error(file, "cannot open", errno);
  }
  if (!S_ISREG(status.st_mode)) return std::nullopt;
  // O_NONBLOCK: by now it may have become a pipe that nobody writes to.
  const Descriptor opened(uninterrupted([&] {
    return ::openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  }));
  if (!opened && errno == EACCES) return FileKind::unreadable;
  if (!opened) throw system_error(file, "cannot open", errno);
  return file_kind(opened.get(), 0, file);
}

bool may_replace(FileKind output, FileKind existing) {
  if (existing == FileKind::empty) return true;
  return output == FileKind::array ? !is_document(existing) : existing == output;
}

Error wrong_kind(std::string_view file, FileKind found, FileKind expected) {
  return input_error(file, mismatch_text(found, expected),
                     expected == FileKind::cache ? Cause::not_a_cache : Cause::other);
}

Error irreplaceable(std::string_view file, FileKind found, FileKind output) {
  return usage_error(file, mismatch_text(found, output), Cause::already_exists);
}

}  // namespace bn::io
