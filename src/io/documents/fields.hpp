// Values that several documents have, and what they must be.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "io/documents/json.hpp"
#include "io/files/file_kind.hpp"

namespace bn::io {

/// The keys of `document` are those of the kind `expected`. Throws Error (input), as all of these:
/// a document of another kind is named by its kind, an unknown key with what it could be.
void require_kind(const json::Document& document, FileKind expected, std::string_view file);

/// A number > 0.
[[nodiscard]] double read_eps(const json::Field& field);

/// One array of `channels` numbers.
[[nodiscard]] std::vector<double> read_channels(const json::Document& document,
                                                std::string_view key, std::size_t channels);

inline constexpr std::string_view kVariances = "an array of numbers >= 0";

/// `values`, which are those of `field`, are all >= 0.
void require_variances(const json::Field& field, const std::vector<double>& values);

}  // namespace bn::io
