// Arrays from .npy files and pipes, a tile at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bn/arrays/array.hpp"
#include "io/arrays/npy.hpp"
#include "io/error.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

/// One .npy array. A regular file (standard input redirected from one, too) is read with pread, so
/// that every tile can be loaded at any time by any thread and somebody who truncates the file
/// causes an error and no signal. Anything else is a stream: sequential(), until it is spooled.
class ArrayReader final : public Source {
 public:
  /// Opens `path`, "-" being standard input; reads and checks the header and, of a regular file,
  /// that its size is exactly header and data. Throws Error: system for what cannot be opened and
  /// for a directory, usage for a terminal, input for the content.
  explicit ArrayReader(const std::string& path);

  /// How messages call it: the path made printable, or "standard input".
  [[nodiscard]] const std::string& name() const { return file_.name; }
  [[nodiscard]] const ArrayHeader& header() const { return header_; }

  /// The view of the array in its memory order. Throws Error (input) for a rank below 2 and an axis
  /// that it does not have.
  [[nodiscard]] View view(std::ptrdiff_t axis) const;
  /// "(2, 3, 64, 96)".
  [[nodiscard]] std::string shape() const { return shape_text(header_.shape); }

  [[nodiscard]] Dtype dtype() const override { return header_.dtype; }
  [[nodiscard]] bool sequential() const override { return stream_; }
  [[nodiscard]] bool copies() const override { return true; }
  /// Throws Error: input where a stream ends early, system where reading fails and where a file has
  /// been truncated since it was opened.
  [[nodiscard]] Rows load(const View& view, const Tile& tile, std::byte* scratch) override;

  /// Makes a stream random access: copies it to an unnamed temporary file, in little memory, and
  /// checks its length. Before the first load(); nothing to do where sequential() is false.
  void spool();

  /// Makes the array lie in the other memory order, header() included, by writing it to an unnamed
  /// temporary file; nothing to do where it already lies so. Takes 32 MiB of memory and, for every
  /// 32 MiB of the array, one pass over it: made for the odd pair of x and dy, not for every day.
  void reorder(Order order);

  /// To call after the last load(): throws Error (system) where a file has changed since it was
  /// opened (size or time of modification), (input) where something follows the data of a stream.
  void finish();

 private:
  void read_header();
  void expect_end_of_stream();
  [[nodiscard]] Error ends_early(std::uint64_t got) const;

  InputFile file_;
  ArrayHeader header_;
  bool stream_ = false;
  bool copied_ = false;             ///< file_.fd is one of our own
  std::uint64_t header_bytes_ = 0;  ///< size of the header, for messages
  std::uint64_t data_offset_ = 0;   ///< of the first element in the file
  std::uint64_t streamed_ = 0;      ///< bytes of data read from a stream so far
};

/// The values of a one-dimensional array of any dtype as doubles: gamma, beta and their like.
/// Throws Error as ArrayReader, and (input) for another rank.
[[nodiscard]] std::vector<double> read_vector(const std::string& path);

/// What the first byte of a file says it is, for commands that take either. A file that cannot be
/// looked at without consuming it (a pipe, standard input) counts as an array.
enum class FileKind : std::uint8_t { array, json };
[[nodiscard]] FileKind file_kind(const std::string& path);

}  // namespace bn::io
