// What the tests of the I/O layer share: a directory to work in, files as strings, errors as text.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.hpp"
#include "io/error.hpp"
#include "skip.hpp"

namespace bn::io::test {

using bn::tests::skip;

/// The working directory is a new, empty one, so that messages name files as the tests do.
class Directory {
 public:
  Directory() : before_(std::filesystem::current_path()) {
    std::string name = (std::filesystem::temp_directory_path() / "bn-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    here_ = name;
    std::filesystem::current_path(here_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() {
    std::filesystem::current_path(before_);
    std::error_code ignored;
    std::filesystem::remove_all(here_, ignored);
  }

  /// The names of everything in it, sorted.
  [[nodiscard]] static std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(".")) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path before_;
  std::filesystem::path here_;
};

/// Whether the working directory's file system has files without a name; where not, after a skip.
inline bool has_unnamed_files() {
  const int fd = ::open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd == -1) skip("this file system has no files without a name");
  ::close(fd);
  return fd != -1;
}

inline void write_file(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary) << content;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// "KIND: message" of the Error that `call` throws; "nothing" where it throws none.
template <class Call>
std::string error_of(Call call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    const char* kind = error.kind() == ErrorKind::usage   ? "usage: "
                       : error.kind() == ErrorKind::input ? "input: "
                                                          : "system: ";
    return kind + std::string(error.what());
  }
  return "nothing";
}

/// The cause of the Error that `call` throws; none where it throws none.
template <class Call>
std::optional<Cause> cause_of(Call call) {
  try {
    static_cast<void>(call());
  } catch (const Error& error) {
    return error.cause();
  }
  return std::nullopt;
}

/// Gives one of the settings of system_calls.hpp a value until the end of the scope, however that
/// comes.
template <class Setting>
class Override {
 public:
  template <class Value>
  Override(Setting& setting, Value value)
      : setting_(setting), before_(std::exchange(setting, std::move(value))) {}
  Override(const Override&) = delete;
  Override& operator=(const Override&) = delete;
  ~Override() { setting_ = std::move(before_); }

 private:
  Setting& setting_;
  Setting before_;
};

inline constexpr int kThrown = 100;

/// Runs `call` in a child process and returns its wait status: exit code 0, kThrown and the kind of
/// the Error that it throws, or 99 for anything else.
template <class Call>
int status_of_child(Call call) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      call();
    } catch (const Error& error) {
      ::_exit(kThrown + static_cast<int>(error.kind()));
    } catch (...) {
      ::_exit(99);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

inline bool exited_with(int status, int code) {
  return WIFEXITED(status) && WEXITSTATUS(status) == code;
}

/// In a child process: root becomes somebody whom permissions keep from something, with this group
/// besides the one of his own; others are that already. False where root is one in name only.
inline bool become_nobody(gid_t group = 65534) {
  return ::geteuid() != 0 ||
         (::setgroups(1, &group) == 0 && ::setgid(65534) == 0 && ::setuid(65534) == 0);
}

/// Runs `call` in a child process that has become nobody; its wait status as of status_of_child(),
/// none, after a skip, where that cannot be.
template <class Call>
std::optional<int> status_as_nobody(Call call, gid_t group = 65534) {
  if (!exited_with(status_of_child([&] { ::_exit(become_nobody(group) ? 0 : 98); }), 0)) {
    skip("root may not become another user");
    return std::nullopt;
  }
  return status_of_child([&] {
    if (!become_nobody(group)) ::_exit(98);
    call();
  });
}

inline bool threw(int status, ErrorKind kind) {
  return exited_with(status, kThrown + static_cast<int>(kind));
}

inline bool killed_by(int status, int signal_number) {
  return WIFSIGNALED(status) && WTERMSIG(status) == signal_number;
}

}  // namespace bn::io::test
