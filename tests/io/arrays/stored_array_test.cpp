#include "io/arrays/stored_array.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include "io/arrays/npy.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

StoredArray find(const std::string& content) {
  write_file("x.npy", content);
  return find_array(open_input("x.npy"));
}

}  // namespace

TEST_CASE("An array is found behind its header") {
  const Directory directory;
  ArrayHeader header;
  header.shape = {2, 3};
  const std::string text = format_npy_header(header);
  const StoredArray found = find(text + std::string(24, 'x'));
  CHECK(found.header == header);
  CHECK(found.offset == text.size());
}

TEST_CASE("The size of the file has to be that of header and data") {
  const Directory directory;
  const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}";
  const std::string head = std::string("\x93NUMPY\x01\x00\x39\x00", 10) + dictionary;
  const auto error = [&](std::size_t data) {
    return error_of([&] { return find(head + std::string(data, 'x')); });
  };
  CHECK(error(24) == "nothing");
  CHECK(error(23) ==
        "input: x.npy: the file is cut short: expected 91 bytes, got 90 (float32 (2, 3) and a "
        "header of 67)");
  CHECK(error(25) ==
        "input: x.npy: something follows the data: expected 91 bytes, got 92 (float32 (2, 3) and a "
        "header of 67)");
}

TEST_CASE("A document in the place of an array is named by its kind") {
  const Directory directory;
  const auto error = [](const std::string& content) {
    return error_of([&] { return find(content); });
  };
  CHECK(error("{\"eps\": 1}") == "input: x.npy: is a state, not a .npy array");
  CHECK(error("\n{\"channels\": 1, \"sum\": []}") ==
        "input: x.npy: is a part of bn stats, not a .npy array");
  CHECK(error("{\"a\": 1}") == "input: x.npy: is JSON, not a .npy array");
  REQUIRE(::mkfifo("pipe", 0600) == 0);
  Descriptor writing(::open("pipe", O_RDWR));
  const InputFile pipe = open_input("pipe");
  REQUIRE(::write(writing.get(), "{\"eps\": 1}", 10) == 10);
  REQUIRE(writing.close() == 0);
  CHECK(error_of([&] { return find_array(pipe); }) ==
        "input: pipe: is JSON, not a .npy array");  // of which no more is looked at
  CHECK(error("[1]") == "input: x.npy: is not a .npy file: it does not begin with \\x93NUMPY");
}

TEST_CASE("A file that is cut within the header is told so") {
  const Directory directory;
  const std::string text = format_npy_header({});
  CHECK(error_of([&] {
          return find(text.substr(0, 11));
        }).starts_with("input: x.npy: ends within its .npy header"));
  CHECK(error_of([&] {
          return find(text.substr(0, 100));
        }).starts_with("input: x.npy: ends within its .npy header: expected 128 bytes, got 100"));
}
