// What the I/O layer throws: one line that names the file, what was found and what was expected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

namespace bn::io {

/// Who has to act.
enum class ErrorKind : std::uint8_t {
  usage,   ///< flags and arguments
  input,   ///< the content of a file
  system,  ///< the operating system said no
};

/// What stands in the way, where a caller may know the way round it.
enum class Cause : std::uint8_t {
  other,
  already_exists,  ///< an output that must not be replaced
  locked,          ///< a state that another process held for longer than the time given
  missing,         ///< a file that is not there
  not_regular,     ///< a state to be updated in place that is a pipe or a device
  not_a_cache,     ///< a file of another kind in the place of a cache
};

/// what() is one line without the program's name: "state.json: eps is -1, but has to be > 0".
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message, Cause cause = Cause::other)
      : std::runtime_error(message), kind_(kind), cause_(cause) {}

  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] Cause cause() const { return cause_; }

 private:
  ErrorKind kind_;
  Cause cause_;
};

/// Text from outside as it may stand in a message: control characters and bytes that are not UTF-8
/// become \n, \t or \xNN, and what is longer than `limit` bytes ends in "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 4096);

/// "1 value", "2 values".
[[nodiscard]] std::string count_text(std::size_t count, std::string_view noun);

/// "FILE: MESSAGE", FILE made printable.
[[nodiscard]] Error usage_error(std::string_view file, std::string_view message,
                                Cause cause = Cause::other);
[[nodiscard]] Error input_error(std::string_view file, std::string_view message,
                                Cause cause = Cause::other);

/// "FILE: ACTION: No such file or directory", for instance with the action "cannot open".
[[nodiscard]] Error system_error(std::string_view file, std::string_view action, int error_number);
/// A refusal of the system's that has no errno.
[[nodiscard]] Error system_error(std::string_view file, std::string_view message,
                                 Cause cause = Cause::other);

/// "FILE: out of memory for WHAT".
[[nodiscard]] Error memory_error(std::string_view file, std::string_view what);

/// What `call` returns; where memory does not suffice for it, throws memory_error().
template <class Call>
auto naming_memory_for(std::string_view file, std::string_view what, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    throw memory_error(file, what);
  } catch (const std::length_error&) {  // more elements than any memory can hold
    throw memory_error(file, what);
  }
}

}  // namespace bn::io
