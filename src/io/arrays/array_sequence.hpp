// Several arrays in one file or stream.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "io/arrays/reader.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

/// The arrays of a file, one behind the other, as numpy.save writes them when it is called again
/// and again for one open file.
class ArraySequence {
 public:
  /// Opens `path`, "-" being standard input. Throws as ArrayReader.
  explicit ArraySequence(const std::string& path);

  /// The next array, at first the first, which has to be there; none behind the last. Messages call
  /// the second one "x.npy, array 2". It uses this sequence's descriptor; of a stream it has to be
  /// spooled before the next one is asked for. Throws as ArrayReader.
  [[nodiscard]] std::optional<ArrayReader> next();

 private:
  InputFile file_;
  std::size_t found_ = 0;
};

}  // namespace bn::io
