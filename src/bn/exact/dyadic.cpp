#include "bn/exact/dyadic.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <stdexcept>

#include "bn/exact/wide.hpp"

namespace bn {
namespace {

// Bounds for what parse() accepts: beyond any sum of 2^64 products of two doubles.
constexpr std::size_t kMaxDigits = 1200;
constexpr int kMaxExponent = 4400;

// Bits of a quotient before it is rounded, more than a double has.
constexpr int kQuotientBits = 64;

int bit_count(const Integer& positive) {
  return static_cast<int>(boost::multiprecision::msb(positive)) + 1;
}

// Whether every number within `error` of a rounds to a.hi.
bool rounds_surely(DoubleDouble a, double error) {
  return a.hi + (a.lo + error) == a.hi && a.hi + (a.lo - error) == a.hi;
}

// The quotient in double-double arithmetic, unless its error could change how it rounds or
// something might under- or overflow (A. Ziv, "Fast evaluation of elementary mathematical functions
// with correctly rounded last bit", 1991). Most quotients need no more.
std::optional<double> fast_quotient(const Dyadic& numerator, std::uint64_t a, std::uint64_t b) {
  constexpr std::uint64_t kExactDouble = std::uint64_t{1} << 53;
  constexpr int kFar = 400;
  constexpr unsigned kMaxLimbs = 6;
  if (a > kExactDouble || b > kExactDouble || std::abs(numerator.exponent()) > kFar ||
      numerator.integer().backend().size() > kMaxLimbs) {
    return std::nullopt;
  }
  const Wide approximate = wide(numerator);
  const DoubleDouble result =
      approximate.significand / static_cast<double>(a) / static_cast<double>(b);
  // The numerator has an error of 2^-104, each division 2^-101.
  if (!rounds_surely(result, 0x1p-99 * std::abs(result.hi))) return std::nullopt;
  return std::ldexp(result.hi, approximate.exponent);
}

}  // namespace

Dyadic::Dyadic(Integer integer, int exponent) : integer_(std::move(integer)), exponent_(exponent) {
  if (integer_.is_zero()) {
    exponent_ = 0;
    return;
  }
  const auto zeros =
      boost::multiprecision::lsb(integer_.sign() < 0 ? Integer(-integer_) : integer_);
  if (zeros != 0) {
    // Boost shifts negative numbers towards minus infinity; exact here, as only zeros leave.
    integer_ >>= zeros;
    exponent_ += static_cast<int>(zeros);
  }
}

Dyadic::Dyadic(double finite) {
  int exponent = 0;
  const double fraction = std::frexp(finite, &exponent);
  *this = Dyadic(Integer(static_cast<std::int64_t>(std::ldexp(fraction, 53))), exponent - 53);
}

Dyadic& Dyadic::operator+=(const Dyadic& other) {
  if (other.integer_.is_zero()) return *this;
  if (integer_.is_zero()) return *this = other;
  const int low = std::min(exponent_, other.exponent_);
  return *this = Dyadic(
             (integer_ << (exponent_ - low)) + (other.integer_ << (other.exponent_ - low)), low);
}

Dyadic& Dyadic::operator-=(const Dyadic& other) { return *this += -other; }

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

double quotient(const Dyadic& numerator, std::uint64_t a, std::uint64_t b) {
  if (numerator.integer().is_zero()) return 0;
  if (const auto result = fast_quotient(numerator, a, b)) return *result;

  const Integer denominator = Integer(a) * b;
  const Integer magnitude = abs(numerator.integer());
  const int shift = std::max(0, kQuotientBits - (bit_count(magnitude) - bit_count(denominator)));
  Integer q;
  Integer rest;
  boost::multiprecision::divide_qr(Integer(magnitude << shift), denominator, q, rest);
  const int exponent = numerator.exponent() - shift;  // of the last bit of q

  const int top = bit_count(q) - 1 + exponent;
  const int last = std::max(top - 52, -1074);  // of the last bit that a double can hold
  const auto dropped = static_cast<unsigned>(last - exponent);
  Integer kept = q >> dropped;
  const bool half = bit_test(q, dropped - 1);  // q has more bits than a double
  const bool more = !rest.is_zero() || (half && boost::multiprecision::lsb(q) < dropped - 1);
  if (half && (more || bit_test(kept, 0))) ++kept;

  // Exact: kept has at most 53 bits and `last` is not below -1074.
  const double result = std::ldexp(static_cast<double>(static_cast<std::uint64_t>(kept)), last);
  return numerator.integer().sign() < 0 ? -result : result;
}

}  // namespace bn
