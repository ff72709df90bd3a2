#include "io/documents/state_update.hpp"

#include <sys/stat.h>

#include <new>

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

StateUpdate in_place(Transaction& transaction, const State& state) {
  return StateUpdate::in_place(transaction, state, "--state", std::chrono::seconds(60));
}

// One run that counts a batch in the state.
void count_batch(const std::string& path) {
  const State state = read_state(path);
  Transaction transaction;
  in_place(transaction, state).commit(1, count_one);
}

}  // namespace

TEST_CASE("Outputs and the state become visible together") {
  const Directory directory;
  write_file("s.json", state_text);
  write_file("y", "old");
  const State state = read_state("s.json");
  Transaction transaction;
  OutputFile& y = transaction.add_output("y", "-o");
  transaction.add_output("c", "--cache").append("cache");
  StateUpdate state_update = in_place(transaction, state);
  y.append("new");
  CHECK(read_file("y") == "old");
  CHECK(read_file("s.json") == state_text);
  state_update.commit(1, [](RunningStatistics& running) {
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
    static_cast<void>(in_place(transaction, state));
  }
  CHECK(Directory::names() == Names{"s.json"});
  {
    Transaction transaction;
    transaction.add_output("y", "-o").append("new");
    StateUpdate state_update = in_place(transaction, state);
    CHECK_THROWS_AS(state_update.commit(1, [](RunningStatistics&) { throw std::bad_alloc(); }),
                    std::bad_alloc);
  }
  CHECK(Directory::names() == Names{"s.json"});
  CHECK(read_file("s.json") == state_text);
}

TEST_CASE("A state whose update is not committed is not written") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_output("y", "-o");
  const StateUpdate state_update = in_place(transaction, state);
  transaction.commit();
  CHECK(read_file("s.json") == state_text);
}

TEST_CASE("The updated state can go to another file") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.protect("s.json", "--state");
  StateUpdate state_update = StateUpdate::elsewhere(transaction, state, "t.json", "--state-out");
  state_update.commit(1, count_one);
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
  StateUpdate state_update = StateUpdate::elsewhere(transaction, state, "d/t.json", "--state-out");
  state_update.commit(1, count_one);
  CHECK(read_state("d/t.json").gamma == std::vector<double>{1});
}

TEST_CASE("A state behind links is replaced where it lies") {
  const Directory directory;
  ::mkdir("d", 0700);
  write_file("d/s.json", state_text);
  ::chmod("d/s.json", 0640);
  REQUIRE(::symlink("d/s.json", "s.json") == 0);
  count_batch("s.json");
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
  StateUpdate state_update = in_place(transaction, state);
  std::filesystem::remove("s.json");
  REQUIRE(::symlink("b.json", "s.json") == 0);
  CHECK(error_of([&] { state_update.commit(1, count_one); }) ==
        "system: s.json: leads to another file than when it was read; run again");
  CHECK(read_file("a.json") == state_text);
  CHECK(read_file("b.json") == state_text);
}

TEST_CASE("The update starts from what the state holds now, not from what was read") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  StateUpdate state_update = in_place(transaction, state);
  count_batch("s.json");
  count_batch("s.json");
  state_update.commit(1, count_one);
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
    StateUpdate state_update = in_place(transaction, state);
    const std::string changed =
        key == "gamma" ? "{" + member + "}" : "{\"gamma\": [0], " + member + "}";
    write_file("s.json", changed);
    CHECK(error_of([&] { state_update.commit(1, count_one); }) ==
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
  StateUpdate state_update = in_place(transaction, state);
  write_file("s.json", "{\"running_mean\": [1, 2], \"running_var\": [1, 2]}");
  CHECK(error_of([&] { state_update.commit(1, count_one); }) ==
        "input: s.json: running_mean has 2 values, but this run has 1 channel");
}

TEST_CASE("A state that is not a regular file cannot be updated in place, and is not waited for") {
  const Directory directory;
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  REQUIRE(::symlink("/dev/stdin", "link") == 0);
  for (const std::string path : {"/dev/null", "pipe", "/dev/stdin", "/dev/fd/0", "link"}) {
    State state;
    state.path = path;
    const auto update = [&] {
      Transaction transaction;
      static_cast<void>(in_place(transaction, state));
    };
    CHECK(error_of(update) ==
          "usage: " + path +
              ": is not the path of a regular file; only such a state can be updated in place");
    CHECK(cause_of(update) == Cause::not_regular);
  }
}

TEST_CASE("A directory that takes no files fails before the computation") {
  const Directory directory;
  write_file("s.json", state_text);
  ::chmod(".", 0555);
  ::chmod("s.json", 0666);
  const std::optional<int> status = status_as_nobody([] {
    const State state = read_state("s.json");
    Transaction transaction;
    static_cast<void>(in_place(transaction, state));
  });
  ::chmod(".", 0755);
  if (status) CHECK(threw(*status, ErrorKind::system));
}

TEST_CASE("A state that is gone by now stops the run before any file is renamed") {
  const Directory directory;
  write_file("s.json", state_text);
  const State state = read_state("s.json");
  Transaction transaction;
  transaction.add_output("y", "-o").append("new");
  StateUpdate state_update = in_place(transaction, state);
  std::filesystem::remove("s.json");
  CHECK(error_of([&] {
          state_update.commit(1, count_one);
        }).starts_with("system: s.json: cannot open"));
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
        for (int k = 0; k < 50; ++k) count_batch(k % 2 == 0 ? "s.json" : "link.json");
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
