#include "io/files/descriptor.hpp"

#include <fcntl.h>

#include <array>
#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include "support.hpp"
#include "system_calls.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

struct Pipe {
  explicit Pipe(int flags = 0) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), flags) == 0);
    reading = Descriptor(ends[0]);
    writing = Descriptor(ends[1]);
  }
  Descriptor reading;
  Descriptor writing;
};

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("A descriptor is closed by its one owner") {
  Pipe pipe;
  const int fd = pipe.reading.get();
  {
    const Descriptor owner = std::move(pipe.reading);
    CHECK(owner.get() == fd);
    CHECK(is_open(fd));
  }
  CHECK_FALSE(is_open(fd));
  CHECK(pipe.writing.close() == 0);
  CHECK_FALSE(pipe.writing);
  CHECK(pipe.writing.close() == 0);  // nothing to close any more
  CHECK(Descriptor(9999).close() == EBADF);
}

TEST_CASE("Bytes that arrive one by one are read to the last, also without blocking") {
  const int flags = GENERATE(0, O_NONBLOCK);
  Pipe pipe(flags);
  std::thread writer([&] {
    for (const char c : std::string("abcdef")) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      write_fully(pipe.writing.get(), bytes({&c, 1}), "pipe");
    }
    static_cast<void>(pipe.writing.close());
  });
  std::string got(4, ' ');
  CHECK(read_fully(pipe.reading.get(), std::as_writable_bytes(std::span(got)), "pipe") == 4);
  CHECK(got == "abcd");
  CHECK(read_fully(pipe.reading.get(), std::as_writable_bytes(std::span(got)), "pipe") == 2);
  CHECK(got.starts_with("ef"));
  writer.join();
}

TEST_CASE("More than a pipe holds is written to the last byte, also without blocking") {
  const int flags = GENERATE(0, O_NONBLOCK);
  Pipe pipe(flags);
  const std::string sent(300000, 'x');
  std::string got(sent.size(), ' ');
  std::thread reader([&] {
    static_cast<void>(read_fully(pipe.reading.get(), std::as_writable_bytes(std::span(got)), "p"));
  });
  write_fully(pipe.writing.get(), bytes(sent), "pipe");
  reader.join();
  CHECK(got == sent);
}

TEST_CASE("Places in a file are read and written without moving where it stands") {
  const Directory directory;
  write_file("f", "abcdef");
  const Descriptor file(::open("f", O_RDWR));
  pwrite_fully(file.get(), bytes("XY"), 2, "f");
  std::string got(3, ' ');
  CHECK(pread_fully(file.get(), std::as_writable_bytes(std::span(got)), 1, "f") == 3);
  CHECK(got == "bXY");
  CHECK(pread_fully(file.get(), std::as_writable_bytes(std::span(got)), 5, "f") == 1);
  CHECK(pread_fully(file.get(), std::as_writable_bytes(std::span(got)), 6, "f") == 0);
  CHECK(::lseek(file.get(), 0, SEEK_CUR) == 0);
}

TEST_CASE("Short reads and writes at a place go on where they ended") {
  const Directory directory;
  write_file("f", "abcdefgh");
  const Descriptor file(::open("f", O_RDWR));
  const Override shortened(at_most, GENERATE(1U, 2U, 5U));
  pwrite_fully(file.get(), bytes("UVWXY"), 2, "f");
  std::string got(6, ' ');
  CHECK(pread_fully(file.get(), std::as_writable_bytes(std::span(got)), 1, "f") == 6);
  CHECK(got == "bUVWXY");
  CHECK(read_file("f") == "abUVWXYh");
}

TEST_CASE("A write that takes nothing is an error and not tried for ever") {
  const Directory directory;
  const Descriptor file(::open("f", O_RDWR | O_CREAT, 0600));
  const Override shortened(at_most, 0U);
  CHECK(error_of([&] { pwrite_fully(file.get(), bytes("x"), 0, "f"); }) ==
        "system: f: cannot write: nothing was taken");
}

TEST_CASE("What cannot be read or written is an error that names the file") {
  const Directory directory;
  write_file("f", "abc");
  const Descriptor reading(::open("f", O_RDONLY));
  const Descriptor writing(::open("f", O_WRONLY));
  std::array<std::byte, 1> one{};
  CHECK(error_of([&] { return read_fully(writing.get(), one, "f"); }) ==
        "system: f: cannot read: Bad file descriptor");
  CHECK(error_of([&] { return pread_fully(writing.get(), one, 0, "f"); }) ==
        "system: f: cannot read: Bad file descriptor");
  CHECK(error_of([&] { write_fully(reading.get(), one, "f"); }) ==
        "system: f: cannot write: Bad file descriptor");
  CHECK(error_of([&] { pwrite_fully(reading.get(), one, 0, "f"); }) ==
        "system: f: cannot write: Bad file descriptor");
}
