#include "io/documents/part.hpp"

#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

const Sums two_channels = {.count = 3,
                           .sum = {Dyadic(6.0), Dyadic(-0.375)},
                           .sum_squares = {Dyadic(14.0), Dyadic(0.140625)}};

const std::string text = R"({
  "channels": 2,
  "count": 3,
  "mean": [2.0, -0.125],
  "var": [0.6666666666666666, 0.03125],
  "sum": ["0x3p1", "-0x3p-3"],
  "sum_squares": ["0x7p1", "0x9p-6"]
}
)";

std::string error_with(const std::string& before, const std::string& after) {
  std::string changed = text;
  changed.replace(changed.find(before), before.size(), after);
  return error_of([&] { return parse_part(changed, "p.json"); });
}

}  // namespace

TEST_CASE("A part is written and read back") {
  CHECK(format_part(two_channels) == text);
  const Directory directory;
  write_file("p.json", text);
  CHECK(read_part("p.json") == two_channels);
}

TEST_CASE("A part of no values has null for its statistics") {
  const Sums empty = {.count = 0, .sum = {{}}, .sum_squares = {{}}};
  const std::string written = format_part(empty);
  CHECK(written.find("\"mean\": null") != std::string::npos);
  CHECK(parse_part(written, "p.json") == empty);
  CHECK(error_with("\"count\": 3", "\"count\": 0") ==
        "input: p.json: mean is an array of 2, but has to be null where count is 0");
}

TEST_CASE("No values have sums of 0") {
  const auto error = [](const std::string& sum, const std::string& sum_squares) {
    const std::string part =
        "{\"channels\": 2, \"count\": 0, \"mean\": null, \"var\": null, "
        "\"sum\": [\"0x0p0\", \"" +
        sum + "\"], \"sum_squares\": [\"0x0p0\", \"" + sum_squares + "\"]}";
    return error_of([&] { return parse_part(part, "p.json"); });
  };
  CHECK(error("0x0p0", "0x0p0") == "nothing");
  CHECK(error("0x3p1", "0x9p2") ==
        "input: p.json: sum[1] is \"0x3p1\", but sum has to be \"0x0p0\" where count is 0");
  CHECK(error("0x0p0", "0x9p2") ==
        "input: p.json: sum_squares[1] is \"0x9p2\", but sum_squares has to be \"0x0p0\" where "
        "count is 0");
}

TEST_CASE("Every member of a part is checked") {
  const auto input = [](const std::string& message) { return "input: p.json: " + message; };
  const std::string exact = "an array of 2 exact numbers like \"0x1a2bp-149\", one per channel";
  CHECK(error_with("\"channels\": 2", "\"channels\": 2.0") ==
        input("channels is the number 2.0, but has to be an integer >= 0"));
  CHECK(error_with("\"channels\": 2", "\"channels\": 3") != "nothing");
  CHECK(error_with("\"count\": 3", "\"count\": -3") ==
        input("count is the number -3, but has to be an integer >= 0"));
  CHECK(error_with("\"0x3p1\"", "\"0x6p0\"") ==
        input("sum[0] is \"0x6p0\", but sum has to be " + exact));
  CHECK(error_with("\"0x7p1\"", "14") ==
        input("sum_squares[0] is not a string, but sum_squares has to be " + exact));
  CHECK(error_with("\"0x3p1\", ", "") == input("sum is an array of 1, but has to be " + exact));
  CHECK(error_with("[2.0, -0.125]", "[2.0]") ==
        input("mean is an array of 1, but has to be an array of 2 numbers, one per channel"));
  CHECK(error_with("[2.0, -0.125]", "[2.5, -0.125]") ==
        input("mean[0] is 2.5, which is not what the exact sums give; the file has been altered "
              "and has to be made again"));
  CHECK(error_with("\"0x7p1\"", "\"0x1p4000\"")
            .starts_with(input("sum and sum_squares are out of "
                               "range: ")));
  CHECK(error_with("channels", "chanels") ==
        input("unknown key \"chanels\"; the nearest valid key is \"channels\""));
}

TEST_CASE("Sums that no values have are refused, though mean and var agree with them") {
  const std::string impossible =
      "{\"channels\": 1, \"count\": 1, \"mean\": [1.0], \"var\": [-0.5], "
      "\"sum\": [\"0x1p0\"], \"sum_squares\": [\"0x1p-1\"]}";
  CHECK(error_of([&] { return parse_part(impossible, "p.json"); }) ==
        "input: p.json: sum_squares[0] is less than sum^2 / count, which no values have");
}
