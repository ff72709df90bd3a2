// Arrays from files and pipes, a tile at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bn/arrays/array.hpp"
#include "io/arrays/stored_array.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

/// One array in a file. A regular file (standard input redirected from one, too) is read with
/// pread, so that every tile can be loaded at any time by any thread and somebody who truncates the
/// file causes an error and no signal. Anything else is a stream: sequential(), until it is
/// spooled.
class ArrayReader final : public Source {
 public:
  /// Opens `path`, "-" being standard input; reads and checks the header and, of a regular file,
  /// that its size is exactly header and data. Throws Error: system for what cannot be opened and
  /// for a directory, usage for a terminal, input for the content.
  explicit ArrayReader(const std::string& path);
  /// One of several arrays in a file; what follows it is not looked at.
  ArrayReader(InputFile file, StoredArray array);

  /// How messages call it: the path made printable, or "standard input".
  [[nodiscard]] const std::string& name() const { return file_.name; }
  [[nodiscard]] const ArrayHeader& header() const { return array_.header; }

  /// The view of the array in its memory order. Throws Error (input) for a rank below 2 and an axis
  /// that it does not have, which messages call `axis_name`: "--axis", "the axis of state.json".
  [[nodiscard]] View view(std::ptrdiff_t axis,
                          std::string_view axis_name = "the channel axis") const;
  /// "(2, 3, 64, 96)".
  [[nodiscard]] std::string shape() const { return shape_text(header().shape); }

  [[nodiscard]] Dtype dtype() const override { return header().dtype; }
  [[nodiscard]] bool sequential() const override { return stream_; }
  [[nodiscard]] bool copies() const override { return true; }
  /// Throws Error: input where a stream ends early, system where reading fails and where a file has
  /// been truncated since it was opened; input, too, for a bool that is neither 0 nor 1.
  [[nodiscard]] Rows load(const View& view, const Tile& tile, std::byte* scratch) override;

  /// Makes a stream random access: copies it to an unnamed temporary file, in little memory, and
  /// checks its length. Before the first load(); nothing to do where sequential() is false.
  void spool();

  /// Makes the array lie in the other memory order, header() included, by writing it to an unnamed
  /// temporary file; nothing to do where it already lies so. As expensive as reordered_copy(): made
  /// for the odd pair of x and dy, not for every day.
  void reorder(Order order);

  /// To call after the last load(): throws Error (system) where a file has changed since it was
  /// opened (size or time of modification), (input) where something follows the data of a stream.
  void finish();

 private:
  /// Fills `bytes` with the data from `offset` on, which in a stream has to be where it stands.
  void read(std::uint64_t offset, std::span<std::byte> bytes);
  /// Of bools: throws for a byte that is neither 0 nor 1.
  void require_bools(std::uint64_t offset, std::span<const std::byte> bytes) const;
  void expect_end_of_stream();
  /// Header and data.
  [[nodiscard]] std::uint64_t expected_bytes() const;
  [[nodiscard]] std::string copy_name() const;
  /// From now on the data are those of an unnamed file.
  void continue_with(Descriptor copy);

  InputFile file_;
  StoredArray array_;
  bool last_ = true;  ///< nothing may follow the data
  bool stream_ = false;
  bool copied_ = false;           ///< file_.fd is one of our own
  std::uint64_t data_begin_ = 0;  ///< of the first element in file_.fd, where that is not a stream
  std::uint64_t streamed_ = 0;    ///< bytes of data read from a stream so far
};

/// Which values of channels are sound: all finite ones, or those that a variance can have.
enum class Sign : std::uint8_t { any, not_negative };

/// One value per channel as doubles, any of them NaN or infinite. From an array of any dtype, of
/// the shape (C,) or with any number of dimensions of 1 besides, as (1, C, 1, 1). Throws Error
/// (input) for other shapes, rank 0 among them.
[[nodiscard]] std::vector<double> read_vector(ArrayReader& reader);

/// The same of gamma, beta and their like, from a file. Throws Error as ArrayReader, and (input)
/// for values that are not finite or have the wrong sign.
[[nodiscard]] std::vector<double> read_vector(const std::string& path, Sign sign = Sign::any);

}  // namespace bn::io
