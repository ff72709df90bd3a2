#include "io/documents/batch_statistics.hpp"

#include "support.hpp"

using namespace bn;
using namespace bn::io;
using namespace bn::io::test;

namespace {

// Of the values 1 and 2 in one channel.
const Sums one_and_two = {.count = 2, .sum = {Dyadic(3.0)}, .sum_squares = {Dyadic(5.0)}};

std::string written(const Sums& of, const std::vector<double>& mean,
                    const std::vector<double>& var) {
  json::Members members;
  append_batch_statistics(members, of, mean, var);
  return json::object_text(members);
}

BatchStatistics read(const std::string& text, std::size_t channels = 1) {
  return read_batch_statistics(json::Document(text, "f.json"), "f.json", channels);
}

}  // namespace

TEST_CASE("Statistics of a batch are written with their exact sums, and read back") {
  const std::string text = written(one_and_two, {1.5}, {0.25});
  CHECK(text ==
        "{\n  \"count\": 2,\n  \"mean\": [1.5],\n  \"var\": [0.25],\n  \"sum\": [\"0x3p0\"],\n  "
        "\"sum_squares\": [\"0x5p0\"]\n}\n");
  const BatchStatistics again = read(text);
  CHECK(again.mean == std::vector<double>{1.5});
  CHECK(again.var == std::vector<double>{0.25});
  CHECK(again.sums == one_and_two);
}

TEST_CASE("No values have no statistics, whatever is said about them") {
  const Sums none = {.count = 0, .sum = {{}}, .sum_squares = {{}}};
  const std::string text = written(none, {7}, {8});
  CHECK(text.find("\"mean\": null") != std::string::npos);
  CHECK(read(text).mean.empty());
  CHECK(read(text).sums == none);
}

TEST_CASE("Statistics that are not those of the sums are refused") {
  CHECK(error_of([] {
          return read(written(one_and_two, {1.25}, {0.25}));
        }).starts_with("input: f.json: mean[0] is 1.25, which is not what the exact sums give"));
  CHECK(error_of([] {
          return read(written(one_and_two, {1.5}, {0.5}));
        }).starts_with("input: f.json: var[0] is 0.5, which is not what the exact sums give"));
}

TEST_CASE("The exact sums are as many as the channels") {
  CHECK(error_of([] { return read(written(one_and_two, {1.5}, {0.25}), 2); }) ==
        "input: f.json: sum is an array of 1, but has to be an array of 2 exact numbers like "
        "\"0x1a2bp-149\", one per channel");
}
