// The element types of arrays: what a value is stored as, never what it is computed in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bn {

enum class Dtype : std::uint8_t {
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  boolean,  ///< the integers 0 and 1, a byte each; who reads them sees to it that there are no
            ///< others
};

inline constexpr std::array kDtypes = {
    Dtype::float16, Dtype::float32, Dtype::float64, Dtype::int8,   Dtype::int16,  Dtype::int32,
    Dtype::int64,   Dtype::uint8,   Dtype::uint16,  Dtype::uint32, Dtype::uint64, Dtype::boolean};

/// IEEE 754 binary16 as it is stored; the library converts it on the way in and out.
struct float16 {
  std::uint16_t bits;
};

struct DtypeFacts {
  std::string_view name;  ///< NumPy's
  std::size_t size;       ///< of an item, in bytes
};

inline constexpr std::array<DtypeFacts, kDtypes.size()> kDtypeFacts{{
    {"float16", 2},
    {"float32", 4},
    {"float64", 8},
    {"int8", 1},
    {"int16", 2},
    {"int32", 4},
    {"int64", 8},
    {"uint8", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
    {"bool", 1},
}};

[[nodiscard]] constexpr std::size_t item_size(Dtype dtype) {
  return kDtypeFacts[static_cast<std::size_t>(dtype)].size;
}

/// "float32", "uint8", ...
[[nodiscard]] constexpr std::string_view name(Dtype dtype) {
  return kDtypeFacts[static_cast<std::size_t>(dtype)].name;
}

[[nodiscard]] constexpr bool is_floating(Dtype dtype) { return dtype <= Dtype::float64; }

template <class T>
struct dtype_of;  // defined for exactly the types below

// clang-format off
template <> struct dtype_of<float16> { static constexpr Dtype value = Dtype::float16; };
template <> struct dtype_of<float> { static constexpr Dtype value = Dtype::float32; };
template <> struct dtype_of<double> { static constexpr Dtype value = Dtype::float64; };
template <> struct dtype_of<std::int8_t> { static constexpr Dtype value = Dtype::int8; };
template <> struct dtype_of<std::int16_t> { static constexpr Dtype value = Dtype::int16; };
template <> struct dtype_of<std::int32_t> { static constexpr Dtype value = Dtype::int32; };
template <> struct dtype_of<std::int64_t> { static constexpr Dtype value = Dtype::int64; };
template <> struct dtype_of<std::uint8_t> { static constexpr Dtype value = Dtype::uint8; };
template <> struct dtype_of<std::uint16_t> { static constexpr Dtype value = Dtype::uint16; };
template <> struct dtype_of<std::uint32_t> { static constexpr Dtype value = Dtype::uint32; };
template <> struct dtype_of<std::uint64_t> { static constexpr Dtype value = Dtype::uint64; };
// clang-format on

}  // namespace bn
