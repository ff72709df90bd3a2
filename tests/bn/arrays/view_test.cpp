#include "bn/arrays/view.hpp"

#include <stdexcept>
#include <vector>

#include "catch.hpp"

using bn::make_view;
using bn::Order;
using bn::View;
using Shape = std::vector<std::size_t>;

TEST_CASE("Every rank and axis is outer, channel, inner") {
  REQUIRE(make_view(Shape{5, 3}, 1) == View{5, 3, 1});
  REQUIRE(make_view(Shape{5, 3}, 0) == View{1, 5, 3});
  REQUIRE(make_view(Shape{2, 3, 4, 5}, 1) == View{2, 3, 20});
  REQUIRE(make_view(Shape{2, 3, 4, 5}, -1) == View{24, 5, 1});
  REQUIRE(make_view(Shape{2, 3, 4, 5}, -4) == View{1, 2, 60});
  REQUIRE(make_view(Shape{2, 3, 4, 5, 6}, 2) == View{6, 4, 30});
}

TEST_CASE("Fortran order is the view of the reversed shape") {
  REQUIRE(make_view(Shape{2, 3, 4, 5}, 1, Order::fortran) == View{20, 3, 2});
  REQUIRE(make_view(Shape{2, 3, 4, 5}, -1, Order::fortran) == View{1, 5, 24});
}

TEST_CASE("Empty dimensions are kept") {
  REQUIRE(make_view(Shape{0, 3, 4}, 1) == View{0, 3, 4});
  REQUIRE(make_view(Shape{2, 0, 4}, 1) == View{2, 0, 4});
  REQUIRE(View{0, 3, 4}.m() == 0);
  REQUIRE(View{2, 0, 4}.m() == 8);
  REQUIRE(View{2, 0, 4}.size() == 0);
}

TEST_CASE("A rank below 2 and an axis outside the rank are refused, never moved") {
  REQUIRE_THROWS_AS(make_view(Shape{}, 0), std::invalid_argument);
  REQUIRE_THROWS_AS(make_view(Shape{5}, 0), std::invalid_argument);
  for (const std::ptrdiff_t axis : {2, 3, -3, 1000}) {
    REQUIRE_THROWS_AS(make_view(Shape{5, 3}, axis), std::invalid_argument);
  }
}

TEST_CASE("A tile knows where its rows stand") {
  const View view{4, 3, 10};
  const bn::Tile tile{{1, 2}, {2, 1}, {4, 5}};
  REQUIRE(tile.row_size() == 5);
  REQUIRE(tile.size() == 10);
  REQUIRE(tile.position(view, 0) == (1 * 3 + 2) * 10 + 4);
  REQUIRE(tile.position(view, 1) == (2 * 3 + 2) * 10 + 4);
}
