// How a computation is run.
#pragma once

#include <cstddef>
#include <functional>

#include "bn/arrays/machine.hpp"

namespace bn {

/// How to run. Nothing here can change a bit of any result.
struct Execution {
  unsigned threads = 0;  ///< 0: every core of the machine
  Machine machine = this_machine();
  /// Called when a tile has been loaded, from any thread, also at the same time: bytes read so far
  /// (not always ascending) and in all; an array that is read twice counts twice.
  std::function<void(std::size_t done, std::size_t total)> progress = {};
};

}  // namespace bn
