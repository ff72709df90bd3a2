#include "cli/flags/values.hpp"

#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

#include "cli/error.hpp"
#include "io/documents/state.hpp"

namespace bn::cli {

namespace {

constexpr std::int64_t kMaxThreads = 1024;
constexpr double kMaxSeconds = 1e9;

// What std::from_chars makes of the whole text.
template <class Number>
struct Reading {
  explicit Reading(std::string_view text) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    well_formed = stop == end && error != std::errc::invalid_argument;
    in_range = error != std::errc::result_out_of_range;
  }

  Number value = 0;
  bool well_formed = false;
  bool in_range = false;
};

UsageError out_of_range(std::string_view flag, std::string_view text, const std::string& range) {
  return UsageError(std::string(flag) + ": " + std::string(text) + " is not " + range);
}

UsageError malformed(std::string_view flag, std::string_view text, const char* expected) {
  return UsageError(std::string(flag) + ": '" + std::string(text) + "' is not " + expected);
}

}  // namespace

double parse_number(std::string_view flag, std::string_view text) {
  const Reading<double> reading(text);
  if (!reading.well_formed) throw malformed(flag, text, "a number");
  if (!reading.in_range || !std::isfinite(reading.value)) {
    throw out_of_range(flag, text, "a finite number in the range of double");
  }
  return reading.value;
}

std::int64_t parse_integer(std::string_view flag, std::string_view text, std::int64_t min,
                           std::int64_t max) {
  const Reading<std::int64_t> reading(text);
  if (!reading.well_formed) throw malformed(flag, text, "an integer");
  if (!reading.in_range || reading.value < min || reading.value > max) {
    throw out_of_range(flag, text,
                       "in the range " + std::to_string(min) + " to " + std::to_string(max));
  }
  return reading.value;
}

std::ptrdiff_t parse_axis(std::string_view flag, std::string_view text) {
  // Which axes there are is up to the array.
  using Limits = std::numeric_limits<std::ptrdiff_t>;
  return parse_integer(flag, text, Limits::min(), Limits::max());
}

std::size_t parse_channels(std::string_view flag, std::string_view text) {
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::size_t>(parse_integer(flag, text, 0, kMax));
}

std::uint64_t parse_batches(std::string_view flag, std::string_view text) {
  constexpr auto kMax = static_cast<std::int64_t>(io::kMaxBatches);
  return static_cast<std::uint64_t>(parse_integer(flag, text, 0, kMax));
}

unsigned parse_threads(std::string_view flag, std::string_view text) {
  return static_cast<unsigned>(parse_integer(flag, text, 1, kMaxThreads));
}

double parse_eps(std::string_view flag, std::string_view text) {
  const double eps = parse_number(flag, text);
  if (!(eps > 0)) throw out_of_range(flag, text, "greater than 0");
  return eps;
}

double parse_tolerance(std::string_view flag, std::string_view text) {
  const double tolerance = parse_number(flag, text);
  if (!(tolerance >= 0)) throw out_of_range(flag, text, "at least 0");
  return tolerance;
}

std::uint64_t parse_steps(std::string_view flag, std::string_view text) {
  const Reading<std::uint64_t> reading(text);
  if (!reading.well_formed) throw malformed(flag, text, "an integer that is at least 0");
  if (!reading.in_range) throw out_of_range(flag, text, "less than 2^64");
  return reading.value;
}

double parse_seconds(std::string_view flag, std::string_view text) {
  const double seconds = parse_number(flag, text);
  if (!(seconds >= 0 && seconds <= kMaxSeconds))
    throw out_of_range(flag, text, "in the range 0 to 1e9");
  return seconds;
}

std::optional<double> parse_momentum(std::string_view flag, std::string_view text) {
  if (text == "null") return std::nullopt;
  const double momentum = parse_number(flag, text);
  if (!(momentum >= 0 && momentum <= 1)) throw out_of_range(flag, text, "in the range 0 to 1");
  return momentum;
}

NumberOrPath parse_number_or_path(std::string_view flag, const std::string& text) {
  if (!Reading<double>(text).well_formed) return text;
  return parse_number(flag, text);
}

NumberOrPath parse_variance_or_path(std::string_view flag, const std::string& text) {
  NumberOrPath given = parse_number_or_path(flag, text);
  const double* number = std::get_if<double>(&given);
  if (number != nullptr && *number < 0) {
    throw UsageError(std::string(flag) + ": " + text + " is less than 0");
  }
  return given;
}

Mode parse_mode(std::string_view flag, std::string_view text) {
  return parse_choice<Mode>(flag, text);
}

Dtype parse_dtype(std::string_view flag, std::string_view text) {
  return parse_word<Dtype>(
      flag, text,
      {{"float16", Dtype::float16}, {"float32", Dtype::float32}, {"float64", Dtype::float64}});
}

void refuse_word(std::string_view flag, std::string_view text,
                 const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  throw UsageError(std::string(flag) + ": '" + std::string(text) + "' is not one of " + list +
                   suggestion(text, names));
}

}  // namespace bn::cli
