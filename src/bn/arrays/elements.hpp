// Elements of any dtype, one at a time or a few thousand: as float or double where that is exact,
// as an integer times a power of two always.
#pragma once

#include <cstddef>

#include "bn/arrays/dtype.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/exact/int128.hpp"
#include "bn/exact/nearest.hpp"

namespace bn {

/// An element of an array, and those behind it.
struct Element {
  Dtype dtype{};
  const std::byte* at = nullptr;

  [[nodiscard]] Element behind(std::size_t i) const { return {dtype, at + i * item_size(dtype)}; }
};

/// The format of a floating dtype.
[[nodiscard]] const Format& format_of(Dtype dtype);

/// Every value of the dtype is a float: float16, float32 and the integers of one or two bytes.
[[nodiscard]] bool fits_float(Dtype dtype);

/// Every value of the dtype is a double: all but the integers of eight bytes.
[[nodiscard]] bool fits_double(Dtype dtype);

/// n elements as Real, exactly: `elements` themselves where the dtype is Real, else in `scratch`.
/// Real is float (fits_float) or double (any dtype); an integer that no double equals becomes NaN.
template <class Real>
[[nodiscard]] const Real* widen(Dtype dtype, const std::byte* elements, std::size_t n,
                                Real* scratch) = delete;
template <>
[[nodiscard]] const float* widen<float>(Dtype dtype, const std::byte* elements, std::size_t n,
                                        float* scratch);
template <>
[[nodiscard]] const double* widen<double>(Dtype dtype, const std::byte* elements, std::size_t n,
                                          double* scratch);

/// A finite element as value * 2^exponent; |value| < 2^65. The exponent is 0 for zero, at least
/// -149 - 52 for other values of a dtype that fits_float(), and at least -1074 for all.
struct Decoded {
  Int128 value;
  int exponent;
};
[[nodiscard]] Decoded decode(Dtype dtype, const std::byte* element);

/// A finite element.
[[nodiscard]] Dyadic exact_value(Dtype dtype, const std::byte* element);

/// The element, rounded if it is an integer that no double equals.
[[nodiscard]] double as_double(Dtype dtype, const std::byte* element);

/// Makes a floating element an infinity, or for any NaN the one that is positive, quiet and without
/// payload.
void set_non_finite(Dtype dtype, double infinity_or_nan, std::byte* element);

/// The element itself if it is NaN or infinite, else 0.
[[nodiscard]] double non_finite(Dtype dtype, const std::byte* element);

}  // namespace bn
