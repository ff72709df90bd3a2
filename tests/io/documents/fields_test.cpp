#include "io/documents/fields.hpp"

#include "support.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

json::Document document(const std::string& value) { return {"{\"k\": " + value + "}", "f.json"}; }

}  // namespace

TEST_CASE("eps is a number above 0") {
  const auto eps = [](const std::string& value) { return read_eps(document(value).field("k")); };
  CHECK(eps("1e-3") == 1e-3);
  CHECK(error_of([&] { return eps("0"); }) ==
        "input: f.json: k is the number 0, but has to be a number > 0");
  CHECK(error_of([&] { return eps("\"1\""); }) ==
        "input: f.json: k is the string \"1\", but has to be a number > 0");
}

TEST_CASE("There are as many values as channels") {
  CHECK(read_channels(document("[1, -2.5]"), "k", 2) == std::vector<double>{1, -2.5});
  CHECK(error_of([] { return read_channels(document("[1, 2]"), "k", 3); }) ==
        "input: f.json: k is an array of 2, but has to be an array of 3 numbers, one per channel");
}

TEST_CASE("The first variance below 0 is named") {
  const json::Document values = document("[0, -0.0, -0.5, -1]");
  const json::Field field = values.field("k");
  CHECK(error_of([&] { require_variances(field, {0, -0.0}); }) == "nothing");
  CHECK(error_of([&] { require_variances(field, field.numbers(kVariances)); }) ==
        "input: f.json: k[2] is -0.5, but k has to be an array of numbers >= 0");
}
