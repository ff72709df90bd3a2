// Which files stats and calibrate read, as the command line says it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bn::cli {

struct InputNames {
  std::vector<std::string> operands;  ///< either these
  std::optional<std::string> list;    ///< or those in this file, that of --files0-from
};

}  // namespace bn::cli
