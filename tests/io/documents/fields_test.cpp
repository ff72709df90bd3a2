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
  CHECK(eps("5e-324") > 0);
  CHECK(error_of([&] { return eps("-5e-324"); }) != "nothing");
  CHECK(error_of([&] { return eps("0"); }) ==
        "input: f.json: k is the number 0, but has to be a number > 0");
  CHECK(error_of([&] { return eps("\"1\""); }) ==
        "input: f.json: k is the string \"1\", but has to be a number > 0");
}

TEST_CASE("There are as many values as channels") {
  CHECK(read_channels(document("[1, -2.5]"), "k", 2) == std::vector<double>{1, -2.5});
  CHECK(error_of([] { return read_channels(document("[1, 2]"), "k", 3); }) ==
        "input: f.json: k is an array of 2, but has to be an array of 3 numbers, one per channel");
  CHECK(error_of([] { return read_channels(document("[1, 2]"), "k", 1); }) ==
        "input: f.json: k is an array of 2, but has to be an array of 1 numbers, one per channel");
}

TEST_CASE("The first variance below 0 is named") {
  const json::Document values = document("[0, -0.0, -0.5, -1]");
  const json::Field field = values.field("k");
  CHECK(error_of([&] { require_variances(field, {0, -0.0}); }) == "nothing");
  CHECK(error_of([&] { require_variances(field, field.numbers(kVariances)); }) ==
        "input: f.json: k[2] is -0.5, but k has to be an array of numbers >= 0");
}

TEST_CASE("A document of another kind is named by its kind, an unknown key where there is none") {
  const auto error = [](const std::string& text, FileKind expected) {
    return error_of([&] {
      const json::Document read(text, "f.json");
      require_kind(read, expected, "f.json");
    });
  };
  const std::string state = R"({"eps": 1, "running_mean": [0]})";
  CHECK(error(state, FileKind::state) == "nothing");
  CHECK(error(state, FileKind::part) == "input: f.json: is a state, not a part of bn stats");
  CHECK(error(R"({"gamma": [1]})", FileKind::cache) ==
        "input: f.json: is a state, not a cache of bn forward");
  CHECK(error(R"({"channels": 1, "var": [1]})", FileKind::state) ==
        "input: f.json: is a part of bn stats, not a state");
  CHECK(error("{}", FileKind::cache) == "nothing");  // which of its keys it lacks is said later
  CHECK(error(R"({"chanels": 1})", FileKind::part) ==
        "input: f.json: unknown key \"chanels\"; the nearest valid key is \"channels\"");
}
