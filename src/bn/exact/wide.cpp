#include "bn/exact/wide.hpp"

#include <bit>
#include <cstdint>

#include "bn/exact/int128.hpp"

namespace bn {

Wide wide(const Dyadic& value) {
  const auto& backend = value.integer().backend();
  const unsigned limbs = backend.size();
  const double sign = value.integer().sign() < 0 ? -1 : 1;
  if (limbs == 1) {
    const std::uint64_t all = backend.limbs()[0];
    constexpr std::uint64_t kLow = (1U << 11) - 1;
    const DoubleDouble parts = fast_two_sum(sign * static_cast<double>(all & ~kLow),
                                            sign * static_cast<double>(all & kLow));
    return normalised(parts, value.exponent());
  }
  Uint128 top = backend.limbs()[limbs - 1];
  int exponent = value.exponent() + 64 * static_cast<int>(limbs - 2);
  top = top << 64 | backend.limbs()[limbs - 2];
  const int zeros = std::countl_zero(static_cast<std::uint64_t>(top >> 64));
  top <<= zeros;
  // The bits that moved in.
  if (limbs > 2 && zeros != 0) top |= backend.limbs()[limbs - 3] >> (64 - zeros);
  exponent -= zeros;
  // 106 bits of the 128, rounded towards zero.
  const auto hi = static_cast<double>(static_cast<std::uint64_t>(top >> 75));
  const auto lo = static_cast<double>(static_cast<std::uint64_t>(top << 53 >> 75));
  return normalised(fast_two_sum(sign * hi * 0x1p-52, sign * lo * 0x1p-105), exponent + 127);
}

}  // namespace bn
