#include "bn/tiles/constants.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bn/exact/wide.hpp"

namespace bn {
namespace {

using kernels::Affine;
using kernels::AffinePair;
using kernels::BoundedAffine;
using kernels::BoundedAffinePair;
using kernels::BoundedGradient;
using kernels::BoundedGradientPair;
using kernels::Gradient;
using kernels::GradientPair;
using kernels::kPairError;
using kernels::kSingleError;
using kernels::kTinyError;
using OfChannels = ChannelConstants::OfChannels;
template <template <class> class General, template <class> class Bounded>
using Kinds = ChannelConstants::Kinds<General, Bounded>;

// Sizes of constants with which nothing that matters over- or underflows in the kernels, operands
// that were floats included.
constexpr int kSafe = 400;

// Where results of 0 have another sign than the kernels' sums: only these are closer to 0 than
// this.
constexpr double kSignOfZero = 0x1p-500;

// More than this many times what results are like, a bound of their terms would leave many of them
// uncertain.
constexpr double kTooMuchForSingles = 0x1p9;
constexpr double kTooMuchForPairs = 0x1p30;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr double kUnbounded = std::numeric_limits<double>::infinity();

// A channel's formula as slope_x * (x - pivot) + slope_dy * dy + offset, as far as pairs of doubles
// tell. slope_x.hi is NaN where something is not safe.
struct Linear {
  double pivot = 0;
  DoubleDouble slope_x;  // of the first operand
  DoubleDouble slope_dy;
  DoubleDouble offset;
  double offset_error = 0;  // by its parts, which are larger than itself where they cancel
};

// A value that is safe, or NaN.
DoubleDouble narrow(const Wide& value) {
  if (std::abs(value.exponent) > kSafe) return {kUnknown, 0};
  const double factor = power_of_two(value.exponent);
  return {value.significand.hi * factor, value.significand.lo * factor};
}

Linear linear(const ExactChannel& exact, std::size_t operands, double pivot) {
  const Dyadic count(Integer(exact.count), 0);
  const Wide inverse = inverse_sqrt(wide(exact.variance));
  const Wide root =
      (exact.power == 3 ? inverse * (inverse * inverse) : inverse) * wide(exact.factor);
  Linear result;
  result.pivot = pivot;
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
    result.slope_x.hi = kUnknown;
  }
  return result;
}

// At least the size of a slope times a value below 2^exponent; 0 only where that is 0.
double size_of_term(DoubleDouble slope, int exponent) {
  constexpr int kFar = 1000;
  if (exponent > kFar) return kUnbounded;
  if (slope.hi == 0 || exponent == Sizes::kNone) return 0;
  const double size = std::abs(slope.hi) * power_of_two(std::max(exponent, -kFar));
  return std::max(size, std::numeric_limits<double>::min());
}

// The most that the sizes of a result's terms add up to. kUnbounded where that is much more than
// what results are like, where what kernels lose by underflow is not far below it, and where
// results may be infinite.
double largest_terms(const ExactChannel& exact, const Linear& known, std::size_t operands,
                     const Sizes& sizes, Dtype results) {
  const double of_x = size_of_term(known.slope_x, sizes.below[0]);
  const double of_dy = size_of_term(known.slope_dy, sizes.below[1]);
  const double of_offset =
      std::abs(known.slope_x.hi * known.pivot) + known.offset_error / kPairError;
  const double all = of_x + of_dy + of_offset;
  const double typical = operands == 1 ? std::abs(exact.factor) + std::abs(exact.offset) : of_dy;
  const double too_much = results == Dtype::float64 ? kTooMuchForPairs : kTooMuchForSingles;
  const double too_large = results == Dtype::float16   ? 0x1p15
                           : results == Dtype::float32 ? 0x1p126
                                                       : 0x1p900;
  // Less than this are terms that are nothing but a beta of -0.
  constexpr double kTooSmall = 0x1p-400;
  static_assert(kSignOfZero / kPairError < kTooSmall);
  const bool safe = all == 0 || (all > kTooSmall && all < too_large);
  return safe && all <= too_much * typical ? all : kUnbounded;
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
void set_offset(Single& k, std::size_t c, const Linear& known) {
  k.pivot[c] = known.pivot;
  k.offset[c] = known.offset.hi;
  k.offset_error[c] = std::abs(known.offset.hi) * kSingleError + known.offset_error;
}

// And those in twice its precision.
template <class Pair>
void set_offset_pair(Pair& k, std::size_t c, const Linear& known) {
  k.offset[c] = known.offset.hi;
  k.offset_lo[c] = known.offset.lo;
  k.offset_error[c] = known.offset_error;
}

// Where all results lie about a value by which the products are moved; an infinite error makes all
// of them uncertain.
template <class Constants>
void set_ends(Constants& bounded, std::size_t c, double about, double error) {
  bounded.low[c] = about - error;
  bounded.high[c] = about + error;
}

// A formula whose terms are bounded, or none where they are not.
struct Limited {
  Limited(const Linear& known, double largest)
      : formula(std::isinf(largest) ? Linear{} : known), terms(largest) {}

  Linear formula;
  double terms;  // the most that their sizes add up to
};

// Of one channel; the constants for bounded operands, with no formula at all where there is no
// bound.
void set_one(Kinds<Affine, BoundedAffine>& constants, std::size_t c, const Linear& known,
             const Limited& limited) {
  auto& [k, bounded] = constants;
  const auto& [formula, terms] = limited;
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_x.hi, kSingleError);
  set_offset(k, c, known);
  bounded.scale[c] = formula.slope_x.hi;
  set_ends(bounded, c, formula.offset.hi - formula.slope_x.hi * formula.pivot,
           terms * kSingleError);
}

void set_one(Kinds<Gradient, BoundedGradient>& constants, std::size_t c, const Linear& known,
             const Limited& limited) {
  auto& [k, bounded] = constants;
  const auto& [formula, terms] = limited;
  Slope{k.slope, k.slope_error, k.slope_tiny}.set(c, known.slope_x.hi, kSingleError);
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_dy.hi, kSingleError);
  set_offset(k, c, known);
  bounded.slope[c] = formula.slope_x.hi;
  bounded.scale[c] = formula.slope_dy.hi;
  set_ends(bounded, c, formula.offset.hi - formula.slope_x.hi * formula.pivot,
           terms * kSingleError);
}

void set_one(Kinds<AffinePair, BoundedAffinePair>& constants, std::size_t c, const Linear& known,
             const Limited& limited) {
  auto& [k, bounded] = constants;
  const auto& [formula, terms] = limited;
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_x.hi, kPairError);
  k.scale_lo[c] = known.slope_x.lo;
  set_offset_pair(k, c, known);
  bounded.scale[c] = formula.slope_x.hi;
  bounded.scale_lo[c] = formula.slope_x.lo;
  bounded.offset[c] = formula.offset.hi;
  set_ends(bounded, c, formula.offset.lo, terms * kPairError);
}

void set_one(Kinds<GradientPair, BoundedGradientPair>& constants, std::size_t c,
             const Linear& known, const Limited& limited) {
  auto& [k, bounded] = constants;
  const auto& [formula, terms] = limited;
  Slope{k.slope, k.slope_error, k.slope_tiny}.set(c, known.slope_x.hi, kPairError);
  k.slope_lo[c] = known.slope_x.lo;
  Slope{k.scale, k.scale_error, k.scale_tiny}.set(c, known.slope_dy.hi, kPairError);
  k.scale_lo[c] = known.slope_dy.lo;
  set_offset_pair(k, c, known);
  bounded.slope[c] = formula.slope_x.hi;
  bounded.slope_lo[c] = formula.slope_x.lo;
  bounded.scale[c] = formula.slope_dy.hi;
  bounded.scale_lo[c] = formula.slope_dy.lo;
  bounded.offset[c] = formula.offset.hi;
  set_ends(bounded, c, formula.offset.lo, terms * kPairError);
}

template <template <class> class General, template <class> class Bounded>
ChannelConstants::Any zeros(std::size_t channels) {
  const auto zero = [&](double) { return OfChannels(channels); };
  return Kinds<General, Bounded>{kernels::transform(General<double>{}, zero),
                                 kernels::transform(Bounded<double>{}, zero)};
}

ChannelConstants::Any zeros(std::size_t channels, std::size_t operands, bool pairs) {
  if (operands == 1 && !pairs) return zeros<Affine, BoundedAffine>(channels);
  if (operands == 1) return zeros<AffinePair, BoundedAffinePair>(channels);
  if (!pairs) return zeros<Gradient, BoundedGradient>(channels);
  return zeros<GradientPair, BoundedGradientPair>(channels);
}

}  // namespace

ChannelConstants::ChannelConstants(std::size_t channels, std::size_t operands, Dtype results)
    : operands_(operands),
      results_(results),
      constants_(zeros(channels, operands, results == Dtype::float64)) {}

void ChannelConstants::set(std::size_t channel, const ExactChannel& exact, double pivot,
                           const Sizes* sizes) {
  const bool pairs = results_ == Dtype::float64;
  // Pairs need no pivot: what cancels has bits enough.
  const Linear known = linear(exact, operands_, pairs ? 0 : pivot);
  const double largest =
      sizes == nullptr ? kUnbounded : largest_terms(exact, known, operands_, *sizes, results_);
  const Limited limited(known, largest);
  std::visit([&](auto& all) { set_one(all, channel, known, limited); }, constants_);
}

}  // namespace bn
