// The flags that lead round what the I/O layer refused.
#pragma once

#include <string>

#include "io/error.hpp"

namespace bn::cli {

/// What is appended to the message of an error of this cause: "; --force replaces it". Empty where
/// no flag helps.
[[nodiscard]] std::string remedy(io::Cause cause);

}  // namespace bn::cli
