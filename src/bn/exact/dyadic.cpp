// GCC 12 takes copies of short strings for overlapping ones (GCC bug 105329).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wrestrict"
#endif
#include "bn/exact/dyadic.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <sstream>
#include <stdexcept>

namespace bn {
namespace {

// Bounds for what parse() accepts: beyond any sum of 2^64 products of two doubles.
constexpr std::size_t kMaxDigits = 1200;
constexpr int kMaxExponent = 4400;

}  // namespace

Dyadic::Dyadic(Integer integer, int exponent) : integer_(std::move(integer)), exponent_(exponent) {
  reduce();
}

void Dyadic::reduce() {
  if (integer_.is_zero()) {
    exponent_ = 0;
    return;
  }
  auto* limbs = integer_.backend().limbs();
  unsigned zeros = 0;
  for (; *limbs == 0; ++limbs) zeros += 64;
  zeros += static_cast<unsigned>(std::countr_zero(*limbs));
  if (zeros == 0) return;
  exponent_ += static_cast<int>(zeros);
  if (integer_.backend().size() == 1) {
    *limbs >>= zeros;
    return;
  }
  // Boost shifts negative numbers towards minus infinity; exact here, as only zeros leave.
  integer_ >>= zeros;
}

Dyadic::Dyadic(double finite) {
  const auto bits = std::bit_cast<std::uint64_t>(finite);
  const auto field = static_cast<int>(bits >> 52 & 0x7ff);
  std::uint64_t significand = bits & ((std::uint64_t{1} << 52) - 1);
  if (field != 0) significand |= std::uint64_t{1} << 52;
  if (significand == 0) return;
  const int zeros = std::countr_zero(significand);
  integer_ = significand >> zeros;
  if (bits >> 63 != 0) integer_.backend().negate();
  exponent_ = (field == 0 ? 1 : field) - 1075 + zeros;
}

template <class Add>
Dyadic& Dyadic::combine(const Dyadic& other, Add add) {
  if (other.integer_.is_zero()) return *this;
  if (exponent_ == other.exponent_ || integer_.is_zero()) {
    exponent_ = other.exponent_;
    add(integer_, other.integer_);
    reduce();
    return *this;
  }
  // An odd integer and an even one: the result is in lowest terms.
  if (exponent_ > other.exponent_) {
    integer_ <<= exponent_ - other.exponent_;
    exponent_ = other.exponent_;
    add(integer_, other.integer_);
  } else {
    add(integer_, Integer(other.integer_ << (other.exponent_ - exponent_)));
  }
  return *this;
}

Dyadic& Dyadic::operator+=(const Dyadic& other) {
  return combine(other, [](Integer& a, const Integer& b) { a += b; });
}

Dyadic& Dyadic::operator-=(const Dyadic& other) {
  return combine(other, [](Integer& a, const Integer& b) { a -= b; });
}

Dyadic Dyadic::operator-() const {
  Dyadic negated = *this;
  negated.integer_ = -negated.integer_;
  return negated;
}

Dyadic operator*(const Dyadic& a, const Dyadic& b) {
  Dyadic product;
  product.integer_ = a.integer_ * b.integer_;  // odd, unless it is zero
  product.exponent_ = product.integer_.is_zero() ? 0 : a.exponent_ + b.exponent_;
  return product;
}

std::string Dyadic::to_string() const {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  out << (integer_.sign() < 0 ? "-0x" : "0x") << std::hex << Integer(abs(integer_)) << 'p'
      << std::dec << exponent_;
  return out.str();
}

Dyadic Dyadic::parse(std::string_view text) {
  const auto fail = [&] {
    return std::invalid_argument("\"" + std::string(text.substr(0, 40)) +
                                 "\" is not an exact number such as \"-0x1a2bp-149\"");
  };
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative) rest.remove_prefix(1);
  if (!rest.starts_with("0x")) throw fail();
  rest.remove_prefix(2);
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789abcdef"), rest.size());
  if (digits == 0 || digits > kMaxDigits || digits == rest.size() || rest[digits] != 'p')
    throw fail();
  Integer integer("0x" + std::string(rest.substr(0, digits)));
  int exponent = 0;
  const char* end = rest.data() + rest.size();
  const auto [stop, status] = std::from_chars(rest.data() + digits + 1, end, exponent);
  if (status != std::errc() || stop != end || exponent < -kMaxExponent || exponent > kMaxExponent) {
    throw fail();
  }
  Dyadic value(negative ? Integer(-integer) : integer, exponent);
  if (value.to_string() != text) throw fail();  // not in lowest terms, leading zeros, "-0x0p0"
  return value;
}

}  // namespace bn
