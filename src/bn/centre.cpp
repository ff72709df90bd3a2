#include "bn/centre.hpp"

#include <cmath>

namespace bn {

Centre batch_centre(Dtype x, const Dyadic& sum, std::uint64_t count,
                    const ChannelStatistics& statistics, double multiplier) {
  const double mean = statistics.mean.hi;
  if (!fits_double(x)) {
    const double pivot = std::nearbyint(mean);
    Dyadic rest = sum;
    rest -= Dyadic(pivot) * Dyadic(Integer(count), 0);
    return {{pivot, 1}, quotient(rest, count)};
  }
  // A mean below this has no low part to speak of, which matters where what is left is multiplied
  // up again; squares that stay below that leave room for the factor.
  constexpr double kTiny = 0x1p-900;
  constexpr double kRoom = 0x1p900;
  constexpr int kUp = 512;
  if (x == Dtype::float64 && !sum.integer().is_zero() && std::abs(mean) < kTiny &&
      std::abs(multiplier) > 0.5 && statistics.var.hi * static_cast<double>(count) < kRoom) {
    return {{0, std::ldexp(1.0, kUp)},
            quotient(Dyadic(sum.integer(), sum.exponent() + kUp), count)};
  }
  return {{}, statistics.mean};
}

Centre running_centre(Dtype x, double running_mean) {
  // Integers of eight bytes are less than 2^64: seen from beyond 2^100 they are all alike.
  if (fits_double(x) || std::abs(running_mean) > 0x1p100) return {{}, {running_mean, 0}};
  const double pivot = std::nearbyint(running_mean);
  return {{pivot, 1}, {running_mean - pivot, 0}};
}

}  // namespace bn
