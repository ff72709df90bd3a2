#include "io/files/temporary.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <thread>

#include "support.hpp"
#include "system_calls.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

Descriptor here() { return Descriptor(::open(".", O_PATH | O_DIRECTORY)); }

}  // namespace

TEST_CASE("What somebody planted at the name of a temporary is neither followed nor touched") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  const Descriptor parent = here();
  const std::string first = ".bn-ccccccccccccc";
  write_file("victim", "precious");
  REQUIRE(::symlink("victim", first.c_str()) == 0);
  write_file(".bn-bbbbbbbbbbbbb", "somebody's");
  const Override names(predictable, 2);
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK(file.take_name() == 0);
    CHECK(predictable == 0);
    CHECK(Directory::names().size() == 4);
    CHECK(::write(file.fd(), "x", 1) == 1);
  }
  CHECK(Directory::names() == std::vector<std::string>{".bn-bbbbbbbbbbbbb", first, "victim"});
  CHECK(read_file("victim") == "precious");
  CHECK(read_file(".bn-bbbbbbbbbbbbb") == "somebody's");
}

TEST_CASE("A temporary has a name only where there are no files without one, or when it is asked") {
  const Directory directory;
  if (!has_unnamed_files()) return;
  const Descriptor parent = here();
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK_FALSE(file.has_name());
    CHECK(Directory::names().empty());
    CHECK(file.take_name() == 0);
    CHECK(file.take_name() == 0);
    CHECK(file.has_name());
    CHECK(Directory::names().size() == 1);
  }
  CHECK(Directory::names().empty());
  const Override unnamed(without_unnamed_files, true);
  {
    const Temporary file(parent.get(), 0600, "y");
    CHECK(file.has_name());
    CHECK(Directory::names().size() == 1);
  }
  CHECK(Directory::names().empty());
}

TEST_CASE("A file without a name gets one by /proc, or has one from the start") {
  const Directory directory;
  if (!has_unnamed_files()) return;
  const Descriptor parent = here();
  const Override by_descriptor(no_name_by_descriptor, true);
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK_FALSE(file.has_name());
    CHECK(file.rename_to("y", false) == 0);
    Temporary other(parent.get(), 0600, "y");
    CHECK(other.rename_to("y", false) == EEXIST);
  }
  const Override by_proc(no_name_by_proc, true);
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK(file.has_name());
    CHECK(file.rename_to("z", false) == 0);
  }
  CHECK(Directory::names() == std::vector<std::string>{"y", "z"});
}

TEST_CASE("Without random numbers there is no temporary name") {
  const Override unnamed(without_unnamed_files, true);
  const Directory directory;
  const Descriptor parent = here();
  const Override failing(error_of_getrandom, ENOSYS);
  CHECK(error_of([&] { const Temporary file(parent.get(), 0600, "y"); }) ==
        "system: getrandom: cannot name a temporary file: Function not implemented");
  CHECK(Directory::names().empty());
}

TEST_CASE("Signals remove the temporaries and then end the process by that signal") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  for (const int signal_number :
       {SIGHUP, SIGINT, SIGQUIT, SIGTRAP, SIGABRT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
        SIGSTKFLT, SIGXCPU, SIGIO, SIGPWR, SIGSYS, SIGVTALRM, SIGPROF, SIGRTMIN, SIGRTMAX}) {
    CAPTURE(signal_number);
    const int status = status_of_child([&] {
      ::signal(signal_number, SIG_DFL);  // Catch handles some, nohup ignores one
      prepare_process();
      const Descriptor parent = here();
      Temporary first(parent.get(), 0600, "y");
      Temporary second(parent.get(), 0600, "z");
      if (first.take_name() != 0 || Directory::names().empty()) ::_exit(98);
      ::raise(signal_number);
    });
    CHECK(killed_by(status, signal_number));
    CHECK(Directory::names().empty());
  }
}

TEST_CASE("No temporary survives a signal that arrives while another thread creates them") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  for (int round = 0; round < 50; ++round) {
    const int status = status_of_child([&] {
      ::signal(SIGTERM, SIG_DFL);  // which Catch handles
      prepare_process();
      const Descriptor parent = here();
      std::thread creator([&] {
        for (;;) {
          Temporary first(parent.get(), 0600, "y");
          Temporary second(parent.get(), 0600, "z");
          static_cast<void>(first.take_name());
        }
      });
      std::this_thread::sleep_for(std::chrono::microseconds(500 + 37 * round));
      ::kill(::getpid(), SIGTERM);
      creator.join();
    });
    REQUIRE(killed_by(status, SIGTERM));
    REQUIRE(Directory::names().empty());
  }
}

TEST_CASE("A signal that is ignored stays ignored") {
  const Directory directory;
  CHECK(exited_with(status_of_child([] {
                      ::signal(SIGHUP, SIG_IGN);
                      prepare_process();
                      ::raise(SIGHUP);
                    }),
                    0));
}

TEST_CASE("Closed standard descriptors are filled and can be neither read nor written") {
  CHECK(exited_with(status_of_child([] {
                      for (const int fd : {0, 1, 2}) ::close(fd);
                      prepare_process();
                      char c = 'x';
                      for (const int fd : {0, 1, 2}) {
                        if (::read(fd, &c, 1) != -1 || ::write(fd, &c, 1) != -1) ::_exit(98);
                      }
                      if (::open("/", O_RDONLY) < 3) ::_exit(97);
                    }),
                    0));
}

TEST_CASE("A renamed file is no temporary any more") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  const Descriptor parent = here();
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK(file.rename_to("y") == 0);
  }
  CHECK(Directory::names() == std::vector<std::string>{"y"});
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK(file.rename_to("y", false) == EEXIST);
    CHECK(file.rename_to("none/y") == ENOENT);
  }
  CHECK(Directory::names() == std::vector<std::string>{"y"});
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK(file.rename_to("z", false) == 0);
  }
  CHECK(Directory::names() == std::vector<std::string>{"y", "z"});
}

TEST_CASE("Where renaming always replaces, a new file is linked to its name") {
  const int error = GENERATE(EINVAL, ENOSYS, EPERM);
  const Override unnamed(without_unnamed_files, true);
  const Directory directory;
  const Descriptor parent = here();
  const Override failing(error_of_renameat2, error);
  {
    Temporary file(parent.get(), 0600, "y");
    CHECK(file.rename_to("y", false) == (error == EPERM ? EPERM : 0));
  }
  if (error != EPERM) {
    Temporary file(parent.get(), 0600, "y");
    CHECK(::write(file.fd(), "x", 1) == 1);
    CHECK(file.rename_to("y", false) == EEXIST);
    CHECK(read_file("y").empty());
    CHECK(file.rename_to("y") == 0);  // does not need it
    CHECK(read_file("y") == "x");
  }
  const std::vector<std::string> expected(error == EPERM ? 0 : 1, "y");
  CHECK(Directory::names() == expected);
}

TEST_CASE("A name is tried for 100 times") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  const Descriptor parent = here();
  for (const char letter : std::string("abcdefghijklmnopqrstuvwxyz234567")) {
    write_file(".bn-" + std::string(13, letter), "");
  }
  const auto made_after = [&](int attempts) {
    const Override names(predictable, attempts);
    const std::string error = error_of([&] {
      Temporary file(parent.get(), 0600, "y");
      const int number = file.take_name();
      if (number != 0) throw system_error("y", "cannot name", number);
    });
    CHECK(predictable == 0);
    return error;
  };
  CHECK(made_after(99) == "nothing");
  CHECK(made_after(100).ends_with(": File exists"));
  CHECK(Directory::names().size() == 32);
}

TEST_CASE("There are as many temporaries as slots and no more") {
  const Directory directory;
  const Descriptor parent = here();
  std::vector<std::unique_ptr<Temporary>> files;
  for (int i = 0; i < 16; ++i) {
    files.push_back(std::make_unique<Temporary>(parent.get(), 0600, "y"));
  }
  CHECK_THROWS_AS(Temporary(parent.get(), 0600, "y"), std::logic_error);
  files.clear();
  CHECK(Directory::names().empty());
  const Temporary again(parent.get(), 0600, "y");
}

TEST_CASE("A directory that takes no files is named in the message") {
  const Directory directory;
  const Descriptor parent(::open("/proc/self", O_PATH | O_DIRECTORY));
  CHECK(error_of([&] {
          const Temporary file(parent.get(), 0600, "y");
        }).starts_with("system: y: cannot create a temporary file beside it: "));
}

TEST_CASE("An empty $TMPDIR is none") {
  CHECK(exited_with(status_of_child([] {
                      ::setenv("TMPDIR", "d", 1);
                      if (temporary_directory() != "d") ::_exit(98);
                      ::setenv("TMPDIR", "", 1);
                      if (temporary_directory() != "/tmp") ::_exit(97);
                      ::unsetenv("TMPDIR");
                      if (temporary_directory() != "/tmp") ::_exit(96);
                    }),
                    0));
}

TEST_CASE("An unnamed file lies in $TMPDIR, where nobody sees it") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  CHECK(exited_with(status_of_child([] {
                      ::setenv("TMPDIR", ".", 1);
                      const Descriptor file = open_unnamed_file();
                      if (!Directory::names().empty()) ::_exit(98);
                      struct stat here {};
                      struct stat there {};
                      if (::stat(".", &here) != 0 || ::fstat(file.get(), &there) != 0) ::_exit(97);
                      if (here.st_dev != there.st_dev || there.st_nlink != 0) ::_exit(96);
                      if (::write(file.get(), "x", 1) != 1) ::_exit(95);
                    }),
                    0));
  CHECK(
      exited_with(status_of_child([] {
                    ::setenv("TMPDIR", "none", 1);
                    const std::string error = error_of([] { return open_unnamed_file(); });
                    if (!error.starts_with(without_unnamed_files
                                               ? "system: none: cannot open: No such file"
                                               : "system: none: cannot create a temporary file")) {
                      ::_exit(98);
                    }
                  }),
                  0));
}
