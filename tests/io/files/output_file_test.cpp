#include "io/files/output_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

#include "support.hpp"
#include "system_calls.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

void replace(const std::string& path, const std::string& content) {
  OutputFile file(resolve_target(path));
  file.append(content);
  file.finish(true);
  file.commit();
  file.sync_name();
}

using Names = std::vector<std::string>;

// The mode of what replaces a file of this mode, to which this happens meanwhile.
template <class Meanwhile>
mode_t mode_of_replacement(mode_t mode, Meanwhile meanwhile) {
  const Directory directory;
  write_file("y", "old");
  ::chmod("y", mode);
  OutputFile file(resolve_target("y"));
  meanwhile();
  file.finish(false);
  file.commit();
  return mode_of("y");
}

}  // namespace

TEST_CASE("Room is reserved where the file system can, and missing room is an error") {
  const Directory directory;
  const auto error = [](int number) {
    const Override failing(error_of_fallocate, number);
    return error_of([] { OutputFile(resolve_target("y")).allocate(1); });
  };
  for (const int number : {0, EOPNOTSUPP, ENOSYS, EINVAL}) CHECK(error(number) == "nothing");
  const std::string cannot = "system: y: cannot reserve 1 bytes: ";
  CHECK(error(ENOSPC) == cannot + "No space left on device");
  CHECK(error(EFBIG) == cannot + "File too large");
  CHECK(error(EIO) == cannot + "Input/output error");
}

TEST_CASE("A file appears at the commit and not before") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  if (!without_unnamed_files && !has_unnamed_files()) return;
  OutputFile file(resolve_target("y"));
  file.allocate(8);
  file.append("abcd");
  file.write_at(4, std::as_bytes(std::span("efgh", 4)));
  file.finish(false);
  CHECK_FALSE(std::filesystem::exists("y"));
  CHECK(Directory::names().size() == (without_unnamed_files ? 1 : 0));
  file.prepare_commit();
  CHECK_FALSE(std::filesystem::exists("y"));
  file.commit();
  CHECK(Directory::names() == Names{"y"});
  CHECK(read_file("y") == "abcdefgh");
}

TEST_CASE("Without a commit everything stays as it was") {
  const Directory directory;
  write_file("y", "old");
  {
    OutputFile file(resolve_target("y"));
    file.append("new");
    file.finish(false);
  }
  CHECK(Directory::names() == Names{"y"});
  CHECK(read_file("y") == "old");
}

TEST_CASE("A new file obeys the umask, a replaced one keeps its mode") {
  const Directory directory;
  const mode_t before = ::umask(027);
  replace("new", "x");
  write_file("old", "x");
  ::chmod("old", 0604);
  replace("old", "y");
  ::umask(before);
  CHECK(mode_of("new") == 0640);
  CHECK(mode_of("old") == 0604);
  CHECK(read_file("old") == "y");
}

TEST_CASE("A replaced file keeps its owner and group, as far as who replaces it may give them") {
  const Directory directory;
  ::chmod(".", 0777);
  const auto owners = [] {
    struct stat status {};
    REQUIRE(::stat("y", &status) == 0);
    return std::pair(status.st_uid, status.st_gid);
  };
  write_file("y", "old");
  if (::chown("y", 1234, 5678) != 0) {
    return skip("only root can give files away");
  }
  replace("y", "new");
  CHECK(owners() == std::pair<uid_t, gid_t>(1234, 5678));
  ::chmod("y", 0666);
  const std::optional<int> status = status_as_nobody([] { replace("y", "newer"); }, 5678);
  if (!status) return;
  CHECK(exited_with(*status, 0));
  CHECK(owners() == std::pair<uid_t, gid_t>(65534, 5678));
}

TEST_CASE("While it is written, what replaces a file is for its owner, and it is never setuid") {
  const Override unnamed(without_unnamed_files, true);
  const Directory directory;
  const mode_t before = ::umask(0);
  write_file("y", "old");
  ::chmod("y", 04755);
  {
    OutputFile file(resolve_target("y"));
    CHECK(mode_of(Directory::names().front()) == 0600);
    file.finish(false);
    file.commit();
  }
  ::umask(before);
  CHECK(mode_of("y") == 0755);
}

TEST_CASE("A mode that is changed while the output is written is that of the new file") {
  CHECK(mode_of_replacement(0644, [] { ::chmod("y", 0600); }) == 0600);
}

TEST_CASE("A file that is gone when the output is complete has left it its mode") {
  CHECK(mode_of_replacement(0604, [] { std::filesystem::remove("y"); }) == 0604);
}

TEST_CASE("Links are followed to the file, which is what is replaced") {
  const Directory directory;
  ::mkdir("d", 0700);
  write_file("d/real", "old");
  REQUIRE(::symlink("d/second", "first") == 0);
  REQUIRE(::symlink("real", "d/second") == 0);
  replace("first", "new");
  CHECK(std::filesystem::is_symlink("first"));
  CHECK(std::filesystem::is_symlink("d/second"));
  CHECK(read_file("d/real") == "new");
  REQUIRE(::symlink("d/later", "dangling") == 0);
  replace("dangling", "made");
  CHECK(std::filesystem::is_symlink("dangling"));
  CHECK(read_file("d/later") == "made");
}

TEST_CASE("What cannot be written is an error of the system, before anything is written") {
  const Directory directory;
  const auto error = [](const std::string& path) {
    return error_of([&] { const OutputFile file(resolve_target(path)); });
  };
  ::mkdir("d", 0700);
  CHECK(error("d") == "system: d: is a directory");
  CHECK(error("none/y") == "system: none/y: cannot open its directory: No such file or directory");
  CHECK(error("new/") == "system: new/: cannot open its directory: No such file or directory");
  REQUIRE(::symlink("b", "a") == 0);
  REQUIRE(::symlink("a", "b") == 0);
  CHECK(error("a") == "system: a: cannot open: Too many levels of symbolic links");
  write_file("f", "");
  CHECK(error("f/y") == "system: f/y: cannot open: Not a directory");
}

TEST_CASE("As many links are followed as the kernel does") {
  const Directory directory;
  write_file("link0", "old");
  for (int i = 1; i <= 41; ++i) {
    REQUIRE(::symlink(("link" + std::to_string(i - 1)).c_str(),
                      ("link" + std::to_string(i)).c_str()) == 0);
  }
  for (const int links : {39, 40, 41}) {
    const std::string path = "link" + std::to_string(links);
    const Descriptor by_kernel(::open(path.c_str(), O_RDONLY));
    CHECK(bool(by_kernel) == (links <= 40));
    CHECK(error_of([&] { return resolve_target(path); }) ==
          (links <= 40 ? "nothing"
                       : "system: link41: cannot open: Too many levels of symbolic links"));
  }
}

TEST_CASE("A descriptor is named by its number and nothing else") {
  const Directory directory;
  for (const std::string prefix : {"/dev/fd/", "/proc/self/fd/"}) {
    CHECK(resolve_target(prefix + "0").descriptor == 0);
    CHECK(resolve_target(prefix + "2").descriptor == 2);
    CHECK(error_of([&] { return resolve_target(prefix + "9999"); }) ==
          "system: " + prefix + "9999: is closed");
    for (const std::string name : {"-1", "1x", "x", "99999999999"}) {
      CAPTURE(name);
      // Not found, rather than closed.
      CHECK(error_of([&] {
              return OutputFile(resolve_target(prefix + name));
            }).starts_with("system: " + prefix + name + ": cannot "));
    }
  }
  CHECK(resolve_target("/dev/stdin").descriptor == 0);
  CHECK(resolve_target("/dev/stderr").descriptor == 2);
}

TEST_CASE("Read-only files and directories are refused to ordinary users") {
  const Directory directory;
  ::mkdir("d", 0755);
  write_file("f", "old");
  ::chmod("f", 0444);
  ::chmod("d", 0555);
  ::chmod(".", 0777);
  for (const std::string path : {"f", "d/y"}) {
    const std::optional<int> status =
        status_as_nobody([&] { const OutputFile file(resolve_target(path)); });
    if (!status) return;
    CHECK(threw(*status, ErrorKind::system));
  }
  CHECK(read_file("f") == "old");
}

TEST_CASE("A directory that may be written but not read is not synced, for nobody could") {
  const Directory directory;
  ::mkdir("d", 0777);
  ::chmod("d", 0333);
  ::chmod(".", 0777);
  const std::optional<int> status = status_as_nobody([] {
    if (::open("d", O_RDONLY) != -1) ::_exit(97);
    replace("d/y", "new");
  });
  ::chmod("d", 0777);
  if (!status) return;
  CHECK(exited_with(*status, 0));
  CHECK(read_file("d/y") == "new");
}

TEST_CASE("An existing file can be refused, also when it appears while the run goes on") {
  const Override unnamed(without_unnamed_files, GENERATE(false, true));
  const Directory directory;
  const auto open = [] { return OutputFile(resolve_target("y"), OutputFile::Existing::refuse); };
  OutputFile file = open();
  file.append("late");
  file.finish(false);
  write_file("y", "first");
  file.prepare_commit();
  CHECK(error_of([&] { file.commit(); }) == "usage: y: exists already");
  CHECK(error_of([&] { return open(); }) == "usage: y: exists already");
  CHECK(cause_of([&] { return open(); }) == Cause::already_exists);
  CHECK(read_file("y") == "first");
}

TEST_CASE("A replaced file exists until the output is gone, so that removing it delays nothing") {
  const Directory directory;
  if (!has_unnamed_files()) return;
  write_file("y", "old");
  const Descriptor old(::open("y", O_RDONLY));
  const auto opened = [&old] {  // by how many descriptors of this process
    struct stat status {};
    ::fstat(old.get(), &status);
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      struct stat other {};
      if (::stat(entry.path().c_str(), &other) == 0 && other.st_ino == status.st_ino) ++count;
    }
    return count;
  };
  {
    OutputFile file(resolve_target("y"));
    file.finish(false);
    file.prepare_commit();
    file.commit();
    CHECK(opened() == 2);
  }
  CHECK(opened() == 1);
}

TEST_CASE("A file of another kind is refused, also when it appears while the run goes on") {
  const Directory directory;
  const auto open = [] {
    return OutputFile(resolve_target("s"), OutputFile::Existing::own_kind, FileKind::state);
  };
  OutputFile first = open();
  OutputFile second = open();
  for (OutputFile* file : {&first, &second}) file->append("{\"eps\": 1}");
  first.finish(false);
  first.commit();
  second.finish(false);  // a state by now
  second.commit();
  OutputFile third = open();
  write_file("s", "\x93NUMPY");
  const std::string message = "usage: s: is a .npy array, not a state";
  CHECK(error_of([&] { third.finish(false); }) == message);
  CHECK(error_of([&] { return open(); }) == message);
  CHECK(cause_of([&] { return open(); }) == Cause::already_exists);
  CHECK(read_file("s") == "\x93NUMPY");
}

TEST_CASE("A device is written directly and stays a device") {
  OutputFile null(resolve_target("/dev/null"));
  CHECK(null.sequential());
  null.allocate(100);
  null.append("x");
  null.finish(true);
  null.commit();
  CHECK(std::filesystem::is_character_file("/dev/null"));
  OutputFile full(resolve_target("/dev/full"));
  CHECK(error_of([&] { full.append("x"); }) ==
        "system: /dev/full: cannot write: No space left on device");
}

TEST_CASE("A socket cannot be opened, and what standard output is need not be") {
  const Directory directory;
  const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = "socket"};
  REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  CHECK(error_of([] { return OutputFile(resolve_target("socket")); }) ==
        "system: socket: cannot open: No such device or address");
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  CHECK(exited_with(status_of_child([] {
                      if (resolve_target("pipe").descriptor != -1) ::_exit(98);
                      ::dup2(::open("pipe", O_RDWR), 1);
                      if (resolve_target("pipe").descriptor != 1) ::_exit(97);
                    }),
                    0));
}

TEST_CASE("Standard output is written where it stands, by every name it has") {
  const Directory directory;
  for (const std::string name : {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}) {
    CAPTURE(name);
    CHECK(exited_with(status_of_child([&] {
                        const int fd = ::open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600);
                        ::dup2(fd, 1);
                        write_file("other", "");
                        if (::write(1, "head ", 5) != 5) ::_exit(98);
                        OutputFile file(resolve_target(name));
                        if (!file.sequential()) ::_exit(97);
                        file.append("tail");
                        file.finish(true);
                        file.commit();
                      }),
                      0));
    CHECK(read_file("out") == "head tail");
  }
}

TEST_CASE("With standard output closed nothing lands in another file through descriptor 1") {
  const Directory directory;
  write_file("victim", "precious");
  CHECK(threw(status_of_child([] {
                ::close(1);
                prepare_process();
                const int next = ::open("victim", O_RDWR);
                if (next == 1) ::_exit(98);
                OutputFile file(resolve_target("-"));
                file.append("lost");
              }),
              ErrorKind::system));
  CHECK(read_file("victim") == "precious");
  CHECK(threw(status_of_child([] {
                ::close(1);
                const OutputFile file(resolve_target("-"));
              }),
              ErrorKind::system));
}

TEST_CASE("A file beyond the size limit is an error and no signal") {
  const Directory directory;
  CHECK(threw(status_of_child([] {
                prepare_process();
                const rlimit limit{.rlim_cur = 1000, .rlim_max = 1000};
                ::setrlimit(RLIMIT_FSIZE, &limit);
                OutputFile file(resolve_target("y"));
                const std::string text(2000, 'x');
                file.append(text);
              }),
              ErrorKind::system));
  CHECK(Directory::names().empty());
}

TEST_CASE("A name of 255 bytes is replaced, too") {
  const Directory directory;
  const std::string name(255, 'n');
  replace(name, "x");
  replace(name, "y");
  CHECK(read_file(name) == "y");
  replace("-x\n\xff", "z");
  CHECK(read_file("-x\n\xff") == "z");
}

TEST_CASE("A target knows the inputs that lead to it") {
  const Directory directory;
  write_file("y", "");
  REQUIRE(::link("y", "hard") == 0);
  REQUIRE(::symlink("y", "soft") == 0);
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  for (const std::string input : {"y", "./y", "hard", "soft"}) {
    CHECK(resolve_target("y").is_input(input));
    CHECK(resolve_target("soft").is_input(input));
  }
  CHECK(resolve_target("pipe").is_input("pipe"));
  CHECK_FALSE(resolve_target("y").is_input("pipe"));
  CHECK_FALSE(resolve_target("new").is_input("new"));
  CHECK_FALSE(resolve_target("/dev/null").is_input("/dev/null"));
  CHECK(exited_with(status_of_child([] {
                      ::dup2(::open("y", O_RDONLY), 0);
                      ::_exit(resolve_target("y").is_input("-") ? 0 : 97);
                    }),
                    0));
}

TEST_CASE("Two paths to one file are the same target, whether it exists or not") {
  const Directory directory;
  write_file("y", "");
  ::mkdir("d", 0700);
  REQUIRE(::link("y", "hard") == 0);
  REQUIRE(::symlink("y", "soft") == 0);
  REQUIRE(::symlink("../new", "d/dangling") == 0);
  const auto same = [](const std::string& a, const std::string& b) {
    return resolve_target(a).same_file(resolve_target(b));
  };
  CHECK(same("y", "./d/../y"));
  CHECK(same("y", "hard"));
  CHECK(same("y", "soft"));
  CHECK(same("new", "d/../new"));
  CHECK(same("new", "d/dangling"));
  CHECK_FALSE(same("new", "y"));
  CHECK_FALSE(same("new", "d/new"));
  CHECK(same("-", "/dev/stdout"));
  CHECK_FALSE(same("/dev/null", "/dev/null"));
  CHECK_FALSE(resolve_target("y").same_place(resolve_target("hard")));
  CHECK(resolve_target("y").same_place(resolve_target("soft")));
  CHECK_FALSE(resolve_target("y").same_place(resolve_target("d/y")));
}
