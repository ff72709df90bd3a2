#include "io/documents/json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "io/documents/json_text.hpp"
#include "io/error.hpp"
#include "io/nearest.hpp"

namespace bn::io::json {

namespace {

constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxShown = 40;  // of what was found, in a message

// Thrown by the collector at the first letter of what is no object, valid or not.
struct NoObject {};

// Of the words that Python's json writes and JSON does not have, the one at `end`, where the parser
// gave up within it or just behind; empty where there is none.
std::string_view python_number(std::string_view text, std::size_t end) {
  constexpr std::string_view kSeparators = " \t\r\n,:[]{}";
  end = std::min(end, text.size());
  const std::size_t before = text.substr(0, end).find_last_of(kSeparators);
  const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
  const std::size_t size = text.substr(begin).find_first_of(kSeparators);
  const std::string_view word = text.substr(begin, size);
  const bool known = word == "NaN" || word == "Infinity" || word == "-Infinity";
  return known ? word : std::string_view();
}

// What the parser says of text that it has read up to `position`; `where` is the key that it was
// at.
Error syntax_error(std::string_view file, std::string_view text, std::size_t position,
                   std::string_view what, const std::string& where) {
  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
  what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
  const std::string invalid = "is not valid JSON: ";
  if (position > text.size()) {
    return input_error(file, invalid + "it ends too early: " + printable(what, 300));
  }
  const std::string_view number = python_number(text, position);
  if (number.empty()) return input_error(file, invalid + printable(what, 300));
  const std::size_t at = what.find("line ");
  const std::string_view place = what.substr(at, what.find(':') - at);
  return input_error(file, invalid + where + std::string(number) + " at " + std::string(place) +
                               "; JSON has no NaN and no infinity, and every number has to be "
                               "finite (in Python, json.dump(..., allow_nan=False) refuses to "
                               "write others)");
}

// Collects the members of the one object. Throws out of the parser at the first thing that is not
// allowed, so that neither depth nor length of a hostile text costs more than reading it.
class Collector {
 public:
  Collector(std::string_view file, std::string_view document,
            std::vector<std::pair<std::string, Value>>& members)
      : file_(file), document_(document), members_(members) {}

  // The interface that nlohmann::json::sax_parse() calls.
  bool null() {
    begin_value(Kind::null).text.append("null");
    return true;
  }
  bool boolean(bool value) {
    begin_value(Kind::boolean).text.append(value ? "true" : "false");
    return true;
  }
  bool number_integer(std::int64_t number) {
    return add_number(static_cast<double>(number), std::to_string(number),
                      std::uint64_t{0} - static_cast<std::uint64_t>(number));
  }
  bool number_unsigned(std::uint64_t number) {
    return add_number(static_cast<double>(number), std::to_string(number), number);
  }
  bool number_float(double number, const std::string& text) {
    Value& value = begin_value(Kind::number);
    if (frames_.size() == 1) value.number = number;
    if (in_flat_array() && value.numbers.size() + 1 == value.elements) {
      value.numbers.push_back(number);
    }
    value.text.append(text);
    return true;
  }
  bool string(std::string& text) {
    Value& value = begin_value(Kind::string);
    value.text.append(string_text(text));
    if (frames_.size() == 1) value.string = text;
    if (in_flat_array() && value.strings.size() + 1 == value.elements) {
      value.strings.push_back(std::move(text));
    }
    return true;
  }
  bool binary(nlohmann::json::binary_t& /*bytes*/) { return false; }  // not in JSON text
  bool start_object(std::size_t /*size*/) {
    if (frames_.empty()) {
      frames_.push_back({.object = true, .empty = true, .keys = {}});
      return true;
    }
    return open(Kind::object, '{');
  }
  bool key(std::string& name) {
    Frame& frame = frames_.back();
    if (!frame.keys.insert(name).second) {
      throw input_error(file_, "key \"" + printable(name, kMaxShown) + "\" is given twice");
    }
    if (frames_.size() == 1) {
      members_.emplace_back(std::move(name), Value());
      return true;
    }
    std::string& text = members_.back().second.text;
    if (!frame.empty) text.append(", ");
    frame.empty = false;
    text.append(string_text(name)).append(": ");
    return true;
  }
  bool end_object() { return close('}'); }
  bool start_array(std::size_t /*size*/) { return open(Kind::array, '['); }
  bool end_array() { return close(']'); }
  bool parse_error(std::size_t position, const std::string& /*token*/,
                   const nlohmann::json::exception& exception) {
    const std::string where =
        members_.empty() ? "" : printable(members_.back().first, kMaxShown) + " has ";
    throw syntax_error(file_, document_, position, exception.what(), where);
  }

 private:
  struct Frame {
    bool object = false;
    bool empty = true;
    std::set<std::string, std::less<>> keys;
  };

  [[nodiscard]] bool in_flat_array() const { return frames_.size() == 2 && !frames_[1].object; }

  // The member that a value belongs to, its text ready to be continued.
  Value& begin_value(Kind kind) {
    if (frames_.empty()) throw NoObject();
    Value& value = members_.back().second;
    Frame& frame = frames_.back();
    if (frames_.size() == 1) value.kind = kind;
    if (!frame.object) {
      if (!frame.empty) value.text.append(", ");
      frame.empty = false;
      if (frames_.size() == 2) ++value.elements;
    }
    return value;
  }

  bool add_number(double number, const std::string& text, std::uint64_t magnitude) {
    number_float(number, text);
    if (frames_.size() == 1) {
      members_.back().second.integer = true;
      members_.back().second.magnitude = magnitude;
    }
    return true;
  }

  bool open(Kind kind, char bracket) {
    begin_value(kind).text.push_back(bracket);
    if (frames_.size() == kMaxDepth) {
      throw input_error(file_, "is nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }
    frames_.push_back({.object = kind == Kind::object, .empty = true, .keys = {}});
    return true;
  }

  bool close(char bracket) {
    frames_.pop_back();
    if (!frames_.empty()) members_.back().second.text.push_back(bracket);
    return true;
  }

  std::string_view file_;
  std::string_view document_;
  std::vector<std::pair<std::string, Value>>& members_;
  std::vector<Frame> frames_;
};

// Text that does not begin with an object: broken, or valid JSON of another kind.
[[noreturn]] void refuse_no_object(std::string_view text, std::string_view file) {
  try {
    const auto keep_nothing = [](int, nlohmann::json::parse_event_t, nlohmann::json&) {
      return false;
    };
    [[maybe_unused]] const auto nothing =
        nlohmann::json::parse(text.begin(), text.end(), keep_nothing);
  } catch (const nlohmann::json::parse_error& error) {
    throw syntax_error(file, text, error.byte, error.what(), "");
  } catch (const nlohmann::json::out_of_range&) {  // a number that no double holds
  }
  throw input_error(file, "is valid JSON, but has to be an object: {\"key\": value, ...}");
}

std::string describe(const Value& value) {
  const std::string text = printable(value.text, kMaxShown);
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "the boolean " + text;
    case Kind::number:
      return "the number " + text;
    case Kind::string:
      return "the string " + text;
    case Kind::array:
      return "an array of " + std::to_string(value.elements);
    case Kind::object:
      return "an object";
  }
  throw std::logic_error("unknown kind of value");
}

}  // namespace

double Field::number(std::string_view expected) const {
  if (value_.kind != Kind::number) fail(expected);
  return value_.number;
}

std::int64_t Field::integer(std::string_view expected) const {
  if (!value_.integer || value_.magnitude > std::numeric_limits<std::int64_t>::max()) {
    fail(expected);
  }
  const auto magnitude = static_cast<std::int64_t>(value_.magnitude);
  return value_.number < 0 ? -magnitude : magnitude;
}

std::uint64_t Field::unsigned_integer(std::string_view expected) const {
  if (!value_.integer || value_.number < 0) fail(expected);
  return value_.magnitude;
}

const std::string& Field::string(std::string_view expected) const {
  if (value_.kind != Kind::string) fail(expected);
  return value_.string;
}

const std::vector<double>& Field::numbers(std::string_view expected) const {
  if (value_.kind != Kind::array) fail(expected);
  if (value_.numbers.size() < value_.elements) {
    fail_at(value_.numbers.size(), "not a number", expected);
  }
  return value_.numbers;
}

const std::vector<std::string>& Field::strings(std::string_view expected) const {
  if (value_.kind != Kind::array) fail(expected);
  if (value_.strings.size() < value_.elements) {
    fail_at(value_.strings.size(), "not a string", expected);
  }
  return value_.strings;
}

void Field::fail(std::string_view expected) const {
  throw input_error(file_, std::string(key_) + " is " + describe(value_) + ", but has to be " +
                               std::string(expected));
}

void Field::fail_at(std::size_t index, std::string_view found, std::string_view expected) const {
  throw input_error(file_, std::string(key_) + "[" + std::to_string(index) + "] is " +
                               std::string(found) + ", but " + std::string(key_) + " has to be " +
                               std::string(expected));
}

Document::Document(std::string_view text, std::string_view file) : file_(file) {
  // The parser would skip a mark, and take a NUL for the end of the text.
  if (text.starts_with("\xEF\xBB\xBF") || text.starts_with("\xFE\xFF") ||
      text.starts_with("\xFF\xFE")) {
    throw input_error(file, "begins with a byte order mark; JSON in UTF-8 without one is needed");
  }
  if (text.find('\0') != std::string_view::npos) {
    throw input_error(file, "is not valid JSON: it has a NUL byte");
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw input_error(file, "is empty, but has to be a JSON object");
  }
  Collector collector(file, text, members_);
  try {
    static_cast<void>(nlohmann::json::sax_parse(text.begin(), text.end(), &collector));
  } catch (const NoObject&) {
    refuse_no_object(text, file);
  }
}

void Document::require_known(std::span<const std::string_view> keys) const {
  for (const auto& [key, value] : members_) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::string unknown = "unknown key \"" + printable(key, kMaxShown) + "\"; ";
    const Nearest guess = nearest(key, keys);
    // "epsilon" is far from "eps" only by its length.
    if (guess.plausible() || key.starts_with(guess.word)) {
      throw input_error(file_,
                        unknown + "the nearest valid key is \"" + std::string(guess.word) + "\"");
    }
    std::string valid;
    for (const std::string_view word : keys) valid.append(valid.empty() ? "" : ", ").append(word);
    throw input_error(file_, unknown + "valid keys are " + valid);
  }
}

bool Document::has(std::string_view key) const {
  return std::any_of(members_.begin(), members_.end(),
                     [&](const auto& member) { return member.first == key; });
}

Field Document::field(std::string_view key) const {
  const auto found = std::find_if(members_.begin(), members_.end(),
                                  [&](const auto& member) { return member.first == key; });
  if (found == members_.end()) {
    throw input_error(file_, "key \"" + std::string(key) + "\" is missing");
  }
  return {file_, found->first, found->second};
}

}  // namespace bn::io::json
