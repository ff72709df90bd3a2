// Strict reading of JSON for small schemas: one object whose values are scalars and flat arrays, or
// are kept as they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bn/conventions.hpp"

namespace bn::io::json {

enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

struct Value {
  Kind kind = Kind::null;
  std::string text;  ///< the value as JSON on one line, numbers as they were written

  double number = 0;            ///< of a number, rounded
  bool integer = false;         ///< written without fraction or exponent, and
  std::uint64_t magnitude = 0;  ///< then its absolute value; negative where number < 0

  std::string string;  ///< of a string

  std::vector<double> numbers;       ///< of an array: its elements, up to the first
  std::vector<std::string> strings;  ///< that is not of that kind
  std::size_t elements = 0;          ///< of an array
};

/// One member of a document, knowing its way into a message. Every getter throws Error (input)
/// unless the value is of that kind: "FILE: KEY is FOUND, but has to be EXPECTED".
class Field {
 public:
  Field(std::string_view file, std::string_view key, const Value& value)
      : file_(file), key_(key), value_(value) {}

  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] double number(std::string_view expected) const;
  [[nodiscard]] std::int64_t integer(std::string_view expected) const;
  [[nodiscard]] std::uint64_t unsigned_integer(std::string_view expected) const;
  [[nodiscard]] const std::string& string(std::string_view expected) const;
  [[nodiscard]] const std::vector<double>& numbers(std::string_view expected) const;
  [[nodiscard]] const std::vector<std::string>& strings(std::string_view expected) const;
  /// "FILE: KEY is FOUND, but has to be EXPECTED", for a value that its kind alone does not rule
  /// out.
  [[noreturn]] void fail(std::string_view expected) const;
  /// The same for KEY[INDEX].
  [[noreturn]] void fail_at(std::size_t index, std::string_view found,
                            std::string_view expected) const;

 private:
  std::string_view file_;
  std::string_view key_;
  const Value& value_;
};

/// The choice whose word the field is. Throws Error (input) for any other value.
template <class Choice>
[[nodiscard]] Choice choose(const Field& field) {
  std::string expected;
  for (const auto& [word, choice] : kWords<Choice>) {
    expected.append(expected.empty() ? "\"" : " or \"").append(word).append("\"");
  }
  const std::string& text = field.string(expected);
  for (const auto& [word, choice] : kWords<Choice>) {
    if (text == word) return choice;
  }
  field.fail(expected);
}

class Document {
 public:
  /// Reads exactly one object, with any white space around it. Throws Error (input) for anything
  /// else: a syntax error, a byte order mark, a key given twice at any depth, NaN, a number beyond
  /// the range of double, more than 64 levels of nesting. `file` is for messages.
  Document(std::string_view text, std::string_view file);

  [[nodiscard]] const std::vector<std::pair<std::string, Value>>& members() const {
    return members_;
  }
  /// Throws Error (input) for any other key, naming the nearest of these, or all where none is
  /// near.
  void require_known(std::span<const std::string_view> keys) const;
  [[nodiscard]] bool has(std::string_view key) const;
  /// Throws Error (input) where there is no such key.
  [[nodiscard]] Field field(std::string_view key) const;

 private:
  std::string file_;
  std::vector<std::pair<std::string, Value>> members_;
};

}  // namespace bn::io::json
