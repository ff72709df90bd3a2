#include "io/arrays/array_sequence.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "io/arrays/npy.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

/// (rows, 2) of bytes, all of this value.
std::string npy(std::size_t rows, char value) {
  ArrayHeader header;
  header.dtype = Dtype::int8;
  header.shape = {rows, 2};
  return format_npy_header(header) + std::string(2 * rows, value);
}

/// The first values of the arrays in a file, as one text; "-" for an array without values.
std::string first_values(const std::string& path) {
  ArraySequence arrays(path);
  std::string values;
  while (std::optional<ArrayReader> array = arrays.next()) {
    array->spool();
    const View view = array->view(1);
    std::vector<std::byte> data(array->header().data_bytes());
    const Tile all{{0, view.outer}, {0, view.channel}, {0, view.inner}};
    static_cast<void>(array->load(view, all, data.data()));
    array->finish();
    values.push_back(data.empty() ? '-' : std::to_integer<char>(data.front()));
  }
  return values;
}

/// The same of a FIFO with this content.
std::string first_values_of_stream(const std::string& content) {
  REQUIRE(::mkfifo("fifo", 0600) == 0);
  std::thread writer([&] { write_file("fifo", content); });
  std::string result;
  const std::string error = error_of([&] { return result = first_values("fifo"); });
  writer.join();
  std::filesystem::remove("fifo");
  return error == "nothing" ? result : error;
}

std::string first_values_of_file(const std::string& content) {
  write_file("x.npy", content);
  std::string result;
  const std::string error = error_of([&] { return result = first_values("x.npy"); });
  return error == "nothing" ? result : error;
}

}  // namespace

TEST_CASE("Arrays that lie one behind the other are read one after the other") {
  const Directory directory;
  for (const auto& read : {first_values_of_file, first_values_of_stream}) {
    CHECK(read(npy(3, 'a')) == "a");
    CHECK(read(npy(3, 'a') + npy(1, 'b') + npy(0, 'c') + npy(5, 'd')) == "ab-d");
  }
}

TEST_CASE("What follows an array has to be a whole array, and is named by its number") {
  const Directory directory;
  const std::string two = npy(3, 'a') + npy(1, 'b');
  CHECK(first_values_of_file("") == "input: x.npy: is empty, but has to be a .npy array");
  CHECK(first_values_of_file(two + "rest of it") ==
        "input: x.npy, array 3: is not a .npy file: it does not begin with \\x93NUMPY");
  CHECK(first_values_of_file(two.substr(0, two.size() - 1)) ==
        "input: x.npy, array 2: the file is cut short: expected 130 bytes, got 129 (int8 (1, 2) "
        "and a header of 128)");
  CHECK(first_values_of_stream("") == "input: fifo: is empty, but has to be a .npy array");
  CHECK(first_values_of_stream(two.substr(0, two.size() - 1)) ==
        "input: fifo, array 2: ends early: expected 130 bytes, got 129");
  for (std::size_t size = npy(3, 'a').size() + 1; size < two.size() - 2; ++size) {
    CHECK(first_values_of_stream(two.substr(0, size)).starts_with("input: fifo, array 2: "));
  }
}

TEST_CASE("Headers can be looked at without the data") {
  const Directory directory;
  write_file("x.npy", npy(3, 'a') + npy(7, 'b'));
  ArraySequence arrays("x.npy");
  CHECK(arrays.next().value().shape() == "(3, 2)");
  CHECK(arrays.next().value().shape() == "(7, 2)");
  CHECK_FALSE(arrays.next());
}

TEST_CASE("A file that changes while its second array is read is an error") {
  const Directory directory;
  const std::string content = npy(3, 'a') + npy(7, 'b');
  write_file("x.npy", content);
  ArraySequence arrays("x.npy");
  static_cast<void>(arrays.next());
  std::optional<ArrayReader> second = arrays.next();
  write_file("x.npy", content + "more");
  CHECK(error_of([&] { return second->finish(), 0; }) ==
        "system: x.npy, array 2: was changed while it was read; run again when nothing writes to "
        "it");
}
