// What the I/O layer throws: one line that names the file, what was found and what was expected.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace bn::io {

/// Who has to act; the value is the exit code.
enum class ErrorKind {
  usage = 2,   ///< flags and arguments
  input = 3,   ///< the content of a file
  system = 4,  ///< the operating system said no
};

/// what() is one line without the program's name: "state.json: eps is -1, but has to be > 0".
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  [[nodiscard]] ErrorKind kind() const { return kind_; }
  [[nodiscard]] int exit_code() const { return static_cast<int>(kind_); }

 private:
  ErrorKind kind_;
};

/// Text from outside as it may stand in a message: control characters and bytes that are not UTF-8
/// become \n, \t or \xNN, and what is longer than `limit` bytes ends in "...".
[[nodiscard]] std::string printable(std::string_view text, std::size_t limit = 4096);

/// "FILE: MESSAGE", FILE made printable.
[[nodiscard]] Error usage_error(std::string_view file, std::string_view message);
[[nodiscard]] Error input_error(std::string_view file, std::string_view message);

/// "FILE: ACTION: No such file or directory", for instance with the action "cannot open".
[[nodiscard]] Error system_error(std::string_view file, std::string_view action, int error_number);
/// A refusal of the system's that has no errno.
[[nodiscard]] Error system_error(std::string_view file, std::string_view message);

}  // namespace bn::io
