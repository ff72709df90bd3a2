#include "io/error.hpp"

#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

namespace bn::io {

namespace {

constexpr bool is_continuation(unsigned char byte) { return (byte & 0xC0U) == 0x80U; }

// Length of the printable character that `text` begins with; 0 where it begins with a control
// character or with what is not UTF-8. C1 controls (U+0080 to U+009F) count as control characters:
// some terminals obey them.
std::size_t printable_length(std::string_view text) {
  const auto at = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const unsigned char lead = at(0);
  if (lead < 0x20 || lead == 0x7F) return 0;
  if (lead < 0x80) return 1;
  if (lead == 0xC2) return is_continuation(at(1)) && at(1) >= 0xA0 ? 2 : 0;
  if (lead > 0xC2 && lead < 0xE0) return is_continuation(at(1)) ? 2 : 0;
  if (lead >= 0xE0 && lead < 0xF0) {
    const bool shortest = lead != 0xE0 || at(1) >= 0xA0;
    const bool no_surrogate = lead != 0xED || at(1) < 0xA0;
    return shortest && no_surrogate && is_continuation(at(1)) && is_continuation(at(2)) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead < 0xF5) {
    const bool in_range = (lead != 0xF0 || at(1) >= 0x90) && (lead != 0xF4 || at(1) < 0x90);
    return in_range && is_continuation(at(1)) && is_continuation(at(2)) && is_continuation(at(3))
               ? 4
               : 0;
  }
  return 0;
}

std::string joined(std::string_view file, std::string_view message) {
  return printable(file).append(": ").append(message);
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  constexpr std::array kDigits = {'0', '1', '2', '3', '4', '5', '6', '7',
                                  '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  std::string result;
  while (!text.empty()) {
    if (result.size() >= limit) return result.append("...");
    const std::size_t length = printable_length(text);
    if (length > 0) {
      result.append(text.substr(0, length));
    } else if (text[0] == '\n') {
      result.append("\\n");
    } else if (text[0] == '\t') {
      result.append("\\t");
    } else {
      const auto byte = static_cast<unsigned char>(text[0]);
      result.append("\\x").append({kDigits.at(byte >> 4U), kDigits.at(byte & 15U)});
    }
    text.remove_prefix(length > 0 ? length : 1);
  }
  return result;
}

std::string count_text(std::size_t count, std::string_view noun) {
  return std::to_string(count).append(" ").append(noun).append(count == 1 ? "" : "s");
}

Error usage_error(std::string_view file, std::string_view message, Cause cause) {
  return {ErrorKind::usage, joined(file, message), cause};
}

Error input_error(std::string_view file, std::string_view message, Cause cause) {
  return {ErrorKind::input, joined(file, message), cause};
}

Error system_error(std::string_view file, std::string_view action, int error_number) {
  return {ErrorKind::system,
          joined(file, action) + ": " + std::generic_category().message(error_number),
          error_number == ENOENT ? Cause::missing : Cause::other};
}

Error system_error(std::string_view file, std::string_view message, Cause cause) {
  return {ErrorKind::system, joined(file, message), cause};
}

Error memory_error(std::string_view file, std::string_view what) {
  return system_error(file, "out of memory for " + std::string(what));
}

}  // namespace bn::io
