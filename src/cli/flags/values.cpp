#include "cli/flags/values.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <system_error>

namespace bn::cli {

namespace {

UsageError out_of_range(std::string_view flag, std::string_view text, const std::string& range) {
  return UsageError(std::string(flag) + ": " + std::string(text) + " is not " + range);
}

UsageError malformed(std::string_view flag, std::string_view text, const char* expected) {
  return UsageError(std::string(flag) + ": '" + std::string(text) + "' is not " + expected);
}

}  // namespace

double parse_number(std::string_view flag, std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (stop != end || error == std::errc::invalid_argument) {
    throw malformed(flag, text, "a number");
  }
  if (error != std::errc() || !std::isfinite(value)) {
    throw out_of_range(flag, text, "a finite number in the range of double");
  }
  return value;
}

std::int64_t parse_integer(std::string_view flag, std::string_view text, std::int64_t least,
                           std::int64_t greatest) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (stop != end || error == std::errc::invalid_argument) {
    throw malformed(flag, text, "an integer");
  }
  if (error != std::errc() || value < least || value > greatest) {
    throw out_of_range(flag, text,
                       "in the range " + std::to_string(least) + " to " + std::to_string(greatest));
  }
  return value;
}

std::ptrdiff_t parse_axis(std::string_view flag, std::string_view text) {
  // Which axes there are is up to the array.
  using Limits = std::numeric_limits<std::ptrdiff_t>;
  return parse_integer(flag, text, Limits::min(), Limits::max());
}

double parse_eps(std::string_view flag, std::string_view text) {
  const double eps = parse_number(flag, text);
  if (!(eps > 0)) throw out_of_range(flag, text, "greater than 0");
  return eps;
}

double parse_seconds(std::string_view flag, std::string_view text) {
  const double seconds = parse_number(flag, text);
  if (!(seconds >= 0 && seconds <= 1e9)) throw out_of_range(flag, text, "in the range 0 to 1e9");
  return seconds;
}

std::optional<double> parse_momentum(std::string_view flag, std::string_view text) {
  if (text == "null") return std::nullopt;
  const double momentum = parse_number(flag, text);
  if (!(momentum >= 0 && momentum <= 1)) throw out_of_range(flag, text, "in the range 0 to 1");
  return momentum;
}

Values parse_values(std::string_view flag, const std::string& text) {
  double ignored = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, ignored);
  if (stop != end || error == std::errc::invalid_argument) return text;
  return parse_number(flag, text);
}

Mode parse_mode(std::string_view flag, std::string_view text) {
  return parse_choice<Mode>(flag, text);
}

Dtype parse_dtype(std::string_view flag, std::string_view text) {
  return parse_word<Dtype>(
      flag, text,
      {{"float16", Dtype::float16}, {"float32", Dtype::float32}, {"float64", Dtype::float64}});
}

std::string text(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

}  // namespace bn::cli
