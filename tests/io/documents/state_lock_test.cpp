#include "io/documents/state_lock.hpp"

#include <sys/file.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>

#include "support.hpp"
#include "system_calls.hpp"

using namespace bn::io;
using namespace bn::io::test;
using namespace std::chrono_literals;

namespace {

/// A process that holds the lock until it is killed.
class Holder {
 public:
  Holder() {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    child_ = ::fork();
    if (child_ == 0) {
      const StateLock lock("s.json", 60s);
      static_cast<void>(!::write(ends[1], "x", 1));
      for (;;) ::pause();
    }
    char ready = 0;
    REQUIRE(::read(ends[0], &ready, 1) == 1);
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { kill(); }
  void kill() {
    if (child_ < 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }
  void stop() const { ::kill(child_, SIGSTOP); }

 private:
  pid_t child_ = -1;
};

}  // namespace

TEST_CASE("A state that is removed while its lock is waited for is an error") {
  const Directory directory;
  write_file("s.json", "{}");
  const Override locking(at_flock, [] { std::filesystem::remove("s.json"); });
  CHECK(error_of([] { const StateLock lock("s.json", 60s); }) ==
        "system: s.json: cannot examine: No such file or directory");
}

TEST_CASE("A state that is replaced between opening and locking is opened again") {
  const Directory directory;
  write_file("s.json", "old");
  const Override locking(at_flock, [] {
    write_file("t.json", "new");
    std::filesystem::rename("t.json", "s.json");
  });
  const StateLock lock("s.json", 60s);
  CHECK(read_text(lock.file(), FileKind::state) == "new");
}

TEST_CASE("Locks that the system does not have are an error, an interrupted call is none") {
  const Directory directory;
  write_file("s.json", "{}");
  const Override missing(error_of_flock, ENOLCK);
  CHECK(error_of([] { const StateLock lock("s.json", 60s); }) ==
        "system: s.json: cannot lock: No locks available");
  const Override interrupted(error_of_flock, EINTR);
  const StateLock lock("s.json", 0s);
  CHECK(error_of([] { const StateLock second("s.json", 0s); }).find("is still locked") !=
        std::string::npos);
}

TEST_CASE("A lock that is not released in time is an error of the system") {
  const Directory directory;
  write_file("s.json", "{}");
  const Holder holder;
  holder.stop();
  CHECK(error_of([] { const StateLock lock("s.json", 0.2s); }) ==
        "system: s.json: is still locked by another process after 0.2 s; run again later");
  CHECK(cause_of([] { const StateLock lock("s.json", 0s); }) == Cause::locked);
}

TEST_CASE("When the holder is killed the next one goes on at once") {
  const Directory directory;
  write_file("s.json", "{}");
  Holder holder;
  holder.kill();
  const StateLock lock("s.json", 0s);
  CHECK(read_text(lock.file(), FileKind::state) == "{}");
}

TEST_CASE("A lock on a file that has been replaced meanwhile does not count") {
  const Directory directory;
  write_file("s.json", "old");
  const int status = status_of_child([] {
    auto lock = std::make_unique<StateLock>("s.json", 60s);
    const pid_t waiter = ::fork();
    if (waiter == 0) {
      lock.reset();  // this process's share of it; the other one still holds the lock
      const StateLock next("s.json", 60s);
      ::_exit(read_text(next.file(), FileKind::state) == "new" ? 0 : 97);
    }
    ::usleep(100000);  // the other one waits for the lock of the old file by now
    write_file("t.json", "new");
    std::filesystem::rename("t.json", "s.json");
    lock.reset();
    int waited = 0;
    ::waitpid(waiter, &waited, 0);
    ::_exit(WEXITSTATUS(waited));
  });
  CHECK(exited_with(status, 0));
}
