// One update of a state file at a time, among all processes that lock it.
#pragma once

#include <chrono>
#include <string>

#include "io/files/input_file.hpp"

namespace bn::io {

/// Holds the exclusive lock of the file that `path` leads to, until destroyed. The file is replaced
/// by every update, so a lock that was waited for may be one on a file of the past: it counts only
/// once the path still leads to the file that was locked.
class StateLock {
 public:
  /// Throws Error (system) where the file cannot be opened, and after `timeout`.
  StateLock(const std::string& path, std::chrono::duration<double> timeout);

  /// The locked file, to be read.
  [[nodiscard]] const InputFile& file() const { return file_; }

 private:
  InputFile file_;
};

}  // namespace bn::io
