#include "io/nearest.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace bn::io {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Rows of the usual table; swaps need the one before the previous, too.
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> previous(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) current[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, previous);
    std::swap(previous, current);
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
  }
  return current[b.size()];
}

Nearest nearest(std::string_view misspelt, std::span<const std::string_view> words) {
  Nearest best{.word = {}, .distance = std::numeric_limits<std::size_t>::max()};
  for (const std::string_view word : words) {
    const std::size_t distance = edit_distance(misspelt, word);
    if (distance < best.distance) best = {.word = word, .distance = distance};
  }
  return best;
}

}  // namespace bn::io
