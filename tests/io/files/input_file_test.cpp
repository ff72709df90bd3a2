#include "io/files/input_file.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <new>
#include <string>

#include "support.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

constexpr bool kSanitized = BN_SANITIZED != 0;

}  // namespace

TEST_CASE("A file is opened under a name that messages can show") {
  const Directory directory;
  write_file("a\nb", "text");
  const InputFile file = open_input("a\nb");
  CHECK(file.name == "a\\nb");
  CHECK(file.regular());
  CHECK(file.begin == 0);
  CHECK(file.size() == 4);
  CHECK(read_text(file, FileKind::state) == "text");
}

TEST_CASE("Standard input begins where it stands, and stays open") {
  const Directory directory;
  write_file("f", "beforetext");
  CHECK(exited_with(status_of_child([] {
                      const int fd = ::open("f", O_RDONLY);
                      ::lseek(fd, 6, SEEK_SET);
                      ::dup2(fd, 0);
                      {
                        const InputFile file = open_input("-");
                        if (file.name != "standard input") ::_exit(98);
                        if (file.begin != 6 || file.size() != 4) ::_exit(97);
                        if (read_text(file, FileKind::state) != "text") ::_exit(96);
                      }
                      if (::fcntl(0, F_GETFD) == -1) ::_exit(95);
                    }),
                    0));
}

TEST_CASE("A closed standard input is an error, and not whatever file gets its number") {
  for (const bool filled : {false, true}) {
    CHECK(exited_with(status_of_child([filled] {
                        ::close(0);
                        // As prepare_process() leaves it.
                        if (filled && ::open("/", O_PATH) != 0) ::_exit(98);
                        const std::string error = error_of([] { return open_input("-"); });
                        ::_exit(error == "system: standard input: is closed" ? 0 : 97);
                      }),
                      0));
  }
}

TEST_CASE("What cannot be read is an error of the system") {
  const Directory directory;
  ::mkdir("d", 0700);
  CHECK(error_of([] { return open_input("none"); }) ==
        "system: none: cannot open: No such file or directory");
  CHECK(error_of([] { return open_input("d"); }) == "system: d: is a directory, not a file");
}

TEST_CASE("Text is read to its end, however long it has become and whatever it comes through") {
  const Directory directory;
  const std::string text(200000, 'x');
  write_file("f", text);
  CHECK(read_text(open_input("f"), FileKind::state) == text);
  const InputFile growing = open_input("f");
  write_file("f", text + text);
  CHECK(read_text(growing, FileKind::state) == text + text);
  CHECK(read_text(open_input("/dev/null"), FileKind::state).empty());
}

TEST_CASE("Text of more than 4 GiB is refused before any of it is read") {
  const Directory directory;
  const std::uintmax_t limit = std::uintmax_t{4} << 30U;
  const auto status_of = [](std::uintmax_t size) {
    write_file("f", "{");
    std::filesystem::resize_file("f", size);  // takes no room
    return status_of_child([] {
      const InputFile file = open_input("f");
      // So that nobody has to wait until as much has been read.
      const rlimit little{.rlim_cur = std::size_t{1} << 30U, .rlim_max = std::size_t{1} << 30U};
      if (!kSanitized) ::setrlimit(RLIMIT_AS, &little);
      try {
        static_cast<void>(read_text(file, FileKind::state));
      } catch (const std::bad_alloc&) {
        ::_exit(97);
      }
    });
  };
  CHECK(threw(status_of(limit + 1), ErrorKind::input));
  if (kSanitized) return skip("built with a sanitizer: it needs more memory than the limit leaves");
  CHECK(exited_with(status_of(limit - 1), 97));
  CHECK(exited_with(status_of(limit), 97));
}

TEST_CASE("A NUL byte ends the reading, even of what has no end") {
  const Directory directory;
  write_file("f", std::string("ab\0cd", 5));
  CHECK(error_of([] { return read_text(open_input("f"), FileKind::state); }) ==
        "input: f: is not a text file: byte 2 is NUL (JSON in UTF-8 is needed)");
  CHECK(error_of([] {
          return read_text(open_input("/dev/zero"), FileKind::state);
        }).starts_with("input: /dev/zero: is not a text file: byte 0 is NUL"));
}

TEST_CASE("An array is no text, whatever it comes through and before all of it is read") {
  const Directory directory;
  const std::string message = "is a .npy array, not a part of bn stats";
  write_file("f", "\x93NUMPY\x01");
  std::filesystem::resize_file("f", std::uintmax_t{1} << 42U);
  CHECK(error_of([] { return read_text(open_input("f"), FileKind::part); }) ==
        "input: f: " + message);
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  Descriptor writing(::open("pipe", O_RDWR));
  const InputFile pipe = open_input("pipe");
  REQUIRE(::write(writing.get(), "\x93NUMPY\x01", 7) == 7);
  REQUIRE(writing.close() == 0);
  CHECK(error_of([&] { return read_text(pipe, FileKind::cache); }) ==
        "input: pipe: is a .npy array, not a cache of bn forward");
}
