#include "cli/error.hpp"

#include <cmath>

#include "io/nearest.hpp"

namespace bn::cli {

namespace {

// The index, as Python writes it, of the element at a position in memory order.
std::string index_text(const io::ArrayHeader& header, std::size_t position) {
  std::vector<std::size_t> index(header.shape.size());
  for (std::size_t step = 0; step < index.size(); ++step) {
    // The dimension whose index changes fastest comes first.
    const std::size_t d = header.order == Order::c ? index.size() - 1 - step : step;
    index[d] = position % header.shape[d];
    position /= header.shape[d];
  }
  return io::shape_text(index);
}

}  // namespace

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> words(candidates.begin(), candidates.end());
  const io::Nearest nearest = io::nearest(word, words);
  if (!nearest.plausible()) return "";
  return "; did you mean " + std::string(nearest.word) + "?";
}

std::string remedy(io::Cause cause) {
  switch (cause) {
    case io::Cause::already_exists:
      return "; --force replaces it";
    case io::Cause::locked:
      return ", or wait longer with --lock-timeout";
    case io::Cause::not_regular:
      return "; use --state-out or --no-update";
    case io::Cause::not_a_cache:
      return " --cache";  // "... not a cache of bn forward"
    case io::Cause::other:
      break;
  }
  return "";
}

std::string channels_text(const io::ArrayReader& array, std::ptrdiff_t axis) {
  return std::to_string(array.view(axis).channel) + " channels (axis " + std::to_string(axis) +
         " of " + array.shape() + ")";
}

io::Error explain(const bn::Error& error, const io::ArrayReader& x, const io::ArrayReader* dy,
                  std::ptrdiff_t axis) {
  if (const auto* non_finite = dynamic_cast<const NonFiniteError*>(&error)) {
    const io::ArrayReader& array = non_finite->operand == Operand::x ? x : *dy;
    const double value = non_finite->value;
    const char* found = std::isnan(value) ? "NaN" : value > 0 ? "infinity" : "-infinity";
    return {io::ErrorKind::input, array.name() + ": " + found + " at index " +
                                      index_text(array.header(), non_finite->position) +
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
