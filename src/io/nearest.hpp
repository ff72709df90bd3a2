// "Did you mean": the known word that a misspelt one is closest to.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace bn::io {

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`
/// (Damerau-Levenshtein distance, every letter edited at most once).
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

struct Nearest {
  std::string_view word;
  std::size_t distance = 0;

  /// Close enough to be what was meant, rather than merely the least far.
  [[nodiscard]] bool plausible() const { return distance <= 2 || distance * 3 <= word.size(); }
};

/// The word with the smallest distance, the first of equals. `words` must not be empty.
[[nodiscard]] Nearest nearest(std::string_view misspelt, std::span<const std::string_view> words);

}  // namespace bn::io
