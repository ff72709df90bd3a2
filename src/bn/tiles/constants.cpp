#include "bn/tiles/constants.hpp"

#include <cmath>
#include <limits>

#include "bn/exact/wide.hpp"

namespace bn {
namespace {

using kernels::Affine;
using kernels::AffinePair;
using kernels::Gradient;
using kernels::GradientPair;
using kernels::kPairError;
using kernels::kSingleError;
using kernels::kTinyError;
using OfChannels = ChannelConstants::OfChannels;

// Sizes of constants with which nothing that matters over- or underflows in the kernels, operands
// that were floats included.
constexpr int kSafe = 400;

// Where results of 0 have another sign than the kernels' sums: only these are closer to 0 than
// this.
constexpr double kSignOfZero = 0x1p-500;

// A channel's formula as slope_x * (x - pivot) + slope_dy * dy + offset, as far as pairs of doubles
// tell. slope_x.hi is NaN where something is not safe.
struct Linear {
  DoubleDouble slope_x;  // of the first operand
  DoubleDouble slope_dy;
  DoubleDouble offset;
  double offset_error = 0;  // by its parts, which are larger than itself where they cancel
};

// A value that is safe, or NaN.
DoubleDouble narrow(const Wide& value) {
  if (std::abs(value.exponent) > kSafe) return {std::numeric_limits<double>::quiet_NaN(), 0};
  const double factor = power_of_two(value.exponent);
  return {value.significand.hi * factor, value.significand.lo * factor};
}

Linear linear(const ExactChannel& exact, std::size_t operands, double pivot) {
  const Dyadic count(Integer(exact.count), 0);
  const Wide inverse = inverse_sqrt(wide(exact.variance));
  const Wide root =
      (exact.power == 3 ? inverse * (inverse * inverse) : inverse) * wide(exact.factor);
  Linear result;
  Wide offset = wide(exact.offset);
  double size = std::abs(narrow(offset).hi);
  for (std::size_t k = 0; k < operands; ++k) {
    const auto& [weight, sum] = exact.terms[k];
    const Wide weighted = wide(weight) * root;
    (k == 0 ? result.slope_x : result.slope_dy) = narrow(weighted * wide(count));
    Dyadic centred = -sum;
    if (k == 0 && pivot != 0) centred += count * Dyadic(pivot);
    const Wide part = weighted * wide(centred);
    offset = offset + part;
    size += std::abs(narrow(part).hi);
  }
  result.offset = narrow(offset);
  result.offset_error = size * kPairError;
  if (size == 0 && std::signbit(exact.offset)) result.offset_error = kSignOfZero;
  if (!std::isfinite(size + result.offset.hi + result.slope_dy.hi + narrow(wide(pivot)).hi)) {
    result.slope_x.hi = std::numeric_limits<double>::quiet_NaN();
  }
  return result;
}

// A slope, and what the kernels have to allow for where an operand is multiplied by it.
struct Slope {
  OfChannels& value;
  OfChannels& error;
  OfChannels& tiny;

  void set(std::size_t c, double slope, double relative_error) const {
    value[c] = slope;
    error[c] = std::abs(slope) * relative_error;
    tiny[c] = slope == 0 ? 0 : kTinyError;
  }
};

// What all formulas in double arithmetic have besides their slopes.
template <class Single>
void set_offset(Single& k, std::size_t c, const Linear& known, double pivot) {
  k.pivot[c] = pivot;
  k.offset[c] = known.offset.hi;
  k.offset_error[c] = std::abs(known.offset.hi) * kSingleError + known.offset_error;
}

// And those in twice its precision, which need no pivot: what cancels has bits enough.
template <class Pair>
void set_offset(Pair& k, std::size_t c, const Linear& known) {
  k.offset[c] = known.offset.hi;
  k.offset_lo[c] = known.offset.lo;
  k.offset_error[c] = known.offset_error;
}

void set_one(Affine<OfChannels>& k, std::size_t c, const ExactChannel& exact, double pivot) {
  const Linear known = linear(exact, 1, pivot);
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_x.hi, kSingleError);
  set_offset(k, c, known, pivot);
}

void set_one(Gradient<OfChannels>& k, std::size_t c, const ExactChannel& exact, double pivot) {
  const Linear known = linear(exact, 2, pivot);
  Slope{k.slope, k.slope_error, k.slope_tiny}.set(c, known.slope_x.hi, kSingleError);
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_dy.hi, kSingleError);
  set_offset(k, c, known, pivot);
}

void set_one(AffinePair<OfChannels>& k, std::size_t c, const ExactChannel& exact,
             double /*pivot*/) {
  const Linear known = linear(exact, 1, 0);
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_x.hi, kPairError);
  k.scale_lo[c] = known.slope_x.lo;
  set_offset(k, c, known);
}

void set_one(GradientPair<OfChannels>& k, std::size_t c, const ExactChannel& exact,
             double /*pivot*/) {
  const Linear known = linear(exact, 2, 0);
  Slope{k.slope, k.slope_error, k.slope_tiny}.set(c, known.slope_x.hi, kPairError);
  k.slope_lo[c] = known.slope_x.lo;
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_dy.hi, kPairError);
  k.scale_lo[c] = known.slope_dy.lo;
  set_offset(k, c, known);
}

template <template <class> class Constants>
Constants<OfChannels> zeros(std::size_t channels) {
  return kernels::transform(Constants<double>{},
                            [&](double zero) { return OfChannels(channels, zero); });
}

ChannelConstants::Any zeros(std::size_t channels, std::size_t operands, Dtype results) {
  const bool pairs = results == Dtype::float64;
  if (operands == 1 && !pairs) return zeros<Affine>(channels);
  if (operands == 1) return zeros<AffinePair>(channels);
  if (!pairs) return zeros<Gradient>(channels);
  return zeros<GradientPair>(channels);
}

}  // namespace

ChannelConstants::ChannelConstants(std::size_t channels, std::size_t operands, Dtype results)
    : constants_(zeros(channels, operands, results)) {}

void ChannelConstants::set(std::size_t channel, const ExactChannel& exact, double pivot) {
  std::visit([&](auto& constants) { set_one(constants, channel, exact, pivot); }, constants_);
}

}  // namespace bn
