#include "io/nearest.hpp"

#include <array>

#include "support.hpp"

using namespace bn::io;

TEST_CASE("The edit distance counts insertions, deletions, substitutions and swaps as one") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("momentun", "momentum") == 1);
  CHECK(edit_distance("moemntum", "momentum") == 1);
  CHECK(edit_distance("ca", "abc") == 3);  // no letter is edited twice
}

TEST_CASE("The nearest word is the first of those with the smallest distance") {
  constexpr std::array<std::string_view, 4> words = {"gamma", "beta", "momentum",
                                                     "momentum_weights"};
  CHECK(nearest("momentun", words).word == "momentum");
  CHECK(nearest("gama", words).word == "gamma");
  CHECK(nearest("gama", words).plausible());
  constexpr std::array<std::string_view, 3> equals = {"mean", "bat", "cat"};
  CHECK(nearest("rat", equals).word == "bat");
  CHECK_FALSE(nearest("xyzzyxyz", words).plausible());
}

TEST_CASE("A word is plausible at a distance of 2, or of a third of its letters") {
  const auto plausible = [](std::size_t distance, std::string_view word) {
    return Nearest{.word = word, .distance = distance}.plausible();
  };
  CHECK(plausible(1, "a"));
  CHECK(plausible(2, "a"));
  CHECK_FALSE(plausible(3, "a"));
  CHECK_FALSE(plausible(3, "eightlet"));
  CHECK(plausible(3, "nineletts"));
  CHECK_FALSE(plausible(4, "nineletts"));
}
