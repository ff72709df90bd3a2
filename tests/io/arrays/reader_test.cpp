#include "io/arrays/reader.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <thread>

#include "io/arrays/npy.hpp"
#include "support.hpp"
#include "system_calls.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

template <class T>
std::string npy(const std::vector<std::size_t>& shape, const std::vector<T>& values,
                Order order = Order::c) {
  ArrayHeader header;
  header.dtype = dtype_of<T>::value;
  header.shape = shape;
  header.order = order;
  return format_npy_header(header) +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

std::vector<float> counting(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i);
  return values;
}

template <class T>
std::vector<T> load(ArrayReader& reader, const View& view, const Tile& tile) {
  std::vector<T> values(tile.size());
  const Rows rows = reader.load(view, tile, reinterpret_cast<std::byte*>(values.data()));
  CHECK(rows.data == reinterpret_cast<std::byte*>(values.data()));
  CHECK(rows.stride == tile.row_size() * sizeof(T));
  return values;
}

template <class T>
std::vector<T> load_all(ArrayReader& reader, const View& view) {
  return load<T>(reader, view, {{0, view.outer}, {0, view.channel}, {0, view.inner}});
}

/// What finish() says of x.npy.
const std::string changed =
    "system: x.npy: was changed while it was read; run again when nothing writes to it";

void set_time(const char* path, time_t seconds, long nanoseconds) {
  const timespec time{.tv_sec = seconds, .tv_nsec = nanoseconds};
  const std::array<timespec, 2> times = {time, time};
  if (::utimensat(AT_FDCWD, path, times.data(), 0) != 0) throw std::runtime_error("utimensat");
}

/// Makes `fd` standard input while it lives.
class StandardInput {
 public:
  explicit StandardInput(int fd) : before_(::dup(0)) {
    ::dup2(fd, 0);
    ::close(fd);
  }
  StandardInput(const StandardInput&) = delete;
  StandardInput& operator=(const StandardInput&) = delete;
  ~StandardInput() {
    ::dup2(before_, 0);
    ::close(before_);
  }

 private:
  int before_;
};

/// The reading end of a pipe into which a thread writes `content`, `step` bytes at a time.
class Producer {
 public:
  Producer(std::string content, std::size_t step, int flags = 0) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), flags) == 0);
    reading_ = ends[0];
    thread_ = std::thread([content = std::move(content), step, fd = ends[1]] {
      for (std::size_t i = 0; i < content.size();) {
        const ssize_t written = ::write(fd, &content[i], std::min(step, content.size() - i));
        if (written > 0) i += static_cast<std::size_t>(written);
      }
      ::close(fd);
    });
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer() { thread_.join(); }
  [[nodiscard]] int reading() const { return reading_; }

 private:
  int reading_ = -1;
  std::thread thread_;
};

}  // namespace

TEST_CASE("A file is loaded a tile at a time, in any order") {
  const Directory directory;
  write_file("x.npy", npy<float>({2, 3, 4}, counting(24)));
  ArrayReader reader("x.npy");
  CHECK(reader.name() == "x.npy");
  CHECK(reader.shape() == "(2, 3, 4)");
  CHECK_FALSE(reader.sequential());
  const View view = reader.view(1);
  CHECK(view == View{.outer = 2, .channel = 3, .inner = 4});
  CHECK(load<float>(reader, view, {{0, 2}, {1, 1}, {0, 4}}) ==
        std::vector<float>{4, 5, 6, 7, 16, 17, 18, 19});
  CHECK(load<float>(reader, view, {{1, 1}, {2, 1}, {1, 2}}) == std::vector<float>{21, 22});
  CHECK(load_all<float>(reader, view) == counting(24));
  CHECK(load<float>(reader, view, {{0, 0}, {0, 3}, {0, 4}}).empty());
  reader.finish();
}

TEST_CASE("A bool that is neither 0 nor 1 is named with its index, in either memory order") {
  const Directory directory;
  const auto error = [](std::vector<std::uint8_t> bytes, Order order, Order loaded) {
    std::string file = npy<std::uint8_t>({2, 3}, bytes, order);
    file.replace(file.find("|u1"), 3, "|b1");
    write_file("x.npy", file);
    ArrayReader reader("x.npy");
    reader.reorder(loaded);
    return error_of([&] { return load_all<std::uint8_t>(reader, reader.view(1)); });
  };
  const std::string found = "input: x.npy: byte 2 at index ";
  const std::string expected = "; in an array of bool only 0 and 1 can be";
  CHECK(error({0, 1, 1, 0, 0, 1}, Order::c, Order::c) == "nothing");
  CHECK(error({0, 0, 0, 0, 2, 0}, Order::c, Order::c) == found + "(1, 1)" + expected);
  CHECK(error({0, 1, 1, 0, 2, 255}, Order::c, Order::c) == found + "(1, 1)" + expected);
  CHECK(error({0, 1, 1, 0, 2, 0}, Order::fortran, Order::fortran) == found + "(0, 2)" + expected);
  CHECK(error({0, 1, 1, 0, 2, 0}, Order::c, Order::fortran) == found + "(1, 1)" + expected);
}

TEST_CASE("Every dtype is loaded in native byte order") {
  const Directory directory;
  std::string file = npy<std::uint16_t>({1, 2}, {0x0102, 0x0304});
  file.replace(file.find("<u2"), 3, ">u2");
  write_file("x.npy", file);
  ArrayReader two("x.npy");
  CHECK(load_all<std::uint16_t>(two, two.view(1)) == std::vector<std::uint16_t>{0x0201, 0x0403});
  file = npy<std::int32_t>({1, 1}, {0x01020304});
  file.replace(file.find("<i4"), 3, ">i4");
  write_file("x.npy", file);
  ArrayReader four("x.npy");
  CHECK(load_all<std::int32_t>(four, four.view(1)) == std::vector<std::int32_t>{0x04030201});
  file = npy<std::uint64_t>({1, 1}, {0x0102030405060708});
  file.replace(file.find("<u8"), 3, ">u8");
  write_file("x.npy", file);
  ArrayReader eight("x.npy");
  CHECK(load_all<std::uint64_t>(eight, eight.view(1)) ==
        std::vector<std::uint64_t>{0x0807060504030201});
}

TEST_CASE("The size of a file is checked before anything is allocated or loaded") {
  const Directory directory;
  const std::string file = npy<float>({2, 3}, counting(6));
  write_file("x.npy", file.substr(0, file.size() - 1));
  CHECK(error_of([] { ArrayReader("x.npy"); }) ==
        "input: x.npy: the file is cut short: expected 152 bytes, got 151 (float32 (2, 3) and a "
        "header of 128)");
  write_file("x.npy", file + "x");
  CHECK(error_of([] { ArrayReader("x.npy"); }) ==
        "input: x.npy: something follows the data: expected 152 bytes, got 153 (float32 (2, 3) and "
        "a header of 128)");
}

TEST_CASE("What cannot be opened is an error of the system") {
  const Directory directory;
  CHECK(error_of([] { ArrayReader("x.npy"); }) ==
        "system: x.npy: cannot open: No such file or directory");
  ::mkdir("d", 0700);
  CHECK(error_of([] { ArrayReader("d"); }) == "system: d: is a directory, not a file");
}

TEST_CASE("A terminal is refused and not waited for") {
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) {
    return skip(bn::tests::kNoTerminal);
  }
  const std::string name = ::ptsname(terminal);
  CHECK(error_of([&] { ArrayReader{name}; }) ==
        "usage: " + name + ": is a terminal; give a file or a pipe");
  ::close(terminal);
}

TEST_CASE("An array of rank 0 or 1 has no channels, and the axis has to exist") {
  const Directory directory;
  write_file("x.npy", npy<float>({3}, counting(3)));
  CHECK(error_of([] { return ArrayReader("x.npy").view(0); }) ==
        "input: x.npy: has shape (3,), but an array of at least 2 dimensions is needed: (N, C) or "
        "(N, C, ...)");
  write_file("x.npy", npy<float>({1, 3}, counting(3)));
  CHECK(error_of([] { return ArrayReader("x.npy").view(2); }) ==
        "input: x.npy: has shape (1, 3), but the channel axis is 2; it has to be in -2..1");
  CHECK(error_of([] { return ArrayReader("x.npy").view(-3, "--axis"); }) ==
        "input: x.npy: has shape (1, 3), but --axis is -3; it has to be in -2..1");
  CHECK(ArrayReader("x.npy").view(-2).channel == 1);
  CHECK(ArrayReader("x.npy").view(1).channel == 3);
}

TEST_CASE("A file that somebody truncates or changes meanwhile is an error and no signal") {
  const Directory directory;
  const std::string file = npy<float>({2, 3}, counting(6));
  write_file("x.npy", file);
  ArrayReader reader("x.npy");
  const View view = reader.view(1);
  REQUIRE(::truncate("x.npy", 140) == 0);
  CHECK(error_of([&] { return load_all<float>(reader, view); }) ==
        "system: x.npy: was truncated while it was read: expected 152 bytes, got 140");
  CHECK(error_of([&] { reader.finish(); }) ==
        "system: x.npy: was changed while it was read; run again when nothing writes to it");
  write_file("x.npy", file);
  ArrayReader second("x.npy");
  set_time("x.npy", 1, 0);
  CHECK(error_of([&] { second.finish(); }) == changed);
}

TEST_CASE("A change of the time by less than a second is one, and so is one of the size alone") {
  const Directory directory;
  write_file("x.npy", npy<float>({2, 3}, counting(6)));
  set_time("x.npy", 1000, 500000000);
  ArrayReader reader("x.npy");
  CHECK(error_of([&] { reader.finish(); }) == "nothing");
  set_time("x.npy", 1000, 0);
  struct stat status {};
  REQUIRE(::stat("x.npy", &status) == 0);
  ArrayReader second("x.npy");
  set_time("x.npy", 1000, 500000000);
  struct stat later {};
  REQUIRE(::stat("x.npy", &later) == 0);
  if (later.st_mtim.tv_nsec == status.st_mtim.tv_nsec) {
    skip("this file system keeps whole seconds");
  } else {
    CHECK(error_of([&] { second.finish(); }) == changed);
  }
  ArrayReader third("x.npy");
  std::filesystem::resize_file("x.npy", static_cast<std::uintmax_t>(later.st_size) + 1);
  set_time("x.npy", 1000, 500000000);
  CHECK(error_of([&] { third.finish(); }) == changed);
}

TEST_CASE("A vector in a file that changes while it is read is an error") {
  const Directory directory;
  write_file("v.npy", npy<float>({3}, counting(3)));
  const Override reading(before_pread, [] { set_time("v.npy", 1, 0); });
  CHECK(error_of([] { return read_vector("v.npy"); }).starts_with("system: v.npy: was changed"));
}

TEST_CASE("Standard input that is a file is read from where it stands") {
  const Directory directory;
  const std::string file = npy<float>({2, 3}, counting(6));
  write_file("x.npy", "before" + file);
  const int fd = ::open("x.npy", O_RDONLY);
  ::lseek(fd, 6, SEEK_SET);
  const StandardInput input(fd);
  ArrayReader reader("-");
  CHECK(reader.name() == "standard input");
  CHECK_FALSE(reader.sequential());
  CHECK(load_all<float>(reader, reader.view(1)) == counting(6));
  reader.finish();
}

TEST_CASE("A pipe is a stream, however its bytes arrive") {
  const auto step = static_cast<std::size_t>(GENERATE(1, 7, 100000));
  const int flags = GENERATE(0, O_NONBLOCK);
  const Producer producer(npy<float>({2, 3}, counting(6)), step, flags);
  const StandardInput input(producer.reading());
  ArrayReader reader("-");
  REQUIRE(reader.sequential());
  const View view = reader.view(1);
  CHECK(load<float>(reader, view, {{0, 1}, {0, 3}, {0, 1}}) == std::vector<float>{0, 1, 2});
  CHECK(load<float>(reader, view, {{1, 1}, {0, 3}, {0, 1}}) == std::vector<float>{3, 4, 5});
  reader.finish();
}

TEST_CASE("A stream that ends early or goes on is an error") {
  const bool spooled = GENERATE(false, true);
  const std::string file = npy<float>({2, 3}, counting(6));
  const auto error = [&](const std::string& content) {
    const Producer producer(content, 100000);
    const StandardInput input(producer.reading());
    return error_of([&] {
      ArrayReader reader("-");
      if (spooled) reader.spool();
      const View view = reader.view(1);
      std::vector<float> values(6);
      static_cast<void>(
          reader.load(view, {{0, 2}, {0, 3}, {0, 1}}, reinterpret_cast<std::byte*>(values.data())));
      reader.finish();
    });
  };
  CHECK(error(file) == "nothing");
  CHECK(error(file.substr(0, 150)) ==
        "input: standard input: ends early: expected 152 bytes, got 150");
  CHECK(error(file + "x") ==
        "input: standard input: something follows the data: expected 152 bytes, got more");
  CHECK(
      error(file.substr(0, 20)).starts_with("input: standard input: ends within its .npy header"));
}

TEST_CASE("A spooled stream is random access, and needs no memory for what it claims to be") {
  {
    const Producer producer(npy<float>({2, 3}, counting(6)), 5);
    const StandardInput input(producer.reading());
    ArrayReader reader("-");
    reader.spool();
    CHECK_FALSE(reader.sequential());
    const View view = reader.view(1);
    CHECK(load_all<float>(reader, view) == counting(6));
    CHECK(load_all<float>(reader, view) == counting(6));
    reader.finish();
  }
  const Producer producer(npy<float>({std::size_t{1} << 40U, 1024}, counting(6)), 100000);
  const StandardInput input(producer.reading());
  ArrayReader reader("-");
  CHECK(error_of([&] { reader.spool(); }).starts_with("input: standard input: ends early"));
}

TEST_CASE("A stream of many blocks is spooled to the last byte, and not one further") {
  const std::vector<float> values = counting(700001);  // 2.8 MB
  const std::string array = npy<float>({700001, 1}, values);
  const auto spooled = [&](const std::string& content) {
    const Producer producer(content, 100000);
    const StandardInput input(producer.reading());
    ArrayReader reader("-");
    const std::string error = error_of([&] { reader.spool(); });
    return error == "nothing" && load_all<float>(reader, reader.view(1)) != values ? "other values"
                                                                                   : error;
  };
  CHECK(spooled(array) == "nothing");
  CHECK(spooled(array + "x") ==
        "input: standard input: something follows the data: expected 2800132 bytes, got more");
  CHECK(spooled(array.substr(0, array.size() - 1)) ==
        "input: standard input: ends early: expected 2800132 bytes, got 2800131");
}

TEST_CASE("A stream loaded out of order is a mistake of the caller") {
  const Producer producer(npy<float>({2, 3}, counting(6)), 100000);
  const StandardInput input(producer.reading());
  ArrayReader reader("-");
  std::vector<float> values(3);
  CHECK_THROWS_AS(reader.load(reader.view(1), {{1, 1}, {0, 3}, {0, 1}},
                              reinterpret_cast<std::byte*>(values.data())),
                  std::logic_error);
}

TEST_CASE("A stream that is not loaded to its end is a mistake of the caller") {
  const Producer producer(npy<float>({2, 3}, counting(6)), 100000);
  const StandardInput input(producer.reading());
  ArrayReader reader("-");
  CHECK_THROWS_AS(reader.finish(), std::logic_error);
}

TEST_CASE("Reordering keeps every element and turns the memory order round") {
  const Directory directory;
  const std::vector<std::size_t> shape = {3, 4, 1, 5};
  for (const Order order : {Order::c, Order::fortran}) {
    write_file("x.npy", npy<float>(shape, counting(60), order));
    ArrayReader reader("x.npy");
    reader.reorder(order);  // nothing to do
    CHECK(reader.header().order == order);
    reader.reorder(order == Order::c ? Order::fortran : Order::c);
    CHECK(reader.header().order != order);
    const std::vector<float> turned = load_all<float>(reader, reader.view(1));
    for (std::size_t i = 0; i < 3; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        for (std::size_t k = 0; k < 5; ++k) {
          const std::size_t c = (i * 4 + j) * 5 + k;
          const std::size_t fortran = i + 3 * (j + 4 * k);
          CHECK(turned[order == Order::c ? fortran : c] ==
                static_cast<float>(order == Order::c ? c : fortran));
        }
      }
    }
    reader.finish();
  }
}

TEST_CASE("A file that changes while it is reordered is an error, for nobody looks at it again") {
  const Directory directory;
  write_file("x.npy", npy<float>({2, 3}, counting(6)));
  ArrayReader reader("x.npy");
  const Override reading(before_pread, [] { set_time("x.npy", 1, 0); });
  CHECK(error_of([&] { reader.reorder(Order::fortran); }) == changed);
}

TEST_CASE("Items of every size are reordered") {
  const Directory directory;
  const auto turned = [](const auto& values) {
    using Value = std::decay_t<decltype(values.front())>;
    write_file("x.npy", npy<Value>({2, 3}, values));
    ArrayReader reader("x.npy");
    reader.reorder(Order::fortran);
    return load_all<Value>(reader, reader.view(1));
  };
  CHECK(turned(std::vector<std::int8_t>{1, 2, 3, 4, 5, 6}) ==
        std::vector<std::int8_t>{1, 4, 2, 5, 3, 6});
  CHECK(turned(std::vector<std::int16_t>{1, 2, 3, 4, 5, 600}) ==
        std::vector<std::int16_t>{1, 4, 2, 5, 3, 600});
  CHECK(turned(std::vector<std::uint32_t>{1, 2, 3, 4, 5, 1U << 31U}) ==
        std::vector<std::uint32_t>{1, 4, 2, 5, 3, 1U << 31U});
  CHECK(turned(std::vector<double>{1, 2, 3, 4, 5, 0.1}) == std::vector<double>{1, 4, 2, 5, 3, 0.1});
}

TEST_CASE("Reordering works in slabs where the array is larger than one") {
  const Directory directory;
  const std::size_t rows = 3000;
  const std::size_t columns = 3100;  // 37 MB
  write_file("x.npy", npy<float>({rows, columns}, counting(rows * columns)));
  ArrayReader reader("x.npy");
  reader.reorder(Order::fortran);
  const std::vector<float> turned = load_all<float>(reader, reader.view(1));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      if (turned[j * rows + i] != static_cast<float>(i * columns + j)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("A vector of any dtype is read as doubles") {
  const Directory directory;
  const auto read = [](const std::string& file) {
    write_file("v.npy", file);
    return read_vector("v.npy");
  };
  CHECK(read(npy<double>({2}, {0.1, -0.0})) == std::vector<double>{0.1, -0.0});
  CHECK(read(npy<float>({1}, {0.5F})) == std::vector<double>{0.5});
  CHECK(read(npy<std::int8_t>({1}, {-128})) == std::vector<double>{-128});
  CHECK(read(npy<std::uint64_t>({1}, {std::uint64_t{1} << 63U})) == std::vector<double>{0x1p63});
  CHECK(read(npy<float>({0}, {})).empty());
  CHECK(read(npy<float16>({5}, {{0x3C00}, {0xC000}, {0x0001}, {0x7BFF}, {0x8400}})) ==
        std::vector<double>{1, -2, 0x1p-24, 65504, -0x1p-14});
}

TEST_CASE("A vector may have any number of dimensions of 1 besides its own") {
  const Directory directory;
  const auto read = [](const std::vector<std::size_t>& shape, std::size_t size, Order order) {
    write_file("v.npy", npy<float>(shape, counting(size), order));
    return read_vector("v.npy");
  };
  for (const Order order : {Order::c, Order::fortran}) {
    for (const std::vector<std::size_t>& shape :
         std::vector<std::vector<std::size_t>>{{3}, {1, 3}, {3, 1}, {1, 3, 1, 1}, {1, 1, 1, 3}}) {
      CHECK(read(shape, 3, order) == std::vector<double>{0, 1, 2});
    }
    CHECK(read({1}, 1, order) == std::vector<double>{0});
    CHECK(read({1, 1, 1}, 1, order) == std::vector<double>{0});
    CHECK(read({1, 0}, 0, order).empty());
    for (const std::vector<std::size_t>& shape :
         std::vector<std::vector<std::size_t>>{{}, {2, 2}, {2, 1, 3}, {0, 2}, {0, 0}}) {
      CHECK(error_of([&] { return read(shape, ArrayHeader{.shape = shape}.size(), order); }) ==
            "input: v.npy: has shape " + shape_text(shape) +
                ", but one value per channel is needed: (C,), or a shape like (1, C, 1, 1)");
    }
  }
}

TEST_CASE("A vector has finite values only, and none below 0 where it is asked for such") {
  const Directory directory;
  const auto error = [](const std::string& file, Sign sign) {
    write_file("v.npy", file);
    return error_of([&] { return read_vector("v.npy", sign); });
  };
  CHECK(error(npy<float16>({2}, {{0x3C00}, {0x7E00}}), Sign::any) ==
        "input: v.npy: value 1 is nan, but has to be finite");
  CHECK(error(npy<float16>({1}, {{0xFC00}}), Sign::any) ==
        "input: v.npy: value 0 is -inf, but has to be finite");
  CHECK(error(npy<double>({2}, {0.5, -0.5}), Sign::any) == "nothing");
  CHECK(error(npy<double>({2}, {0.5, -0.5}), Sign::not_negative) ==
        "input: v.npy: value 1 is -0.5, but has to be finite and at least 0");
  CHECK(error(npy<double>({1}, {-0.0}), Sign::not_negative) == "nothing");
}
