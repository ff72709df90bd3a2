// What the command line adds to the errors of the layers below.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bn/error.hpp"
#include "io/arrays/reader.hpp"
#include "io/error.hpp"

namespace bn::cli {

/// The flags or arguments ask for something that makes no sense.
class UsageError : public io::Error {
 public:
  explicit UsageError(std::string_view message)
      : io::Error(io::ErrorKind::usage, io::printable(message)) {}
};

/// "; did you mean --momentum?", or nothing where no candidate is near.
[[nodiscard]] std::string suggestion(std::string_view word,
                                     const std::vector<std::string>& candidates);

/// The flag that leads round what the I/O layer refused for this cause, as the end of the message:
/// "; --force replaces it". Empty where none of the command's `flags` helps.
[[nodiscard]] std::string remedy(io::Cause cause, const std::vector<std::string>& flags);

/// "3 channels (axis 1 of (2, 3, 64, 96))".
[[nodiscard]] std::string channels_text(const io::ArrayReader& array, std::ptrdiff_t axis);

/// Throws io::Error where the array does not have the shape of the other one.
void require_same_shape(const io::ArrayReader& array, const io::ArrayReader& other);

/// Where the array would have as many channels along another axis: "; axis -1 has 3: give --axis
/// -1?", as the end of a message. Empty where it would not.
[[nodiscard]] std::string axis_hint(const io::ArrayReader& array, std::ptrdiff_t axis,
                                    std::optional<std::size_t> channels);

/// Calls `work` with the array; where memory does not suffice for it, throws an error that names
/// the array and its shape.
template <class Work>
void with_memory_for(const io::ArrayReader& array, Work work) {
  io::naming_memory_for(array.name(), "an array of shape " + array.shape(), work);
}

/// The library's errors in terms of the files that the values came from; dy may be null.
[[nodiscard]] io::Error explain(const bn::Error& error, const io::ArrayReader& x,
                                const io::ArrayReader* dy, std::ptrdiff_t axis);

/// The error of a statistic of values that came from `source`.
[[nodiscard]] io::Error explain(const RangeError& error, std::string_view source);

}  // namespace bn::cli
