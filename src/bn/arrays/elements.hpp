// Elements of any dtype, one at a time or a few thousand: as float or double where that is exact,
// as an integer times a power of two always.
#pragma once

#include <cstddef>

#include "bn/arrays/dtype.hpp"
#include "bn/exact/int128.hpp"

namespace bn {

/// Every value of the dtype is a float: float16, float32 and the integers of one or two bytes.
[[nodiscard]] bool fits_float(Dtype dtype);

/// Every value of the dtype is a double: all but the integers of eight bytes.
[[nodiscard]] bool fits_double(Dtype dtype);

/// n elements as Real, exactly: `elements` themselves where the dtype is Real, else in `scratch`.
/// Real is float (fits_float) or double (fits_double).
template <class Real>
[[nodiscard]] const Real* widen(Dtype dtype, const std::byte* elements, std::size_t n,
                                Real* scratch) = delete;
template <>
[[nodiscard]] const float* widen<float>(Dtype dtype, const std::byte* elements, std::size_t n,
                                        float* scratch);
template <>
[[nodiscard]] const double* widen<double>(Dtype dtype, const std::byte* elements, std::size_t n,
                                          double* scratch);

/// An exact change of variable, (element - shift) * factor, after which double arithmetic is good
/// enough: it brings integers of eight bytes near their mean, doubles up from where the low part of
/// their mean would underflow, and any elements down whose multiplier would underflow.
struct Rescaling {
  double shift = 0;   ///< an integer; 0 for all but the integers of eight bytes
  double factor = 1;  ///< a power of two

  friend bool operator==(const Rescaling&, const Rescaling&) = default;
};

/// A rescaled element, rounded to double.
[[nodiscard]] double rescaled(Rescaling rescaling, Dtype dtype, const std::byte* element);

/// A finite element as value * 2^exponent; |value| < 2^65. The exponent is 0 for zero, at least
/// -149 - 52 for other values of a dtype that fits_float(), and at least -1074 for all.
struct Decoded {
  Int128 value;
  int exponent;
};
[[nodiscard]] Decoded decode(Dtype dtype, const std::byte* element);

/// The element, rounded if it is an integer that no double equals.
[[nodiscard]] double as_double(Dtype dtype, const std::byte* element);

/// Makes a floating element the NaN that is positive, quiet and without payload.
void set_nan(Dtype dtype, std::byte* element);

/// The element itself if it is NaN or infinite, else 0.
[[nodiscard]] double non_finite(Dtype dtype, const std::byte* element);

}  // namespace bn
