#include "io/arrays/array_header.hpp"

#include <limits>

#include "support.hpp"

using namespace bn;
using namespace bn::io;

TEST_CASE("An order that makes no difference is the C order") {
  const auto order = [](const std::vector<std::size_t>& shape) {
    return canonical_order(shape, Order::fortran);
  };
  CHECK(order({}) == Order::c);
  CHECK(order({7}) == Order::c);
  CHECK(order({1, 5, 1}) == Order::c);
  CHECK(order({2, 0, 3}) == Order::c);
  CHECK(order({2, 1, 3}) == Order::fortran);
}

TEST_CASE("Shapes are written as Python does, dtypes are known by NumPy's names") {
  CHECK(shape_text(std::vector<std::size_t>{}) == "()");
  CHECK(shape_text(std::vector<std::size_t>{3}) == "(3,)");
  CHECK(shape_text(std::vector<std::size_t>{2, 3}) == "(2, 3)");
  CHECK(parse_dtype_name("float16") == Dtype::float16);
  CHECK(parse_dtype_name("uint64") == Dtype::uint64);
  CHECK(parse_dtype_name("bool") == Dtype::boolean);
  CHECK_FALSE(parse_dtype_name("boolean"));
}

TEST_CASE("An index is found from the position in memory, in either order") {
  ArrayHeader header;
  header.shape = {2, 3};
  CHECK(index_text(header, 5) == "(1, 2)");
  CHECK(index_text(header, 2) == "(0, 2)");
  header.order = Order::fortran;
  CHECK(index_text(header, 2) == "(0, 1)");
}

TEST_CASE("A header knows how many values and bytes it speaks of") {
  ArrayHeader header;
  header.dtype = Dtype::float64;
  CHECK(header.size() == 1);  // of rank 0
  header.shape = {2, 3};
  CHECK(header.size() == 6);
  CHECK(header.data_bytes() == 48);
  header.shape = {2, 0, 3};
  CHECK(header.data_bytes() == 0);
}

TEST_CASE("An array is addressable where it and a header fit in 63 bits, zeros taken for ones") {
  const auto addressable = [](std::vector<std::size_t> shape, Dtype dtype) {
    return is_addressable(shape, dtype);
  };
  const std::size_t quarter = std::size_t{1} << 61U;
  CHECK(addressable({}, Dtype::float64));
  CHECK(addressable({quarter, 3}, Dtype::uint8));
  CHECK_FALSE(addressable({quarter, 4}, Dtype::uint8));
  CHECK_FALSE(addressable({quarter, 3}, Dtype::uint16));
  CHECK_FALSE(addressable({0, quarter, 4}, Dtype::uint8));
  CHECK_FALSE(addressable({std::numeric_limits<std::size_t>::max(), 2}, Dtype::uint8));
  const std::size_t all = std::numeric_limits<std::int64_t>::max();
  CHECK_FALSE(addressable({all}, Dtype::uint8));  // no room for a header
  // The longest header of a .npy file: 12 bytes and then 64 KiB.
  const std::size_t room = all - 12 - 65536;
  CHECK(addressable({room - 1}, Dtype::uint8));
  CHECK(addressable({room}, Dtype::uint8));
  CHECK_FALSE(addressable({room + 1}, Dtype::uint8));
  CHECK(addressable({room / 8, 1, 0}, Dtype::float64));
  CHECK_FALSE(addressable({room / 8 + 1, 1, 0}, Dtype::float64));
}
