// How far one claimed value is from the exact one.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "bn/arrays/elements.hpp"
#include "bn/exact/nearest.hpp"

namespace bn {

/// The exponent of ulp_at(size).
inline int unit_exponent(const Format& format, double size) {
  if (size == 0) return format.lowest;
  const int exponent = std::isfinite(size) ? std::ilogb(size) : 1024;
  return std::max(exponent - format.digits + 1, format.lowest);
}

/// See Errors. What is done of every value can be taken in vectors, and as long as nothing is out
/// of the ordinary it is enough; else something infinite or NaN comes of it.
struct ErrorMeasure {
  explicit ErrorMeasure(Dtype claim) : format(format_of(claim)) {
    reciprocal = static_cast<std::uint64_t>(2 * 1023 + format.digits - 1) << 52;
    // Of a smaller size the reciprocal of the unit would be out of range: of this one it is
    // infinite.
    least = std::ldexp(1, std::max(format.lowest + format.digits - 1, format.digits - 1025));
    highest = format.highest < 1024 ? std::ldexp(1, format.highest) : kInfinite;
  }

  /// 1 / ulp_at(size) from the exponent of the size.
  [[nodiscard]] double per_unit(double size) const {
    const double power = std::bit_cast<double>(bits_of(size) & kExponent);
    return std::bit_cast<double>(reciprocal - bits_of(power > least ? power : least));
  }
  [[nodiscard]] double limited(double exact) const {
    const double below = exact < highest ? exact : highest;
    return below > -highest ? below : -highest;
  }

  /// claimed - exact in units of 2^exponent, whatever they are; claimed is not NaN.
  [[nodiscard]] double careful(double claimed, double exact, int exponent) const {
    const bool huge = std::max(std::abs(claimed), std::abs(exact)) > 0x1p1000;
    const int scale = huge ? -10 : 0;
    const double most = huge ? std::ldexp(1, format.highest + scale) : highest;
    const auto scaled = [&](double value) {
      return std::clamp(std::ldexp(value, scale), -most, most);
    };
    return std::ldexp(scaled(claimed) - scaled(exact), -scale - exponent);
  }

  struct Error {
    double error;
    double plain;  ///< its size in units of the exact value
  };
  [[nodiscard]] Error operator()(double claimed, double exact, double size) const {
    if (std::isnan(claimed)) return {kInfinite, kInfinite};
    const double right = limited(exact);
    const double difference = claimed - right;
    double error = difference * per_unit(size);
    double plain = std::abs(difference) * per_unit(right);
    if (!std::isfinite(error)) error = careful(claimed, exact, unit_exponent(format, size));
    if (!std::isfinite(plain)) {
      plain = std::abs(careful(claimed, exact, unit_exponent(format, right)));
    }
    return {error, plain};
  }

  [[nodiscard]] static std::uint64_t bits_of(double value) {
    return std::bit_cast<std::uint64_t>(value);
  }

  static constexpr double kInfinite = std::numeric_limits<double>::infinity();
  static constexpr std::uint64_t kExponent = std::uint64_t{0x7ff} << 52;

  const Format& format;
  std::uint64_t reciprocal;
  double least;
  double highest;
};

}  // namespace bn
