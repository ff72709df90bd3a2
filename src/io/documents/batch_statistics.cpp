#include "io/documents/batch_statistics.hpp"

#include <stdexcept>

#include "bn/error.hpp"
#include "io/documents/fields.hpp"
#include "io/error.hpp"

namespace bn::io {

namespace {

std::vector<Dyadic> read_exact(const json::Document& document, std::string_view key,
                               std::size_t channels) {
  const json::Field field = document.field(key);
  const std::string expected = "an array of " + std::to_string(channels) +
                               " exact numbers like \"0x1a2bp-149\", one per channel";
  const std::vector<std::string>& texts = field.strings(expected);
  if (texts.size() != channels) field.fail(expected);
  std::vector<Dyadic> values;
  values.reserve(texts.size());
  for (const std::string& text : texts) {
    try {
      values.push_back(Dyadic::parse(text));
    } catch (const std::invalid_argument&) {
      field.fail_at(values.size(), "\"" + printable(text, 60) + "\"", expected);
    }
  }
  return values;
}

std::string exact_text(const std::vector<Dyadic>& values) {
  std::vector<std::string> texts;
  texts.reserve(values.size());
  for (const Dyadic& value : values) texts.push_back(value.to_string());
  return json::strings_text(texts);
}

void require_equal(std::string_view file, std::string_view key, const std::vector<double>& stated,
                   const std::vector<double>& exact) {
  for (std::size_t c = 0; c < exact.size(); ++c) {
    if (stated[c] == exact[c]) continue;
    throw input_error(file, std::string(key) + "[" + std::to_string(c) + "] is " +
                                json::number_text(stated[c]) +
                                ", which is not what the exact sums give; the file has been "
                                "altered and has to be made again");
  }
}

void require_null(const json::Document& document, std::string_view key) {
  const json::Field field = document.field(key);
  if (field.value().kind != json::Kind::null) field.fail("null where count is 0");
}

// No values add up to nothing.
void require_zero(const json::Document& document, std::string_view key,
                  const std::vector<Dyadic>& sums) {
  for (std::size_t c = 0; c < sums.size(); ++c) {
    if (sums[c] == Dyadic()) continue;
    const std::string zero = json::string_text(Dyadic().to_string());
    document.field(key).fail_at(c, json::string_text(sums[c].to_string()),
                                zero + " where count is 0");
  }
}

}  // namespace

void append_batch_statistics(json::Members& members, const Sums& sums,
                             const std::vector<double>& mean, const std::vector<double>& var) {
  const bool empty = sums.count == 0;
  members.emplace_back("count", std::to_string(sums.count));
  members.emplace_back("mean", empty ? "null" : json::numbers_text(mean));
  members.emplace_back("var", empty ? "null" : json::numbers_text(var));
  members.emplace_back("sum", exact_text(sums.sum));
  members.emplace_back("sum_squares", exact_text(sums.sum_squares));
}

BatchStatistics read_batch_statistics(const json::Document& document, std::string_view file,
                                      std::size_t channels) {
  BatchStatistics result;
  result.sums.count = document.field("count").unsigned_integer("an integer >= 0");
  result.sums.sum = read_exact(document, "sum", channels);
  result.sums.sum_squares = read_exact(document, "sum_squares", channels);
  if (result.sums.count == 0) {
    require_null(document, "mean");
    require_null(document, "var");
    require_zero(document, "sum", result.sums.sum);
    require_zero(document, "sum_squares", result.sums.sum_squares);
    return result;
  }
  result.mean = read_channels(document, "mean", channels);
  result.var = read_channels(document, "var", channels);
  try {
    const Statistics exact = statistics(result.sums);
    require_equal(file, "mean", result.mean, exact.mean);
    require_equal(file, "var", result.var, exact.var);
    for (std::size_t c = 0; c < channels; ++c) {
      if (exact.var[c] >= 0) continue;
      throw input_error(file, "sum_squares[" + std::to_string(c) +
                                  "] is less than sum^2 / count, which no values have");
    }
  } catch (const RangeError& error) {
    throw input_error(file, std::string("sum and sum_squares are out of range: ") + error.what());
  }
  return result;
}

}  // namespace bn::io
