// Values as people type them, read strictly: the whole text, or a UsageError that names the flag.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/conventions.hpp"

namespace bn::cli {

/// A finite decimal number: no NaN, no infinity, nothing outside the range of double.
[[nodiscard]] double parse_number(std::string_view flag, std::string_view text);

/// A decimal integer ("010" is ten) in [min, max].
[[nodiscard]] std::int64_t parse_integer(std::string_view flag, std::string_view text,
                                         std::int64_t min, std::int64_t max);

[[nodiscard]] std::ptrdiff_t parse_axis(std::string_view flag, std::string_view text);
[[nodiscard]] std::size_t parse_channels(std::string_view flag, std::string_view text);
/// What a state can count: 0 to 2^53.
[[nodiscard]] std::uint64_t parse_batches(std::string_view flag, std::string_view text);
[[nodiscard]] unsigned parse_threads(std::string_view flag, std::string_view text);
/// Greater than 0.
[[nodiscard]] double parse_eps(std::string_view flag, std::string_view text);
/// At least 0.
[[nodiscard]] double parse_tolerance(std::string_view flag, std::string_view text);
/// 0 to 2^64 - 1.
[[nodiscard]] std::uint64_t parse_steps(std::string_view flag, std::string_view text);
/// 0 to 1e9.
[[nodiscard]] double parse_seconds(std::string_view flag, std::string_view text);
/// 0 to 1; none for "null", the cumulative average.
[[nodiscard]] std::optional<double> parse_momentum(std::string_view flag, std::string_view text);

/// A number for every channel, or the path of a .npy file.
using NumberOrPath = std::variant<double, std::string>;
/// What is not a number from its first to its last letter is a path.
[[nodiscard]] NumberOrPath parse_number_or_path(std::string_view flag, const std::string& text);
/// The same, numbers being at least 0.
[[nodiscard]] NumberOrPath parse_variance_or_path(std::string_view flag, const std::string& text);

[[nodiscard]] Mode parse_mode(std::string_view flag, std::string_view text);
[[nodiscard]] Dtype parse_dtype(std::string_view flag, std::string_view text);

template <class T>
using Words = std::vector<std::pair<std::string, T>>;

/// "FLAG: 'TEXT' is not one of NAMES; did you mean NAME?"
[[noreturn]] void refuse_word(std::string_view flag, std::string_view text,
                              const std::vector<std::string>& names);

/// A word out of a list: what it stands for.
template <class T>
T parse_word(std::string_view flag, std::string_view text, const Words<T>& words) {
  std::vector<std::string> names;
  for (const auto& [name, value] : words) {
    if (text == name) return value;
    names.push_back(name);
  }
  refuse_word(flag, text, names);
}

/// One of the conventions' words.
template <class Choice>
Choice parse_choice(std::string_view flag, std::string_view text) {
  Words<Choice> words;
  for (const auto& [word, choice] : kWords<Choice>) words.emplace_back(word, choice);
  return parse_word<Choice>(flag, text, words);
}

}  // namespace bn::cli
