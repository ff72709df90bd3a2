// Where values come from and where results go. The computation knows arrays only through these two:
// memory implements them in memory.hpp, files in the I/O layer.
#pragma once

#include <cstddef>

#include "bn/arrays/dtype.hpp"
#include "bn/arrays/view.hpp"

namespace bn {

/// Rows of a tile in memory, native byte order; row r starts at data + r * stride (bytes).
struct Rows {
  const std::byte* data = nullptr;
  std::size_t stride = 0;
};

struct MutableRows {
  std::byte* data = nullptr;
  std::size_t stride = 0;
  bool non_temporal = false;  ///< of an array so large that no cache keeps what is written
};

/// A tile's values.
struct Block {
  Dtype dtype{};
  Rows rows;
};

/// An array that can be read a tile at a time.
class Source {
 public:
  virtual ~Source() = default;
  [[nodiscard]] virtual Dtype dtype() const = 0;
  /// A stream: every element can be loaded once, tiles in memory order, by one thread.
  /// Any other source may be loaded by several threads, in any order, more than once.
  [[nodiscard]] virtual bool sequential() const { return false; }
  /// True where load() fills `scratch`; false where it points into memory and needs none.
  [[nodiscard]] virtual bool copies() const = 0;
  /// The tile's rows, in `scratch` (room for the whole tile) or where they already are.
  [[nodiscard]] virtual Rows load(const View& view, const Tile& tile, std::byte* scratch) = 0;
};

/// An array that is written a tile at a time; every element exactly once.
class Sink {
 public:
  virtual ~Sink() = default;
  [[nodiscard]] virtual Dtype dtype() const = 0;
  /// A stream: tiles have to be stored in memory order, by one thread, and what is stored has left.
  [[nodiscard]] virtual bool sequential() const { return false; }
  /// True where place() returns `scratch`; false where it points into the array itself.
  [[nodiscard]] virtual bool copies() const = 0;
  /// Makes room. Called at most once, by any thread, before the first place().
  virtual void reserve() {}
  /// Where to write the tile's rows: `scratch` (room for the whole tile) or the array's own memory.
  [[nodiscard]] virtual MutableRows place(const View& view, const Tile& tile,
                                          std::byte* scratch) = 0;
  /// The rows that place() returned are filled.
  virtual void store(const View& view, const Tile& tile, MutableRows rows) = 0;
};

}  // namespace bn
