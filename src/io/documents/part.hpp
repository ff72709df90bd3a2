// PART files of `bn stats`: exact statistics that can be merged, as JSON.
#pragma once

#include <string>
#include <string_view>

#include "bn/statistics.hpp"

namespace bn::io {

/// The one text for these sums, so that equal statistics are equal files byte for byte: channels,
/// count, mean and var (null where count is 0), and the exact sums. Throws RangeError as
/// bn::statistics().
[[nodiscard]] std::string format_part(const Sums& sums);

/// As strict as parse_state(); also checks that mean and var are those of the sums. Throws Error
/// (input).
[[nodiscard]] Sums parse_part(std::string_view text, std::string_view file);
/// Throws Error (input; system where it cannot be read).
[[nodiscard]] Sums read_part(const std::string& path);

}  // namespace bn::io
