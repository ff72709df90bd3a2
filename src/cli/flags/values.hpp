// Values as people type them, read strictly: the whole text, or a UsageError that names the flag.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/conventions.hpp"
#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/options.hpp"

namespace bn::cli {

/// A finite decimal number: no NaN, no infinity, nothing outside the range of double.
[[nodiscard]] double parse_number(std::string_view flag, std::string_view text);

/// A decimal integer ("010" is ten) in [least, greatest].
[[nodiscard]] std::int64_t parse_integer(std::string_view flag, std::string_view text,
                                         std::int64_t least, std::int64_t greatest);

[[nodiscard]] std::ptrdiff_t parse_axis(std::string_view flag, std::string_view text);
[[nodiscard]] double parse_eps(std::string_view flag, std::string_view text);
[[nodiscard]] double parse_seconds(std::string_view flag, std::string_view text);
/// None for "null", the cumulative average.
[[nodiscard]] std::optional<double> parse_momentum(std::string_view flag, std::string_view text);
/// A number for every channel or, where the text is none, a path.
[[nodiscard]] Values parse_values(std::string_view flag, const std::string& text);
[[nodiscard]] Mode parse_mode(std::string_view flag, std::string_view text);
[[nodiscard]] Dtype parse_dtype(std::string_view flag, std::string_view text);

template <class T>
using Words = std::vector<std::pair<std::string, T>>;

/// A word out of a list: what it stands for.
template <class T>
T parse_word(std::string_view flag, std::string_view text, const Words<T>& words) {
  std::string list;
  std::vector<std::string> names;
  for (const auto& [name, value] : words) {
    if (text == name) return value;
    list += (list.empty() ? "" : ", ") + name;
    names.push_back(name);
  }
  throw UsageError(std::string(flag) + ": '" + std::string(text) + "' is not one of " + list +
                   suggestion(text, names));
}

/// One of the conventions' words.
template <class Choice>
Choice parse_choice(std::string_view flag, std::string_view text) {
  Words<Choice> words;
  for (const auto& [word, choice] : kWords<Choice>) words.emplace_back(word, choice);
  return parse_word<Choice>(flag, text, words);
}

/// The shortest decimal number that reads back as the same double.
[[nodiscard]] std::string text(double value);

}  // namespace bn::cli
