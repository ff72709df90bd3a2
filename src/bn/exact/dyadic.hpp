// Exact numbers: what a sum of floating-point values is before anything is rounded.
#pragma once

#include <boost/multiprecision/cpp_int.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace bn {

/// A big integer whose first 512 bits need no allocation.
using Integer = boost::multiprecision::number<
    boost::multiprecision::cpp_int_backend<512, 0, boost::multiprecision::signed_magnitude,
                                           boost::multiprecision::unchecked,
                                           std::allocator<boost::multiprecision::limb_type>>,
    boost::multiprecision::et_off>;

/// integer * 2^exponent, always in lowest terms: the integer is odd, or zero with exponent 0.
/// So equal values are equal member by member, and to_string() has one form for each.
class Dyadic {
 public:
  Dyadic() = default;
  Dyadic(Integer integer, int exponent);
  explicit Dyadic(double finite);

  [[nodiscard]] const Integer& integer() const { return integer_; }
  [[nodiscard]] int exponent() const { return exponent_; }

  Dyadic& operator+=(const Dyadic& other);
  Dyadic& operator-=(const Dyadic& other);
  [[nodiscard]] Dyadic operator-() const;
  friend Dyadic operator*(const Dyadic& a, const Dyadic& b);
  friend bool operator==(const Dyadic&, const Dyadic&) = default;

  /// "0x1a2bp-149", "-0x3p0", "0x0p0".
  [[nodiscard]] std::string to_string() const;
  /// Reads what to_string() writes, and nothing else; throws std::invalid_argument.
  [[nodiscard]] static Dyadic parse(std::string_view text);

 private:
  template <class Add>
  Dyadic& combine(const Dyadic& other, Add add);
  void reduce();

  Integer integer_;
  int exponent_ = 0;
};

}  // namespace bn
