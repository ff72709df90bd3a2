// The one place where threads are started.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace bn {

/// Threads for one loop after another: starting them costs more than a short loop. For one caller
/// at a time, who is not at work for it already.
class Team {
 public:
  Team() = default;
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  ~Team();

  using Work = std::function<void(unsigned thread, std::size_t item)>;

  /// Calls work(thread, item) once for every item in [0, items), handed out in ascending order to
  /// at most `threads` threads, of which the caller is number 0. Where a thread cannot be started
  /// the others do its work. An exception stops the handing out and is thrown on once every thread
  /// has finished.
  void for_each(unsigned threads, std::size_t items, const Work& work);

 private:
  void start_helpers(std::size_t wanted);
  void help(unsigned thread, unsigned done);
  void take_items(unsigned thread);

  // One loop; written while no helper works.
  const Work* work_ = nullptr;
  std::size_t items_ = 0;
  std::size_t wanted_ = 0;  ///< threads
  std::atomic<std::size_t> next_{0};
  std::mutex mutex_;
  std::exception_ptr failure_;

  std::atomic<unsigned> loops_{0};  ///< begun so far, or the sign to end
  std::atomic<unsigned> busy_{0};   ///< helpers that have not finished the current loop
  std::vector<std::thread> helpers_;
};

}  // namespace bn
