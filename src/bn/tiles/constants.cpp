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
using OfChannels = ChannelConstants::OfChannels;

// Of what the kernels compute, relative to each term; why they suffice is said there.
constexpr double kSingleError = 0x1p-50;
constexpr double kPairError = 0x1p-96;

// Sizes of constants with which nothing that matters over- or underflows in the kernels, operands
// that were floats included.
constexpr int kSafe = 400;

// The constants of a channel, as far as pairs of doubles tell, and whether they are safe.
class Narrowing {
 public:
  Narrowing(const ExactChannel& exact, double pivot)
      : exact_(exact), count_(Integer(exact.count), 0), pivot_(pivot) {
    root_ = inverse_sqrt(wide(exact.variance));
    if (exact.power == 3) root_ = root_ * (root_ * root_);
    root_ = root_ * wide(exact.factor);
    (void)narrow(wide(pivot));
  }

  [[nodiscard]] DoubleDouble slope(std::size_t operand) {
    return narrow(wide(exact_.terms[operand].weight) * wide(count_) * root_);
  }

  // The result where x is the pivot and dy is 0; and a bound of what its parts say of its error,
  // which is more than its own size does where they cancel.
  struct AtPivot {
    DoubleDouble value;
    double error;
  };
  [[nodiscard]] AtPivot at_pivot(std::size_t operands, double relative_error) {
    const Wide offset = wide(exact_.offset);
    Wide value = offset;
    double size = std::abs(narrow(offset).hi);
    for (std::size_t k = 0; k < operands; ++k) {
      const auto& [weight, sum] = exact_.terms[k];
      Dyadic centred = -sum;
      if (k == 0 && pivot_ != 0) centred += count_ * Dyadic(pivot_);
      const Wide part = wide(weight) * wide(centred) * root_;
      value = value + part;
      size += std::abs(narrow(part).hi);
    }
    // The kernels' sums have another sign where all terms are 0.
    if (size == 0 && std::signbit(exact_.offset)) safe_ = false;
    return {narrow(value), size * relative_error};
  }

  // The value, or NaN where something was not safe.
  [[nodiscard]] double operator()(double value) const {
    return safe_ ? value : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  [[nodiscard]] DoubleDouble narrow(const Wide& value) {
    if (std::abs(value.exponent) > kSafe) safe_ = false;
    if (!safe_) return {};
    const double factor = power_of_two(value.exponent);
    return {value.significand.hi * factor, value.significand.lo * factor};
  }

  const ExactChannel& exact_;
  const Dyadic count_;
  const double pivot_;
  Wide root_;
  bool safe_ = true;
};

double single_error(double value) { return std::abs(value) * kSingleError; }
double pair_error(double value) { return std::abs(value) * kPairError; }

void set_one(Affine<OfChannels>& k, std::size_t c, const ExactChannel& exact, double pivot) {
  Narrowing safe(exact, pivot);
  const double scale = safe.slope(0).hi;
  const auto offset = safe.at_pivot(1, kPairError);
  k.pivot[c] = pivot;
  k.scale[c] = safe(scale);
  k.scale_error[c] = single_error(scale);
  k.offset[c] = offset.value.hi;
  k.offset_error[c] = single_error(offset.value.hi) + offset.error;
}

void set_one(Gradient<OfChannels>& k, std::size_t c, const ExactChannel& exact, double pivot) {
  Narrowing safe(exact, pivot);
  const double slope = safe.slope(0).hi;
  const double scale = safe.slope(1).hi;
  const auto offset = safe.at_pivot(2, kPairError);
  k.pivot[c] = pivot;
  k.slope[c] = safe(slope);
  k.slope_error[c] = single_error(slope);
  k.scale[c] = scale;
  k.scale_error[c] = single_error(scale);
  k.offset[c] = offset.value.hi;
  k.offset_error[c] = single_error(offset.value.hi) + offset.error;
}

void set_one(AffinePair<OfChannels>& k, std::size_t c, const ExactChannel& exact,
             double /*pivot*/) {
  Narrowing safe(exact, 0);
  const DoubleDouble scale = safe.slope(0);
  const auto shift = safe.at_pivot(1, kPairError);
  k.scale[c] = safe(scale.hi);
  k.scale_lo[c] = scale.lo;
  k.scale_error[c] = pair_error(scale.hi);
  k.shift[c] = shift.value.hi;
  k.shift_lo[c] = shift.value.lo;
  k.shift_error[c] = shift.error;
}

void set_one(GradientPair<OfChannels>& k, std::size_t c, const ExactChannel& exact,
             double /*pivot*/) {
  Narrowing safe(exact, 0);
  const DoubleDouble slope = safe.slope(0);
  const DoubleDouble scale = safe.slope(1);
  const auto shift = safe.at_pivot(2, kPairError);
  k.slope[c] = safe(slope.hi);
  k.slope_lo[c] = slope.lo;
  k.slope_error[c] = pair_error(slope.hi);
  k.scale[c] = scale.hi;
  k.scale_lo[c] = scale.lo;
  k.scale_error[c] = pair_error(scale.hi);
  k.shift[c] = shift.value.hi;
  k.shift_lo[c] = shift.value.lo;
  k.shift_error[c] = shift.error;
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
