// A value that is better known than a double can say.
#pragma once

namespace bn {

/// hi + lo, where hi is the value rounded to the nearest double.
struct DoubleDouble {
  double hi = 0;
  double lo = 0;
};

}  // namespace bn
