#include "cli/error.hpp"

#include <algorithm>
#include <cmath>

#include "io/nearest.hpp"

namespace bn::cli {

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> words(candidates.begin(), candidates.end());
  const io::Nearest nearest = io::nearest(word, words);
  if (!nearest.plausible()) return "";
  return "; did you mean " + std::string(nearest.word) + "?";
}

std::string remedy(io::Cause cause, const std::vector<std::string>& flags) {
  const auto has = [&flags](const char* flag) { return std::ranges::count(flags, flag) != 0; };
  switch (cause) {
    case io::Cause::already_exists:
      return "; --force replaces it";
    case io::Cause::locked:
      return ", or wait longer with --lock-timeout";
    case io::Cause::not_regular:
      return has("--no-update") ? "; use --no-update, --state-out or --mode test" : "";
    case io::Cause::not_a_cache:
      return " --cache";  // "... not a cache of bn forward"
    case io::Cause::missing:
    case io::Cause::other:
      break;
  }
  return "";
}

std::string channels_text(const io::ArrayReader& array, std::ptrdiff_t axis) {
  return std::to_string(array.view(axis).channel) + " channels (axis " + std::to_string(axis) +
         " of " + array.shape() + ")";
}

void require_same_shape(const io::ArrayReader& array, const io::ArrayReader& other) {
  if (array.header().shape == other.header().shape) return;
  throw io::input_error(array.name(), "the shape " + array.shape() + ", but " + other.name() +
                                          " has the shape " + other.shape());
}

std::string axis_hint(const io::ArrayReader& array, std::ptrdiff_t axis,
                      std::optional<std::size_t> channels) {
  const std::vector<std::size_t>& shape = array.header().shape;
  const auto rank = static_cast<std::ptrdiff_t>(shape.size());
  const std::ptrdiff_t present = axis < 0 ? axis + rank : axis;
  // The last axis is the usual other one; the first is hardly ever that of the channels.
  std::vector<std::ptrdiff_t> candidates = {rank - 1};
  for (std::ptrdiff_t d = 1; d < rank; ++d) candidates.push_back(d);
  candidates.push_back(0);
  for (const std::ptrdiff_t d : candidates) {
    if (d == present || shape[static_cast<std::size_t>(d)] != channels) continue;
    const std::string name = std::to_string(d == rank - 1 ? -1 : d);
    return "; axis " + name + " has " + std::to_string(*channels) + ": give --axis " + name + "?";
  }
  return "";
}

io::Error explain(const bn::Error& error, const io::ArrayReader& x, const io::ArrayReader* dy,
                  std::ptrdiff_t axis) {
  if (const auto* non_finite = dynamic_cast<const NonFiniteError*>(&error)) {
    const io::ArrayReader& array = non_finite->operand == Operand::x ? x : *dy;
    const double value = non_finite->value;
    const char* found = std::isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity";
    return {io::ErrorKind::input, array.name() + ": " + found + " at index " +
                                      io::index_text(array.header(), non_finite->position) +
                                      "; its channel has no finite statistics"};
  }
  if (dynamic_cast<const SingleValueError*>(&error) != nullptr) {
    return {io::ErrorKind::input, x.name() + ": one value per channel (axis " +
                                      std::to_string(axis) + " of " + x.shape() +
                                      ") has no variance to normalise by; use more values or "
                                      "--mode test"};
  }
  if (const auto* range = dynamic_cast<const RangeError*>(&error)) {
    return explain(*range, x.name());
  }
  return {io::ErrorKind::input, x.name() + ": " + error.what()};
}

io::Error explain(const RangeError& error, std::string_view source) {
  return io::input_error(source, std::string(error.statistic) + " of channel " +
                                     std::to_string(error.channel) +
                                     " is outside the range of double");
}

}  // namespace bn::cli
