#include "io/arrays/writer.hpp"

#include <fcntl.h>

#include <array>

#include "io/arrays/npy.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

ArrayHeader header_of(const std::vector<std::size_t>& shape) {
  ArrayHeader header;
  header.dtype = Dtype::float32;
  header.shape = shape;
  return header;
}

void store(ArrayWriter& writer, const View& view, const Tile& tile, std::vector<float> values) {
  auto* const scratch = reinterpret_cast<std::byte*>(values.data());
  const MutableRows rows = writer.place(view, tile, scratch);
  CHECK(rows.data == scratch);
  CHECK(rows.stride == tile.row_size() * sizeof(float));
  writer.store(view, tile, rows);
}

std::string expected_file(const ArrayHeader& header, const std::vector<float>& values) {
  return format_npy_header(header) +
         std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

}  // namespace

TEST_CASE("Tiles are stored in any order and make the file that numpy.save writes") {
  const Directory directory;
  const ArrayHeader header = header_of({2, 2, 2});
  const View view = make_view(header.shape, 1);
  OutputFile file(resolve_target("y.npy"));
  ArrayWriter writer(file, header);
  CHECK(writer.dtype() == Dtype::float32);
  CHECK_FALSE(writer.sequential());
  store(writer, view, {{0, 2}, {1, 1}, {0, 2}}, {2, 3, 6, 7});
  store(writer, view, {{0, 2}, {0, 1}, {0, 2}}, {0, 1, 4, 5});
  file.finish(false);
  file.commit();
  CHECK(read_file("y.npy") == expected_file(header, {0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST_CASE("A stream is written in memory order") {
  const Directory directory;
  const ArrayHeader header = header_of({2, 3});
  const View view = make_view(header.shape, 1);
  const int status = status_of_child([&] {
    ::dup2(::open("out", O_WRONLY | O_CREAT, 0600), 1);
    OutputFile file(resolve_target("-"));
    ArrayWriter writer(file, header);
    if (!writer.sequential()) ::_exit(98);
    std::array<float, 6> values = {0, 1, 2, 3, 4, 5};
    for (const std::size_t row : {0U, 1U}) {
      const Tile tile{{row, 1}, {0, 3}, {0, 1}};
      writer.store(view, tile,
                   {.data = reinterpret_cast<std::byte*>(&values.at(row * 3)), .stride = 12});
    }
    file.finish(false);
  });
  CHECK(exited_with(status, 0));
  CHECK(read_file("out") == expected_file(header, {0, 1, 2, 3, 4, 5}));
}

TEST_CASE("The header of a stream leaves with the first values, at once where there are none") {
  const Directory directory;
  const auto written = [](const ArrayHeader& header) {
    CHECK(exited_with(status_of_child([&] {
                        ::dup2(::open("out", O_WRONLY | O_CREAT | O_TRUNC, 0600), 1);
                        OutputFile file(resolve_target("-"));
                        ArrayWriter writer(file, header);
                        writer.reserve();
                        file.finish(false);
                      }),
                      0));
    return read_file("out");
  };
  CHECK(written(header_of({2, 3})).empty());
  CHECK(written(header_of({0, 3})) == format_npy_header(header_of({0, 3})));
}

TEST_CASE("A stream written out of order is a mistake of the caller") {
  const Directory directory;
  CHECK(exited_with(status_of_child([] {
                      ::dup2(::open("out", O_WRONLY | O_CREAT, 0600), 1);
                      OutputFile file(resolve_target("-"));
                      const ArrayHeader header = header_of({2, 3});
                      ArrayWriter writer(file, header);
                      std::array<float, 3> values{};
                      try {
                        writer.store(
                            make_view(header.shape, 1), {{1, 1}, {0, 3}, {0, 1}},
                            {.data = reinterpret_cast<std::byte*>(values.data()), .stride = 12});
                      } catch (const std::logic_error&) {
                        return;
                      }
                      ::_exit(98);
                    }),
                    0));
  CHECK(read_file("out").empty());
}

TEST_CASE("A vector is written as a float64 array of one dimension") {
  const Directory directory;
  OutputFile file(resolve_target("dgamma.npy"));
  const std::vector<double> values = {0.1, -0.0};
  write_vector(file, values);
  file.finish(false);
  file.commit();
  ArrayHeader header;
  header.dtype = Dtype::float64;
  header.shape = {2};
  CHECK(read_file("dgamma.npy") ==
        format_npy_header(header) + std::string(reinterpret_cast<const char*>(values.data()), 16));
}

TEST_CASE("There is no room, says the writer before the first value") {
  const Directory directory;
  OutputFile file(resolve_target("y.npy"));
  CHECK(error_of([&] {
          ArrayWriter(file, header_of({std::size_t{1} << 50U, 16})).reserve();
        }).starts_with("system: y.npy: cannot reserve 72057594037928064 bytes: "));
}

TEST_CASE("Arrays are written little-endian only") {
  const Directory directory;
  OutputFile file(resolve_target("y.npy"));
  ArrayHeader header = header_of({2, 2});
  header.byte_order = ByteOrder::big;
  CHECK_THROWS_AS(ArrayWriter(file, header), std::invalid_argument);
}
