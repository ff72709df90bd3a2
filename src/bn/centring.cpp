#include "bn/centring.hpp"

#include <cmath>

namespace bn {
namespace {

// Factors of rescalings are 2 to the power of this, or of its negative where the multiplier of x -
// mean is smaller than kTinyMultiplier.
constexpr int kFactorExponent = 512;
constexpr double kTinyMultiplier = 0x1p-900;

// Of the power of two that keeps low parts of the mean, or of the multiplier, from underflowing.
int exponent_of_factor(Dtype x, const Dyadic& sum, std::uint64_t count,
                       const ChannelStatistics& statistics, double multiplier) {
  // Elements that are too small to be scaled down vanish beside such a multiplier anyway.
  if (multiplier != 0 && std::abs(multiplier) < kTinyMultiplier) return -kFactorExponent;
  // A mean below this has no low part to speak of, which matters where what is left is multiplied
  // up again; squares that stay below that leave room for the factor.
  constexpr double kTinyMean = 0x1p-900;
  constexpr double kRoom = 0x1p900;
  const bool up = x == Dtype::float64 && !sum.integer().is_zero() &&
                  std::abs(statistics.mean.hi) < kTinyMean && std::abs(multiplier) > 0.5 &&
                  statistics.var.hi * static_cast<double>(count) < kRoom;
  return up ? kFactorExponent : 0;
}

}  // namespace

Centring batch_centring(Dtype x, const Dyadic& sum, std::uint64_t count,
                        const ChannelStatistics& statistics, double multiplier) {
  const double mean = statistics.mean.hi;
  const bool wide_integers = !fits_double(x);
  const double shift = wide_integers ? std::nearbyint(mean) : 0;
  const int exponent = exponent_of_factor(x, sum, count, statistics, multiplier);
  if (!wide_integers && exponent == 0) return {{}, statistics.mean};
  Dyadic rest = sum;
  if (wide_integers) rest -= Dyadic(shift) * Dyadic(Integer(count), 0);
  return {{shift, std::ldexp(1.0, exponent)},
          quotient(Dyadic(rest.integer(), rest.exponent() + exponent), count)};
}

Centring running_centring(Dtype x, double running_mean) {
  // Integers of eight bytes are less than 2^64: less a mean beyond 2^100 they are all alike.
  if (fits_double(x) || std::abs(running_mean) > 0x1p100) return {{}, {running_mean, 0}};
  const double shift = std::nearbyint(running_mean);
  return {{shift, 1}, {running_mean - shift, 0}};
}

}  // namespace bn
