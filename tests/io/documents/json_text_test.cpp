#include "io/documents/json_text.hpp"

#include <limits>
#include <stdexcept>

#include "support.hpp"

using namespace bn::io::json;

TEST_CASE("Numbers are written as short as reading them back allows, and as no integers") {
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(1) == "1.0");
  CHECK(number_text(-0.0) == "-0.0");
  CHECK(number_text(5e-324) == "5e-324");
  CHECK(number_text(1e300) == "1e+300");
  CHECK_THROWS_AS(number_text(std::numeric_limits<double>::infinity()), std::invalid_argument);
  CHECK(number_or_null_text(0.1) == "0.1");
  CHECK(number_or_null_text(-std::numeric_limits<double>::infinity()) == "null");
  CHECK(number_or_null_text(std::numeric_limits<double>::quiet_NaN()) == "null");
  CHECK(numbers_text(std::vector<double>{1, 2.5}) == "[1.0, 2.5]");
  CHECK(numbers_text({}) == "[]");
  CHECK(integers_text(std::vector<std::size_t>{2, 0}) == "[2, 0]");
  CHECK(strings_text(std::vector<std::string>{"a", "\""}) == R"(["a", "\""])");
}

TEST_CASE("A document is written with one key per line") {
  const Members members = {{"a", "1"}, {"b", "[2, 3]"}};
  CHECK(object_text(members) == "{\n  \"a\": 1,\n  \"b\": [2, 3]\n}\n");
}

TEST_CASE("What is in a document is indented, or on one line") {
  const Members members = {{"a", "1"}, {"b", "2"}};
  CHECK(line_text(members) == R"({"a": 1, "b": 2})");
  CHECK(line_text({}) == "{}");
  CHECK(nested_text(members, 1) == "{\n    \"a\": 1,\n    \"b\": 2\n  }");
  CHECK(lines_text(std::vector<std::string>{"1", "2"}, 1) == "[\n    1,\n    2]");
  CHECK(lines_text({}, 1) == "[]");
}
