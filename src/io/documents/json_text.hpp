// Writing JSON: the text of values, and of an object of them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bn::io::json {

/// Keys, each with the JSON text of its value.
using Members = std::vector<std::pair<std::string, std::string>>;

/// The shortest text that reads back as the same double, always with a point or an exponent, since
/// "-0" would lose its sign. Finite values only.
[[nodiscard]] std::string number_text(double value);
[[nodiscard]] std::string numbers_text(std::span<const double> values);
[[nodiscard]] std::string integers_text(std::span<const std::size_t> values);
[[nodiscard]] std::string string_text(std::string_view value);
[[nodiscard]] std::string strings_text(std::span<const std::string> values);

/// The same of any number: JSON has none for NaN and infinities, which become null.
[[nodiscard]] std::string number_or_null_text(double value);

/// One key per line, values as given.
[[nodiscard]] std::string object_text(const Members& members);
/// The same within a document, `depth` objects and arrays deep, without the newline at its end.
[[nodiscard]] std::string nested_text(const Members& members, std::size_t depth);
/// An object on one line.
[[nodiscard]] std::string line_text(const Members& members);
/// An array of values that are JSON already, each on a line of its own.
[[nodiscard]] std::string lines_text(std::span<const std::string> values, std::size_t depth);

}  // namespace bn::io::json
