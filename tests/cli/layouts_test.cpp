#include "cli/layouts.hpp"

#include <string>

#include "support.hpp"

using namespace bn;
using namespace bn::cli;

namespace {

using Shape = std::vector<std::size_t>;

io::ArrayHeader header(const Shape& shape, Order order = Order::c) {
  return {Dtype::float32, io::ByteOrder::little, order, shape};
}

// "other_axis 0: 1 2 12", one line each.
std::string others(const Shape& shape, std::ptrdiff_t axis, Order order = Order::c) {
  std::string text;
  for (const OtherView& other : other_views(header(shape, order), axis)) {
    text += other.mistake;
    if (other.value) text.append(" ").append(std::to_string(static_cast<int>(*other.value)));
    text += ':';
    for (const std::size_t extent : {other.view.outer, other.view.channel, other.view.inner}) {
      text.append(" ").append(std::to_string(extent));
    }
    text += '\n';
  }
  return text;
}

}  // namespace

TEST_CASE("The rows of a sample lie between its axis and that of the channels") {
  CHECK(rows_per_sample(header({8, 3, 5, 7}), 1) == 1U);
  CHECK(rows_per_sample(header({8, 5, 7, 3}), -1) == 35U);
  CHECK(rows_per_sample(header({8, 5, 7, 3}), 2) == 5U);
  CHECK(rows_per_sample(header({8, 3}), 1) == 1U);
  CHECK(!rows_per_sample(header({8, 3}), 0));
  CHECK(!rows_per_sample(header({8, 3}), -2));
  CHECK(!rows_per_sample(header({8, 3, 5}, Order::fortran), 1));
}

TEST_CASE(
    "Any other axis may be taken for that of the channels, and the data for the other layout") {
  CHECK(others({8, 3, 5, 7}, 1) ==
        "whole_array: 840 1 1\n"
        "other_axis 0: 1 8 105\n"
        "other_axis 2: 24 5 7\n"
        "other_axis 3: 120 7 1\n"
        "memory_as_nhwc: 280 3 1\n");
  CHECK(others({8, 5, 7, 3}, -1) ==
        "whole_array: 840 1 1\n"
        "other_axis 0: 1 8 105\n"
        "other_axis 1: 8 5 21\n"
        "other_axis 2: 40 7 3\n"
        "memory_as_nchw: 8 3 35\n");
  CHECK(others({8, 5, 3, 7}, 2) ==
        "whole_array: 840 1 1\n"
        "other_axis 0: 1 8 105\n"
        "other_axis 1: 8 5 21\n"
        "other_axis 3: 120 7 1\n");
  CHECK(others({8, 3}, 1) == "whole_array: 24 1 1\nother_axis 0: 1 8 3\n");
  CHECK(others({8, 3}, 0) == "whole_array: 24 1 1\nother_axis 1: 8 3 1\n");
}

TEST_CASE("What was done is said with a place for its value, and which axis it has to be") {
  const std::vector<OtherView> others = other_views(header({8, 5, 7, 3}), -1);
  CHECK(others[1].sentence ==
        "the statistics were those of axis {}; the channels lie along axis 3");
  CHECK(others.back().sentence ==
        "the memory was read as if the channels came second; they come last");
}

TEST_CASE("In Fortran order the axes lie the other way round, and there is no other layout") {
  CHECK(others({8, 3, 5}, 1, Order::fortran) ==
        "whole_array: 120 1 1\nother_axis 0: 15 8 1\nother_axis 2: 1 5 24\n");
}

TEST_CASE("Axes of one channel or too many, and the right view again, are nobody's mistake") {
  CHECK(others({1, 3, 1, 65537}, 1) == "whole_array: 196611 1 1\nmemory_as_nhwc: 65537 3 1\n");
  CHECK(others({1, 3, 1, 65536}, 1) ==
        "whole_array: 196608 1 1\nother_axis 3: 3 65536 1\nmemory_as_nhwc: 65536 3 1\n");
  CHECK(others({8, 3, 1, 1}, 1) == "whole_array: 24 1 1\nother_axis 0: 1 8 3\n");
  CHECK(others({0, 3, 4}, 1).empty());
}
