// Threads, and nothing else about them anywhere.
#pragma once

#include <cstddef>
#include <functional>

namespace bn {

/// The cores that this process may use: its affinity mask, and the CPU quota of its control group.
[[nodiscard]] unsigned usable_cores();

/// Calls work(thread, item) once for every item in [0, items), handed out in ascending order to at
/// most `threads` threads, of which the caller is number 0. Where a thread cannot be started the
/// others do its work. An exception stops the handing out and is thrown on once every thread has
/// finished.
void parallel_for(unsigned threads, std::size_t items,
                  const std::function<void(unsigned thread, std::size_t item)>& work);

}  // namespace bn
