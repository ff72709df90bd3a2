#include "io/files/transaction.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <csignal>
#include <new>
#include <utility>

#include "support.hpp"
#include "system_calls.hpp"

using namespace bn::io;
using namespace bn::io::test;
using Names = std::vector<std::string>;

namespace {

void write_new(OutputFile& file) { file.append("new"); }

}  // namespace

TEST_CASE("The last output is synced, the others are renamed, then the last, and that is synced") {
  const Directory directory;
  Transaction transaction;
  transaction.add_last_output("s", "--state");
  transaction.add_output("y", "-o");
  transaction.add_output("c", "--cache");
  calls.clear();
  transaction.commit(write_new);
  CHECK(calls == Names{"sync file", "rename to y", "rename to c", "rename to s", "sync file",
                       "sync directory"});
  Transaction synced({.sync = true});
  synced.add_last_output("s", "--state");
  synced.add_output("y", "-o");
  calls.clear();
  synced.commit(write_new);
  CHECK(calls == Names{"sync file", "sync file", "rename to y", "sync file", "sync directory",
                       "rename to s", "sync file", "sync directory"});
  Transaction without({.sync = true});
  without.add_output("y", "-o");
  calls.clear();
  without.commit();
  CHECK(calls == Names{"sync file", "rename to y", "sync file", "sync directory"});
}

TEST_CASE("What is written directly is synced where it is a file, and where that is asked for") {
  const Directory directory;
  const auto does = [](const Names& expected, bool sync, int flags, const char* path) {
    const int status = status_of_child([&] {
      const Descriptor output(::open(path, flags, 0600));
      if (!output || ::dup2(output.get(), 1) != 1) ::_exit(98);
      Transaction transaction({.sync = sync});
      transaction.add_output("-", "-o").append("new");
      calls.clear();
      transaction.commit();
      ::_exit(calls == expected ? 0 : 97);
    });
    return exited_with(status, 0);
  };
  CHECK(does({"sync file"}, true, O_WRONLY | O_CREAT, "y"));
  CHECK(read_file("y") == "new");
  CHECK(does({}, false, O_WRONLY, "y"));
  CHECK(does({}, true, O_WRONLY, "/dev/null"));  // has nothing to be synced
}

TEST_CASE("Outputs become visible together") {
  const Directory directory;
  write_file("y", "old");
  Transaction transaction;
  transaction.add_output("y", "-o").append("new");
  transaction.add_output("c", "--cache").append("cache");
  transaction.add_last_output("s", "--state");
  transaction.commit([](OutputFile& last) {
    CHECK(read_file("y") == "old");  // writing the last one may still fail
    last.append("state");
  });
  CHECK(Directory::names() == Names{"c", "s", "y"});
  CHECK(read_file("y") == "new");
  CHECK(read_file("c") == "cache");
  CHECK(read_file("s") == "state");
}

TEST_CASE("A signal between the renames waits until all are done") {
  const Directory directory;
  write_file("y", "old");
  write_file("s", "old");
  const int status = status_of_child([] {
    ::signal(SIGTERM, SIG_DFL);
    prepare_process();
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_last_output("s", "--state");
    const Override renaming(at_rename, [] { ::raise(SIGTERM); });
    transaction.commit(write_new);
    ::_exit(98);
  });
  CHECK(killed_by(status, SIGTERM));
  CHECK(Directory::names() == Names{"s", "y"});
  CHECK(read_file("y") == "new");
  CHECK(read_file("s") == "new");
}

TEST_CASE("A signal before the first rename leaves everything as it was") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  write_file("y", "old");
  const int status = status_of_child([] {
    ::signal(SIGTERM, SIG_DFL);
    prepare_process();
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_last_output("s", "--state");
    transaction.commit([](OutputFile&) { ::raise(SIGTERM); });
  });
  CHECK(killed_by(status, SIGTERM));
  CHECK(Directory::names() == Names{"y"});
  CHECK(read_file("y") == "old");
}

TEST_CASE("Without a commit, and when the last output cannot be written, nothing has changed") {
  const Directory directory;
  write_file("s", "old");
  {
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_last_output("s", "--state");
  }
  CHECK(Directory::names() == Names{"s"});
  {
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_last_output("s", "--state");
    CHECK_THROWS_AS(transaction.commit([](OutputFile&) { throw std::bad_alloc(); }),
                    std::bad_alloc);
  }
  CHECK(Directory::names() == Names{"s"});
  CHECK(read_file("s") == "old");
}

TEST_CASE("A last output that is not written stays as it was") {
  const Directory directory;
  write_file("s", "old");
  {
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_last_output("s", "--state");
    transaction.commit();
  }
  CHECK(Directory::names() == Names{"s", "y"});
  CHECK(read_file("s") == "old");
}

TEST_CASE("What is written directly has arrived before the last output is written") {
  const Directory directory;
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  const Descriptor reading(::open("pipe", O_RDONLY | O_NONBLOCK));
  Transaction transaction;
  transaction.add_output("y", "-o").append("new");
  transaction.add_output("pipe", "--cache").append("cache");
  transaction.add_last_output("s", "--state");
  transaction.commit([&](OutputFile&) {
    std::array<char, 9> got{};
    CHECK(::read(reading.get(), got.data(), got.size()) == 5);
    // The end of the pipe, and not EAGAIN: the writing end is closed.
    CHECK(::read(reading.get(), got.data(), got.size()) == 0);
    CHECK_FALSE(std::filesystem::exists("y"));
  });
  CHECK(read_file("y") == "new");
}

TEST_CASE("Two outputs, or an output and a protected file, are never the same file") {
  const Directory directory;
  write_file("s.json", "");
  REQUIRE(::symlink("y", "link") == 0);
  Transaction transaction;
  transaction.add_last_output("s.json", "--state");
  transaction.add_output("y", "-o");
  CHECK(error_of([&] { transaction.add_output("link", "--cache"); }) ==
        "usage: -o y and --cache link are the same file; every output needs its own");
  CHECK(error_of([&] { transaction.add_output("./s.json", "--cache"); }) ==
        "usage: --state s.json and --cache ./s.json are the same file; every output needs its own");
  transaction.add_output("/dev/null", "--dx");
  transaction.add_output("/dev/null", "--dgamma");
  Transaction second;
  second.protect("s.json", "--state");
  CHECK(error_of([&] {
          second.add_last_output("s.json", "--state-out");
        }).starts_with("usage: --state s.json and --state-out s.json are the same file"));
}

TEST_CASE("A protected file is called what its protector calls it") {
  const Directory directory;
  write_file("gamma.npy", "");
  Transaction transaction;
  transaction.protect_named("gamma.npy", "g (gamma of --state s)");
  CHECK(error_of([&] { transaction.add_output("./gamma.npy", "-o"); }) ==
        "usage: g (gamma of --state s) and -o ./gamma.npy are the same file; every output needs "
        "its own");
}

TEST_CASE("An output of a known kind replaces its own kind, and another one if that is wanted") {
  const Directory directory;
  for (const std::string name : {"a", "b"}) write_file(name, "\x93NUMPY");
  write_file("s", "{\"eps\": 1}");
  Transaction careful;
  careful.add_output("a", "-o", FileKind::array);
  CHECK(error_of([&] { careful.add_output("s", "--dx", FileKind::array); }) ==
        "usage: s: is a state, not a .npy array");
  CHECK(error_of([&] { careful.add_last_output("b", "--state-out", FileKind::state); }) ==
        "usage: b: is a .npy array, not a state");
  Transaction forced({.existing = OutputFile::Existing::replace});
  forced.add_output("s", "-o", FileKind::array).append("new");
  forced.commit();
  CHECK(read_file("s") == "new");
}

TEST_CASE("Standard input is protected by nobody, for no output could be it") {
  const Directory directory;
  Transaction transaction;
  transaction.protect("-", "--cache");
  transaction.add_output("/dev/null", "-o");
  transaction.commit();
  CHECK(exited_with(status_of_child([] {
                      ::dup2(::open("y", O_WRONLY | O_CREAT, 0600), 1);
                      Transaction both;
                      both.protect("-", "--cache");
                      both.add_output("-", "-o").append("new");
                      both.commit();
                    }),
                    0));
  CHECK(read_file("y") == "new");
}

TEST_CASE("A transaction has at most one last output, and writes none that it does not have") {
  const Directory directory;
  Transaction transaction;
  CHECK_THROWS_AS(transaction.commit(write_new), std::logic_error);
  transaction.add_last_output("s", "--state");
  CHECK_THROWS_AS(transaction.add_last_output("t", "--state"), std::logic_error);
}
