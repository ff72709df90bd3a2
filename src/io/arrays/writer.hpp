// Arrays into .npy files and pipes, a tile at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bn/arrays/array.hpp"
#include "io/arrays/array_header.hpp"
#include "io/files/output_file.hpp"

namespace bn::io {

/// Throws Error (usage) where an array would be written to a terminal, which takes its bytes for
/// commands. To call before anything is computed.
void refuse_terminal(const OutputFile& file);

/// Writes one .npy file, little-endian, byte for byte as numpy.save would. `file` must outlive it
/// and is finished and committed by the transaction it belongs to.
class ArrayWriter final : public Sink {
 public:
  /// Writes the header. header.byte_order must be little. In a stream the header leaves with the
  /// first values: who fails before has written nothing.
  ArrayWriter(OutputFile& file, const ArrayHeader& header);

  [[nodiscard]] Dtype dtype() const override { return header_.dtype; }
  [[nodiscard]] bool sequential() const override { return file_.sequential(); }
  [[nodiscard]] bool copies() const override { return true; }
  void reserve() override;
  [[nodiscard]] MutableRows place(const View& view, const Tile& tile, std::byte* scratch) override;
  void store(const View& view, const Tile& tile, MutableRows rows) override;

 private:
  /// Data at their place in the array, which in a stream has to be where it stands.
  void write(std::uint64_t offset, std::span<const std::byte> bytes);

  OutputFile& file_;
  ArrayHeader header_;
  std::uint64_t data_offset_ = 0;
  std::string waiting_;         ///< the header that has not left yet, where sequential
  std::uint64_t streamed_ = 0;  ///< bytes of data appended so far, where sequential
};

/// A whole float64 array of shape (C,): dgamma, dbeta.
void write_vector(OutputFile& file, std::span<const double> values);

}  // namespace bn::io
