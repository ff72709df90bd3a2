#include "io/documents/cache.hpp"

#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

/// x = [[1, 4], [2, 4]], float32.
Cache train_cache() {
  Cache cache;
  cache.shape = {2, 2};
  cache.gamma = {1, 0.1};
  cache.sums = Sums{
      .count = 2, .sum = {Dyadic(3.0), Dyadic(8.0)}, .sum_squares = {Dyadic(5.0), Dyadic(32.0)}};
  cache.mean = {1.5, 4};
  cache.var = {0.25, 0};
  cache.x_checksum = 0xFEDCBA9876543210;
  return cache;
}

const std::string train_text = R"({
  "mode": "train",
  "axis": 1,
  "shape": [2, 2],
  "dtype": "float32",
  "memory_order": "C",
  "eps": 1e-05,
  "gamma": [1.0, 0.1],
  "count": 2,
  "mean": [1.5, 4.0],
  "var": [0.25, 0.0],
  "sum": ["0x3p0", "0x1p3"],
  "sum_squares": ["0x5p0", "0x1p5"],
  "x_checksum": "0xfedcba9876543210",
  "checksum": "0xf784be1ae089d7cd"
}
)";

std::string error_with(const std::string& before, const std::string& after,
                       std::string text = train_text) {
  text.replace(text.find(before), before.size(), after);
  return error_of([&] { return parse_cache(text, "c.json"); });
}

}  // namespace

TEST_CASE("A cache of a batch is written and read back") {
  CHECK(format_cache(train_cache()) == train_text);
  const Directory directory;
  write_file("c.json", train_text);
  const Cache cache = read_cache("c.json");
  CHECK(cache.mode == Mode::train);
  CHECK(cache.axis == 1);
  CHECK(cache.shape == std::vector<std::size_t>{2, 2});
  CHECK(cache.dtype == Dtype::float32);
  CHECK(cache.order == Order::c);
  CHECK(cache.eps == 1e-5);
  CHECK(cache.gamma == std::vector<double>{1, 0.1});
  CHECK(cache.mean == std::vector<double>{1.5, 4});
  CHECK(cache.var == std::vector<double>{0.25, 0});
  CHECK(cache.sums == train_cache().sums);
  CHECK(cache.x_checksum == 0xFEDCBA9876543210);
}

TEST_CASE("A cache of test mode has the running statistics and no sums") {
  Cache cache = train_cache();
  cache.mode = Mode::test;
  cache.order = Order::fortran;
  cache.sums.reset();
  const std::string text = format_cache(cache);
  CHECK(text.find("\"sum\"") == std::string::npos);
  CHECK(text.find("\"memory_order\": \"F\"") != std::string::npos);
  const Cache again = parse_cache(text, "c.json");
  CHECK(again.mean == cache.mean);
  CHECK(again.order == Order::fortran);
  CHECK_FALSE(again.sums);
  CHECK(error_with("[0.25, 0.0]", "[0.25, -1]", text) ==
        "input: c.json: var[1] is -1.0, but var has to be an array of numbers >= 0");
  CHECK(error_with("\"gamma\"", "\"count\": 2, \"gamma\"", text) ==
        "input: c.json: has \"count\", which mode \"test\" does not have");
}

TEST_CASE("A cache of an empty batch has no statistics") {
  Cache cache = train_cache();
  cache.shape = {0, 2};
  cache.mean.clear();
  cache.var.clear();
  cache.sums = Sums{.count = 0, .sum = {{}, {}}, .sum_squares = {{}, {}}};
  const Cache again = parse_cache(format_cache(cache), "c.json");
  CHECK(again.sums == cache.sums);
  CHECK(again.mean.empty());
}

TEST_CASE("A cache that has been altered is refused, whatever the value") {
  const std::string altered =
      "input: c.json: \"checksum\" is not that of the other values; the file has been altered and "
      "has to be made again";
  CHECK(error_with("1e-05", "0.001") == altered);
  CHECK(error_with("[1.0, 0.1]", "[1.0, 0.2]") == altered);
  CHECK(error_with("float32", "float64") == altered);
  CHECK(error_with("\"axis\": 1", "\"axis\": -2") == altered);
  CHECK(error_with("\"C\"", "\"F\"") == altered);
  CHECK(error_with("[2, 2]", "[1, 2, 2]") == altered);
  CHECK(error_with("0xfedcba9876543210", "0xfedcba9876543211") == altered);
  CHECK(error_with("\"axis\": 1,", "") == "input: c.json: key \"axis\" is missing");
  Cache test = train_cache();
  test.mode = Mode::test;
  test.sums.reset();
  CHECK(error_with("[1.5, 4.0]", "[1.25, 4.0]", format_cache(test)) == altered);
  CHECK(error_with("[0.25, 0.0]", "[0.5, 0.0]", format_cache(test)) == altered);
  // Neither white space nor the order of the keys is a value.
  std::string moved = train_text;
  const std::string eps = "  \"eps\": 1e-05,\n";
  moved.erase(moved.find(eps), eps.size()).insert(2, "\"eps\" :1e-05 ,");
  CHECK(error_of([&] { return parse_cache(moved, "c.json"); }) == "nothing");
}

TEST_CASE("A cache without a checksum has to be made again") {
  std::string text = train_text;
  const std::size_t at = text.find(",\n  \"checksum\"");
  text.replace(at, std::string::npos, "\n}\n");
  CHECK(error_of([&] { return parse_cache(text, "c.json"); }) ==
        "input: c.json: has no \"checksum\": an older bn wrote it or it has been altered; it has "
        "to be made again");
}

TEST_CASE("Every member of a cache is checked") {
  const auto input = [](const std::string& message) { return "input: c.json: " + message; };
  CHECK(error_with("\"train\"", "\"tain\"") ==
        input("mode is the string \"tain\", but has to be \"train\" or \"test\""));
  CHECK(error_with("\"axis\": 1", "\"axis\": 2") ==
        input("axis is the number 2, but has to be an axis of the shape"));
  const std::string shape = "an array of at least 2 and at most 64 integers >= 0";
  CHECK(error_with("[2, 2]", "[2]") == input("shape is an array of 1, but has to be " + shape));
  CHECK(error_with("[2, 2]", "[2, 2.5]") ==
        input("shape[1] is not such an integer, but shape has to be " + shape));
  CHECK(error_with("[2, 2]", "[1e15, 1e15]") ==
        input("shape is an array of 2, but has to be the shape of an array"));
  CHECK(error_with("float32", "float8") ==
        input("dtype is the string \"float8\", but has to be a dtype like \"float32\""));
  CHECK(error_with("\"C\"", "\"c\"") ==
        input("memory_order is the string \"c\", but has to be \"C\" or \"F\""));
  CHECK(error_with("1e-05", "0") == input("eps is the number 0, but has to be a number > 0"));
  CHECK(error_with("[1.0, 0.1]", "[1.0]") ==
        input("gamma is an array of 1, but has to be an array of 2 numbers, one per channel"));
  CHECK(error_with("\"mean\": [1.5, 4.0],", "") == input("key \"mean\" is missing"));
  CHECK(error_with("\"eps\"", "\"epsilon\"") ==
        input("unknown key \"epsilon\"; the nearest valid key is \"eps\""));
  CHECK(error_with("\"count\": 2", "\"count\": 3") != "nothing");
  const std::string checksum =
      "x_checksum is the string \"0xFEDC\", but has to be a string like \"0x0123456789abcdef\"";
  CHECK(error_with("0xfedcba9876543210", "0xFEDC") == input(checksum));
  CHECK(error_with("0xfedcba9876543210", "0xFEDCBA9876543210") != "nothing");
}

TEST_CASE("The shape of a cache has 2 to 64 dimensions of at most 2^53, the axis is one of them") {
  const auto of_shape = [](const std::vector<std::size_t>& shape, std::ptrdiff_t axis) {
    Cache cache = train_cache();
    cache.mode = Mode::test;
    cache.sums.reset();
    cache.shape = shape;
    cache.axis = axis;
    cache.dtype = Dtype::uint8;
    return error_of([&] { return parse_cache(format_cache(cache), "c.json"); });
  };
  const std::string shape = "an array of at least 2 and at most 64 integers >= 0";
  CHECK(of_shape({2}, 0) == "input: c.json: shape is an array of 1, but has to be " + shape);
  CHECK(of_shape({1, 2}, 1) == "nothing");
  for (const std::size_t rank : {63U, 64U}) {
    std::vector<std::size_t> long_shape(rank, 1);
    long_shape[0] = 2;
    CHECK(of_shape(long_shape, 0) == "nothing");
    CHECK(of_shape(long_shape, -static_cast<std::ptrdiff_t>(rank)) == "nothing");
    CHECK(of_shape(long_shape, -static_cast<std::ptrdiff_t>(rank) - 1) != "nothing");
  }
  std::vector<std::size_t> too_long(65, 1);
  too_long[0] = 2;
  CHECK(of_shape(too_long, 0) == "input: c.json: shape is an array of 65, but has to be " + shape);
  const std::size_t most = std::size_t{1} << 53U;
  CHECK(of_shape({most - 1, 2}, 1) == "nothing");
  CHECK(of_shape({most, 2}, 1) == "nothing");
  CHECK(of_shape({most + 2, 2}, 1) ==
        "input: c.json: shape[0] is not such an integer, but shape has to be " + shape);
  CHECK(error_with("[2, 2]", "[2, -1]") ==
        "input: c.json: shape[1] is not such an integer, but shape has to be " + shape);
  CHECK(of_shape({1, 2}, 2) ==
        "input: c.json: axis is the number 2, but has to be an axis of the shape");
}

TEST_CASE("A checksum is written as 0x and 16 small digits") {
  for (const std::string checksum :
       {"0xfedcba987654321", "0xfedcba98765432100", "0Xfedcba9876543210", "0xFedcba9876543210",
        "00fedcba9876543210", "0xfedcba987654321g", "0x-edcba9876543210"}) {
    CAPTURE(checksum);
    CHECK(error_with("0xfedcba9876543210", checksum) ==
          "input: c.json: x_checksum is the string \"" + checksum +
              "\", but has to be a string like \"0x0123456789abcdef\"");
  }
}

TEST_CASE("The count of a cache is the values per channel of its shape") {
  CHECK(
      error_with("[2, 2]", "[3, 2]") ==
      "input: c.json: count is the number 2, but has to be 3, the values per channel of shape (3, "
      "2)");
}

TEST_CASE("Statistics of a cache that its exact sums contradict are an error") {
  CHECK(error_with("[1.5, 4.0]", "[1.25, 4.0]") ==
        "input: c.json: mean[0] is 1.25, which is not what the exact sums give; the file has been "
        "altered and has to be made again");
  CHECK(error_with("0x5p0", "0x7p0").starts_with("input: c.json: var[0] is 0.25, which is not"));
}
