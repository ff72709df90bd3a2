#include "io/documents/fields.hpp"

#include <algorithm>
#include <string>

#include "io/documents/json_text.hpp"

namespace bn::io {

void require_kind(const json::Document& document, FileKind expected, std::string_view file) {
  DocumentKeys keys;
  for (const auto& [key, value] : document.members()) keys.add(key);
  const FileKind found = keys.kind();
  if (found != FileKind::json && found != expected) throw wrong_kind(file, found, expected);
  document.require_known(keys_of(expected));
}

double read_eps(const json::Field& field) {
  constexpr std::string_view kExpected = "a number > 0";
  const double value = field.number(kExpected);
  if (!(value > 0)) field.fail(kExpected);
  return value;
}

std::vector<double> read_channels(const json::Document& document, std::string_view key,
                                  std::size_t channels) {
  const json::Field field = document.field(key);
  const std::string expected =
      "an array of " + std::to_string(channels) + " numbers, one per channel";
  const std::vector<double>& values = field.numbers(expected);
  if (values.size() != channels) field.fail(expected);
  return values;
}

void require_variances(const json::Field& field, const std::vector<double>& values) {
  const auto negative = std::find_if(values.begin(), values.end(), [](double v) { return v < 0; });
  if (negative == values.end()) return;
  field.fail_at(static_cast<std::size_t>(negative - values.begin()), json::number_text(*negative),
                kVariances);
}

}  // namespace bn::io
