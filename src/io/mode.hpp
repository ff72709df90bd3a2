// Which statistics normalise: the batch's own, or the running ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bn::io {

enum class Mode : std::uint8_t { train, test };

[[nodiscard]] constexpr std::string_view name(Mode mode) {
  return mode == Mode::train ? "train" : "test";
}

[[nodiscard]] constexpr std::optional<Mode> parse_mode(std::string_view text) {
  if (text == "train") return Mode::train;
  if (text == "test") return Mode::test;
  return std::nullopt;
}

}  // namespace bn::io
