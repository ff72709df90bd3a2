#include "io/documents/state_lock.hpp"

#include <sys/file.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "io/error.hpp"

namespace bn::io {

namespace {

using Clock = std::chrono::steady_clock;

std::string seconds_text(std::chrono::duration<double> duration) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%g", duration.count());
  return buffer.data();
}

// Waits for the lock by asking again and again: a blocking flock() could only be ended by a
// signal, and those belong to the program.
void lock(const InputFile& file, Clock::time_point start, std::chrono::duration<double> timeout) {
  constexpr std::chrono::milliseconds kMaxPause{20};
  std::chrono::milliseconds pause{1};
  while (::flock(file.fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) throw system_error(file.name, "cannot lock", errno);
    if (Clock::now() - start >= timeout) {
      throw system_error(file.name,
                         "is still locked by another process after " + seconds_text(timeout) +
                             " s; run again later",
                         Cause::locked);
    }
    std::this_thread::sleep_for(pause);
    pause = std::min(pause * 2, kMaxPause);
  }
}

}  // namespace

StateLock::StateLock(const std::string& path, std::chrono::duration<double> timeout) {
  const Clock::time_point start = Clock::now();
  for (;;) {
    file_ = open_input(path);
    lock(file_, start, timeout);
    struct stat now {};
    if (::stat(path.c_str(), &now) != 0) throw system_error(file_.name, "cannot examine", errno);
    if (now.st_dev == file_.status.st_dev && now.st_ino == file_.status.st_ino) return;
  }
}

}  // namespace bn::io
