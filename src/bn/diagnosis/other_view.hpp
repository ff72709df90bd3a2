// Wrong ways to read an array that are known to happen.
#pragma once

#include <optional>
#include <string>

#include "bn/arrays/view.hpp"

namespace bn {

/// Another way to read the memory of x, by somebody who takes another axis for the channels.
struct OtherView {
  std::string mistake;          ///< its name: "other_axis"
  std::string sentence;         ///< what was done, and what it has to be; {} is the value
  std::optional<double> value;  ///< the wrong axis
  View view;
};

}  // namespace bn
