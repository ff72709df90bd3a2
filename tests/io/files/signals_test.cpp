#include "io/files/signals.hpp"

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <thread>

#include "support.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

void say_cleaned() { static_cast<void>(!::write(3, "cleaned ", 8)); }

/// A child whose signals have their default actions and are caught; what it and the handler write
/// to descriptor 3, and how it ended.
struct Child {
  template <class Call>
  explicit Child(Call call) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    status = status_of_child([&] {
      ::dup2(ends[1], 3);
      for (const int signal_number : {SIGTERM, SIGINT, SIGABRT}) ::signal(signal_number, SIG_DFL);
      catch_ending_signals(say_cleaned);
      call();
      ::_exit(98);
    });
    ::close(ends[1]);
    std::array<char, 100> buffer{};
    said.assign(buffer.data(), static_cast<std::size_t>(::read(ends[0], buffer.data(), 100)));
    ::close(ends[0]);
  }

  static void say(const char* text) {
    static_cast<void>(!::write(3, text, std::string_view(text).size()));
  }

  std::string said;
  int status = 0;
};

}  // namespace

TEST_CASE("A signal cleans up and ends the process by that signal") {
  const Child child([] { ::raise(SIGTERM); });
  CHECK(child.said == "cleaned ");
  CHECK(killed_by(child.status, SIGTERM));
}

TEST_CASE("A signal that is handled already is left alone") {
  const Child child([] {
    ::signal(SIGUSR1, [](int) { Child::say("mine "); });
    catch_ending_signals(say_cleaned);
    ::raise(SIGUSR1);
  });
  CHECK(child.said == "mine ");
  CHECK(exited_with(child.status, 98));
}

TEST_CASE("A held signal waits for the end of the outermost hold") {
  const Child child([] {
    const auto outer = std::make_unique<SignalHold>();
    {
      const SignalHold inner;
      ::raise(SIGTERM);
      Child::say("inner ");
    }
    Child::say("outer ");
  });
  CHECK(child.said == "inner outer cleaned ");
  CHECK(killed_by(child.status, SIGTERM));
}

TEST_CASE("A signal that another thread gets waits, too") {
  const Child child([] {
    std::thread other([] {
      for (;;) ::pause();
    });
    {
      const SignalHold hold;
      ::kill(::getpid(), SIGINT);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      Child::say("held ");
    }
    Child::say("not reached ");
  });
  CHECK(child.said == "held cleaned ");
  CHECK(killed_by(child.status, SIGINT));
}

TEST_CASE("abort() ends also a process that holds the signals") {
  const Child child([] {
    const SignalHold hold;
    std::abort();
  });
  CHECK(child.said == "cleaned ");
  CHECK(killed_by(child.status, SIGABRT));
}

TEST_CASE("A second signal does not cut the cleaning up short") {
  const Child child([] {
    catch_ending_signals([] {
      ::raise(SIGTERM);
      ::raise(SIGINT);
      Child::say("cleaned ");
    });
    ::raise(SIGTERM);
  });
  CHECK(child.said == "cleaned ");
  CHECK(WIFSIGNALED(child.status));
}
