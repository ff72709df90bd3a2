#include "io/files/transaction.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <array>

#include "io/arrays/writer.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;
using Names = std::vector<std::string>;

namespace {

const std::string state_text =
    "{\"mode\": \"train\", \"gamma\": [1], \"running_mean\": [2.0], \"running_var\": [3.0]}";

void count_one(RunningStatistics& running) { ++running.num_batches_tracked; }

/// What the calls below have been asked to do, in order.
std::vector<std::string> calls;

/// One run that counts a batch in the state.
void update(const std::string& path) {
  const State state = read_state(path);
  Transaction transaction;
  transaction.add_state(state, "--state");
  transaction.commit(1, count_one);
}

}  // namespace

// In place of the C library's, so that a test can see their order.
extern "C" int fsync(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  calls.emplace_back(S_ISDIR(status.st_mode) ? "sync directory" : "sync file");
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int renameat(int from_directory, const char* from, int to_directory,
                        const char* to) noexcept {
  calls.push_back("rename to " + std::string(to));
  return static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, 0));
}

TEST_CASE("The state is synced, then the outputs are renamed, then the state, and that is synced") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_state(state, "--state");
  transaction.add_output("y", "-o");
  transaction.add_output("c", "--cache");
  calls.clear();
  transaction.commit(1, count_one);
  CHECK(calls ==
        Names{"sync file", "rename to y", "rename to c", "rename to s.json", "sync directory"});
  Transaction synced({.sync = true, .lock_timeout = std::chrono::seconds(1)});
  synced.add_output("y", "-o");
  calls.clear();
  synced.commit();
  CHECK(calls == Names{"sync file", "rename to y", "sync directory"});
}

TEST_CASE("Outputs and the state become visible together") {
  const Directory directory;
  write_file("s.json", state_text);
  write_file("y", "old");
  const State state = read_state("s.json");
  Transaction transaction;
  OutputFile& y = transaction.add_output("y", "-o");
  transaction.add_output("c", "--cache").append("cache");
  transaction.add_state(state, "--state");
  y.append("new");
  CHECK(read_file("y") == "old");
  CHECK(read_file("s.json") == state_text);
  transaction.commit(1, [](RunningStatistics& running) {
    CHECK(running.running_mean == std::vector<double>{2});
    CHECK(read_file("y") == "old");  // the update still may fail
    running = {.running_mean = {4}, .running_var = {5}, .num_batches_tracked = 1};
  });
  CHECK(Directory::names() == Names{"c", "s.json", "y"});
  CHECK(read_file("y") == "new");
  CHECK(read_file("c") == "cache");
  CHECK(read_file("s.json") ==
        "{\n  \"mode\": \"train\",\n  \"gamma\": [1],\n  \"running_mean\": [4.0],\n  "
        "\"running_var\": [5.0],\n  \"num_batches_tracked\": 1\n}\n");
}

TEST_CASE("Without a commit, and when the update fails, nothing has changed") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  {
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_state(state, "--state");
  }
  CHECK(Directory::names() == Names{"s.json"});
  {
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    transaction.add_state(state, "--state");
    CHECK_THROWS_AS(transaction.commit(1, [](RunningStatistics&) { throw std::bad_alloc(); }),
                    std::bad_alloc);
  }
  CHECK(Directory::names() == Names{"s.json"});
  CHECK(read_file("s.json") == state_text);
}

TEST_CASE("A state that is added but not changed is not written") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_output("y", "-o");
  transaction.add_state(state, "--state");
  transaction.commit();
  CHECK(read_file("s.json") == state_text);
}

TEST_CASE("The updated state can go to another file") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.protect("s.json", "--state");
  transaction.add_state(state, "t.json", "--state-out");
  transaction.commit(1, count_one);
  CHECK(read_file("s.json") == state_text);
  CHECK(read_state("t.json").num_batches_tracked == 1);
}

TEST_CASE("A state that goes to another directory still refers to its .npy files") {
  const Directory directory;
  ::mkdir("d", 0700);
  {
    Transaction transaction;
    const std::vector<double> one = {1};
    write_vector(transaction.add_output("gamma.npy", "-o"), one);
    transaction.commit();
  }
  write_file("s.json", R"({"gamma": "gamma.npy"})");
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_state(state, "d/t.json", "--state-out");
  transaction.commit(1, count_one);
  CHECK(read_state("d/t.json").gamma == std::vector<double>{1});
}

TEST_CASE("Two outputs, or an output and the state, are never the same file") {
  const Directory directory;
  write_file("s.json", state_text);
  REQUIRE(::symlink("y", "link") == 0);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_state(state, "--state");
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
          second.add_state(state, "s.json", "--state-out");
        }).starts_with("usage: --state s.json and --state-out s.json are the same file"));
}

TEST_CASE("A state behind links is replaced where it lies") {
  const Directory directory;
  ::mkdir("d", 0700);
  write_file("d/s.json", state_text);
  ::chmod("d/s.json", 0640);
  REQUIRE(::symlink("d/s.json", "s.json") == 0);
  update("s.json");
  CHECK(std::filesystem::is_symlink("s.json"));
  CHECK(read_state("d/s.json").num_batches_tracked == 1);
  struct stat status {};
  REQUIRE(::stat("d/s.json", &status) == 0);
  CHECK((status.st_mode & 0777U) == 0640);
}

TEST_CASE("A state that leads elsewhere by now is not overwritten") {
  const Directory directory;
  write_file("a.json", state_text);
  write_file("b.json", state_text);
  REQUIRE(::symlink("a.json", "s.json") == 0);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_state(state, "--state");
  std::filesystem::remove("s.json");
  REQUIRE(::symlink("b.json", "s.json") == 0);
  CHECK(error_of([&] { transaction.commit(1, count_one); }) ==
        "system: s.json: leads to another file than when it was read; run again");
  CHECK(read_file("a.json") == state_text);
  CHECK(read_file("b.json") == state_text);
}

TEST_CASE("The update starts from what the state holds now, not from what was read") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_state(state, "--state");
  update("s.json");
  update("s.json");
  transaction.commit(1, count_one);
  CHECK(read_state("s.json").num_batches_tracked == 3);
}

TEST_CASE("Parameters or conventions that were changed meanwhile stop the update") {
  const Directory directory;
  const std::vector<std::pair<std::string, std::string>> changes = {
      {"axis", "\"axis\": 0"},
      {"eps", "\"eps\": 1e-3"},
      {"momentum", "\"momentum\": 0.5"},
      {"momentum_weights", "\"momentum_weights\": \"batch\""},
      {"running_var_estimator", "\"running_var_estimator\": \"unbiased\""},
      {"gamma", "\"gamma\": [-0.0]"},
      {"beta", "\"beta\": [0]"}};
  for (const auto& [key, member] : changes) {
    write_file("s.json", "{\"gamma\": [0], \"metadata\": 1}");
    const State state = read_state("s.json");
    Transaction transaction;
    transaction.add_output("y", "-o");
    transaction.add_state(state, "--state");
    const std::string changed =
        key == "gamma" ? "{" + member + "}" : "{\"gamma\": [0], " + member + "}";
    write_file("s.json", changed);
    CHECK(error_of([&] { transaction.commit(1, count_one); }) ==
          "input: s.json: " + key +
              " has been changed by another program while this one computed with its old value; "
              "run again");
    CHECK(read_file("s.json") == changed);
    CHECK_FALSE(std::filesystem::exists("y"));
  }
}

TEST_CASE("Channels that do not fit the state any more stop the update") {
  const Directory directory;
  write_file("s.json", "{}");
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_state(state, "--state");
  write_file("s.json", "{\"running_mean\": [1, 2], \"running_var\": [1, 2]}");
  CHECK(error_of([&] { transaction.commit(1, count_one); }) ==
        "input: s.json: running_mean has 2 values, but this run has 1 channels");
}

TEST_CASE("A state that is no regular file cannot be updated in place") {
  State state;
  state.path = "/dev/null";
  Transaction transaction;
  CHECK(error_of([&] { transaction.add_state(state, "--state"); }) ==
        "usage: /dev/null: is no regular file and cannot be updated in place; use --state-out or "
        "--no-update");
}

TEST_CASE("A directory that takes no files fails before the computation") {
  const Directory directory;
  write_file("s.json", state_text);
  ::chmod(".", 0555);
  ::chmod("s.json", 0666);
  CHECK(exited_with(status_of_child([] {
                      if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) {
                        ::_exit(98);
                      }
                      const State state = read_state("s.json");
                      Transaction transaction;
                      transaction.add_state(state, "--state");
                    }),
                    4));
  ::chmod(".", 0755);
}

TEST_CASE("An error on a stream is noticed before any file is renamed") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_output("y", "-o").append("new");
  OutputFile& full = transaction.add_output("/dev/full", "--cache");
  transaction.add_state(state, "--state");
  CHECK(error_of([&] { full.append("x"); }).starts_with("system: /dev/full: cannot write"));
  CHECK_FALSE(std::filesystem::exists("y"));
}

TEST_CASE("16 processes that update one state 50 times each count 800, by real and linked path") {
  const Directory directory;
  write_file("s.json", state_text);
  REQUIRE(::symlink("s.json", "link.json") == 0);
  std::vector<pid_t> children;
  for (int i = 0; i < 16; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        for (int k = 0; k < 50; ++k) update(k % 2 == 0 ? "s.json" : "link.json");
      } catch (const std::exception& error) {
        static_cast<void>(!::write(2, error.what(), std::string_view(error.what()).size()));
        ::_exit(1);
      }
      ::_exit(0);
    }
    children.push_back(child);
  }
  bool all_done = true;
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    all_done = all_done && exited_with(status, 0);
  }
  CHECK(all_done);
  CHECK(read_state("s.json").num_batches_tracked == 800);
  CHECK(Directory::names() == Names{"link.json", "s.json"});
}

TEST_CASE("Without an added state the change is nobody's") {
  const Directory directory;
  Transaction transaction;
  transaction.add_output("y", "-o").append("new");
  transaction.commit(1, [](RunningStatistics&) { FAIL("there are no running statistics"); });
  CHECK(read_file("y") == "new");
}
