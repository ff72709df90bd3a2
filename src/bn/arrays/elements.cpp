#include "bn/arrays/elements.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "bn/kernels/kernels.hpp"

namespace bn {
namespace {

template <class T>
T read(const std::byte* element) {
  T value;
  std::memcpy(&value, element, sizeof value);
  return value;
}

template <class T, class Real>
const Real* convert(const std::byte* elements, std::size_t n, Real* scratch) {
  for (std::size_t i = 0; i < n; ++i) {
    scratch[i] = static_cast<Real>(read<T>(elements + i * sizeof(T)));
  }
  return scratch;
}

// Integers of eight bytes, NaN for those that have more bits than a double.
template <class T>
const double* convert_where_exact(const std::byte* elements, std::size_t n, double* scratch) {
  for (std::size_t i = 0; i < n; ++i) {
    const T value = read<T>(elements + i * sizeof(T));
    const auto rounded = static_cast<double>(value);
    const bool exact = static_cast<Int128>(rounded) == static_cast<Int128>(value);
    scratch[i] = exact ? rounded : std::numeric_limits<double>::quiet_NaN();
  }
  return scratch;
}

double float_as_double(Dtype dtype, const std::byte* element) {
  if (dtype == Dtype::float64) return read<double>(element);
  if (dtype == Dtype::float32) return static_cast<double>(read<float>(element));
  float value = 0;
  const auto half = read<std::uint16_t>(element);
  kernels::table().widen_half(&half, 1, &value);
  return static_cast<double>(value);
}

}  // namespace

const Format& format_of(Dtype dtype) {
  return dtype == Dtype::float16 ? kBinary16 : dtype == Dtype::float32 ? kBinary32 : kBinary64;
}

bool fits_float(Dtype dtype) {
  switch (dtype) {
    case Dtype::float16:
    case Dtype::float32:
    case Dtype::int8:
    case Dtype::int16:
    case Dtype::uint8:
    case Dtype::uint16:
    case Dtype::boolean:
      return true;
    default:
      return false;
  }
}

bool fits_double(Dtype dtype) { return dtype != Dtype::int64 && dtype != Dtype::uint64; }

template <>
const float* widen<float>(Dtype dtype, const std::byte* elements, std::size_t n, float* scratch) {
  switch (dtype) {
    case Dtype::float32:
      return reinterpret_cast<const float*>(elements);
    case Dtype::float16:
      kernels::table().widen_half(reinterpret_cast<const std::uint16_t*>(elements), n, scratch);
      return scratch;
    case Dtype::int8:
      return convert<std::int8_t>(elements, n, scratch);
    case Dtype::int16:
      return convert<std::int16_t>(elements, n, scratch);
    case Dtype::uint8:
    case Dtype::boolean:
      return convert<std::uint8_t>(elements, n, scratch);
    default:
      return convert<std::uint16_t>(elements, n, scratch);
  }
}

template <>
const double* widen<double>(Dtype dtype, const std::byte* elements, std::size_t n,
                            double* scratch) {
  switch (dtype) {
    case Dtype::float64:
      return reinterpret_cast<const double*>(elements);
    case Dtype::float32:
      return convert<float>(elements, n, scratch);
    case Dtype::int8:
      return convert<std::int8_t>(elements, n, scratch);
    case Dtype::int16:
      return convert<std::int16_t>(elements, n, scratch);
    case Dtype::int32:
      return convert<std::int32_t>(elements, n, scratch);
    case Dtype::uint8:
    case Dtype::boolean:
      return convert<std::uint8_t>(elements, n, scratch);
    case Dtype::uint16:
      return convert<std::uint16_t>(elements, n, scratch);
    case Dtype::uint32:
      return convert<std::uint32_t>(elements, n, scratch);
    case Dtype::int64:
      return convert_where_exact<std::int64_t>(elements, n, scratch);
    case Dtype::uint64:
      return convert_where_exact<std::uint64_t>(elements, n, scratch);
    default:
      for (std::size_t i = 0; i < n; ++i) scratch[i] = float_as_double(dtype, elements + 2 * i);
      return scratch;
  }
}

Decoded decode(Dtype dtype, const std::byte* element) {
  switch (dtype) {
    case Dtype::int8:
      return {read<std::int8_t>(element), 0};
    case Dtype::int16:
      return {read<std::int16_t>(element), 0};
    case Dtype::int32:
      return {read<std::int32_t>(element), 0};
    case Dtype::int64:
      return {read<std::int64_t>(element), 0};
    case Dtype::uint8:
    case Dtype::boolean:
      return {read<std::uint8_t>(element), 0};
    case Dtype::uint16:
      return {read<std::uint16_t>(element), 0};
    case Dtype::uint32:
      return {read<std::uint32_t>(element), 0};
    case Dtype::uint64:
      return {static_cast<Int128>(read<std::uint64_t>(element)), 0};
    default:
      break;
  }
  const double number = float_as_double(dtype, element);
  if (number == 0) return {0, 0};
  const auto bits = std::bit_cast<std::uint64_t>(number);
  const auto field = static_cast<int>(bits >> 52 & 0x7ff);
  auto significand = static_cast<std::int64_t>(bits & ((std::uint64_t{1} << 52) - 1));
  if (field != 0) significand |= std::int64_t{1} << 52;
  return {(bits >> 63) != 0 ? -significand : significand, (field == 0 ? 1 : field) - 1075};
}

Dyadic exact_value(Dtype dtype, const std::byte* element) {
  const auto [value, exponent] = decode(dtype, element);
  const auto magnitude = static_cast<std::uint64_t>(value < 0 ? -value : value);
  return {value < 0 ? -Integer(magnitude) : Integer(magnitude), exponent};
}

double as_double(Dtype dtype, const std::byte* element) {
  return is_floating(dtype) ? float_as_double(dtype, element)
                            : static_cast<double>(decode(dtype, element).value);
}

void set_non_finite(Dtype dtype, double infinity_or_nan, std::byte* element) {
  const auto wide =
      std::isnan(infinity_or_nan) ? std::numeric_limits<double>::quiet_NaN() : infinity_or_nan;
  if (dtype == Dtype::float16) {
    const std::uint16_t half = std::isnan(wide) ? 0x7e00 : wide > 0 ? 0x7c00 : 0xfc00;
    std::memcpy(element, &half, sizeof half);
  } else if (dtype == Dtype::float32) {
    const float single =
        std::isnan(wide) ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(wide);
    std::memcpy(element, &single, sizeof single);
  } else {
    std::memcpy(element, &wide, sizeof wide);
  }
}

double non_finite(Dtype dtype, const std::byte* element) {
  if (!is_floating(dtype)) return 0;
  const double value = float_as_double(dtype, element);
  return std::isfinite(value) ? 0 : value;
}

}  // namespace bn
