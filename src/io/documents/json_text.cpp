#include "io/documents/json_text.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace bn::io::json {

namespace {

template <class Value, class TextOf>
std::string list_text(std::span<const Value> values, TextOf text_of) {
  std::string text = "[";
  for (const Value& value : values) {
    if (text.size() > 1) text.append(", ");
    text.append(text_of(value));
  }
  return text.append("]");
}

}  // namespace

std::string number_text(double value) {
  if (!std::isfinite(value)) throw std::invalid_argument("JSON has finite numbers only");
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  std::string text(buffer.data(), result.ptr);
  if (text.find_first_of(".e") == std::string::npos) text.append(".0");
  return text;
}

std::string numbers_text(std::span<const double> values) { return list_text(values, number_text); }

std::string integers_text(std::span<const std::size_t> values) {
  return list_text(values, [](std::size_t value) { return std::to_string(value); });
}

std::string string_text(std::string_view value) {
  return nlohmann::json(value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string strings_text(std::span<const std::string> values) {
  return list_text(values, string_text);
}

std::string number_or_null_text(double value) {
  return std::isfinite(value) ? number_text(value) : "null";
}

std::string object_text(const Members& members) { return nested_text(members, 0) + "\n"; }

std::string nested_text(const Members& members, std::size_t depth) {
  const std::string indent(2 * depth, ' ');
  std::string text = "{";
  for (const auto& [key, value] : members) {
    text.append(text.size() > 1 ? ",\n" : "\n").append(indent).append("  ");
    text.append(string_text(key)).append(": ").append(value);
  }
  return text.append("\n").append(indent).append("}");
}

std::string line_text(const Members& members) {
  std::string text = "{";
  for (const auto& [key, value] : members) {
    if (text.size() > 1) text.append(", ");
    text.append(string_text(key)).append(": ").append(value);
  }
  return text.append("}");
}

std::string lines_text(std::span<const std::string> values, std::size_t depth) {
  std::string text = "[";
  for (const std::string& value : values) {
    if (text.size() > 1) text.append(",");
    text.append("\n").append(2 * depth + 2, ' ').append(value);
  }
  return text.append("]");
}

}  // namespace bn::io::json
