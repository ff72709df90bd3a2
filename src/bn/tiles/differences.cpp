#include "bn/tiles/differences.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "bn/exact/double_double.hpp"
#include "bn/exact/nearest.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {
namespace {

// Pairs looked at together: both as doubles are 16 KiB, half of an L1 cache.
constexpr std::size_t kPiece = 1024;

// What double arithmetic says is less than this away from the truth, unless it is about sizes below
// kTiny.
constexpr double kError = 0x1p-48;
constexpr double kTiny = 0x1p-900;

Dyadic magnitude(const Dyadic& value) { return value.integer().sign() < 0 ? -value : value; }

bool is_greater(Dyadic a, const Dyadic& b) { return (a -= b).integer().sign() > 0; }

Dyadic exact_size(const Element& a, const Element& b) {
  Dyadic difference = exact_value(a.dtype, a.at);
  difference -= exact_value(b.dtype, b.at);
  return magnitude(difference);
}

Dyadic exact_magnitude(const Element& element) {
  return magnitude(exact_value(element.dtype, element.at));
}

bool same_bits(const Element& a, const Element& b) {
  return std::memcmp(a.at, b.at, item_size(a.dtype)) == 0;
}

// -0 among them.
bool is_negative(const Element& element) {
  return std::signbit(as_double(element.dtype, element.at));
}

// The number of the nearest value of a floating dtype, counted from 0 on, without its sign.
std::uint64_t number_among(Dtype dtype, const Element& element) {
  if (!fits_double(element.dtype) || dtype == Dtype::float16) {
    return nearest({0, exact_magnitude(element), Dyadic(1.0)}, format_of(dtype)).bits;
  }
  const double size = std::abs(as_double(element.dtype, element.at));
  if (dtype == Dtype::float64) return std::bit_cast<std::uint64_t>(size);
  return std::bit_cast<std::uint32_t>(static_cast<float>(size));
}

Uint128 steps_between(std::optional<Dtype> among, const Element& a, const Element& b) {
  if (!among) {
    const Dyadic size = exact_size(a, b);
    return static_cast<Uint128>(size.integer()) << size.exponent();
  }
  const std::uint64_t of_a = number_among(*among, a);
  const std::uint64_t of_b = number_among(*among, b);
  if (is_negative(a) != is_negative(b)) return Uint128{of_a} + of_b;
  return of_a > of_b ? of_a - of_b : of_b - of_a;
}

template <class Measure>
Largest<Measure> largest(Measure value, const Element& a, const Element& b, std::size_t position) {
  Largest<Measure> result{value, position, {}, {}};
  std::memcpy(result.a.data(), a.at, item_size(a.dtype));
  std::memcpy(result.b.data(), b.at, item_size(b.dtype));
  return result;
}

// Copies `bytes` of each of some rows, which start `stride` bytes apart, one behind the other.
void gather(const std::byte* from, std::size_t rows, std::size_t stride, std::size_t bytes,
            std::byte* to) {
  const auto copy = [&](auto size) {
    for (std::size_t r = 0; r < rows; ++r) std::memcpy(to + r * size, from + r * stride, size);
  };
  switch (bytes) {  // known sizes need no call
    case 2:
      return copy(std::integral_constant<std::size_t, 2>());
    case 4:
      return copy(std::integral_constant<std::size_t, 4>());
    case 8:
      return copy(std::integral_constant<std::size_t, 8>());
    default:
      return copy(bytes);
  }
}

template <class Measure>
void merge(std::optional<Largest<Measure>>& to, const std::optional<Largest<Measure>>& from) {
  if (!from) return;
  if (!to || from->value > to->value ||
      (from->value == to->value && from->position < to->position)) {
    to = from;
  }
}

}  // namespace

std::optional<Dtype> coarser(Dtype a, Dtype b) {
  if (!is_floating(a) && !is_floating(b)) return std::nullopt;
  if (!is_floating(a)) return b;
  if (!is_floating(b)) return a;
  return item_size(a) < item_size(b) ? a : b;
}

Differences& Differences::operator+=(const Differences& other) {
  values += other.values;
  equal += other.equal;
  zero_signs += other.zero_signs;
  both_nan += other.both_nan;
  one_nan += other.one_nan;
  infinities += other.infinities;
  finite += other.finite;
  beyond += other.beyond;
  merge(absolute, other.absolute);
  merge(relative, other.relative);
  merge(ulp, other.ulp);
  sum += other.sum;
  if (is_greater(other.excess, excess)) excess = other.excess;
  return *this;
}

DifferenceSums::DifferenceSums(std::size_t channels, std::array<Dtype, 2> dtypes,
                               const Tolerance& tolerance)
    : dtypes_(dtypes),
      tolerance_(tolerance),
      coarser_(coarser(dtypes[0], dtypes[1])),
      doubles_(fits_double(dtypes[0]) && fits_double(dtypes[1])),
      channels_(channels),
      least_excess_(channels),
      sums_{ChannelSums({0, channels}, std::span(dtypes_).first(1)),
            ChannelSums({0, channels}, std::span(dtypes_).last(1))} {
  if (tolerance.bits && dtypes[0] != dtypes[1]) {
    throw std::invalid_argument("bits of different dtypes cannot be the same");
  }
}

void DifferenceSums::add(const View& view, const Tile& tile, std::span<const Block> blocks) {
  if (tile.size() == 0) return;
  different_ = false;
  non_finite_ = false;
  const TileArrays arrays{view, tile, blocks};
  if (tile.inner.count >= kernels::kShortRun) {
    add_along_runs(arrays);
  } else {
    add_down_columns(arrays);
  }
  if (different_ || non_finite_) add_sums(arrays);
}

void DifferenceSums::add_along_runs(const TileArrays& arrays) {
  const Tile& tile = arrays.tile;
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    for (std::size_t c = 0; c < tile.channel.count; ++c) {
      for (std::size_t k = 0; k < tile.inner.count; k += kPiece) {
        const std::size_t i = c * tile.inner.count + k;
        const std::size_t n = std::min(kPiece, tile.inner.count - k);
        add_run({tile.channel.begin + c,
                 {dtypes_[0], arrays.at(0, r, i)},
                 {dtypes_[1], arrays.at(1, r, i)},
                 n,
                 tile.position(arrays.view, r) + i,
                 n,
                 0});
      }
    }
  }
}

// Of each channel what lies in some rows, copied together.
void DifferenceSums::add_down_columns(const TileArrays& arrays) {
  const Tile& tile = arrays.tile;
  const std::size_t part = tile.inner.count;
  const std::size_t most = kPiece / part;
  for (std::size_t r = 0; r < tile.outer.count; r += most) {
    const std::size_t rows = std::min(most, tile.outer.count - r);
    for (std::size_t c = 0; c < tile.channel.count; ++c) {
      std::array<std::array<std::byte, kPiece * sizeof(double)>, 2> copies;
      for (std::size_t k = 0; k < 2; ++k) {
        gather(arrays.at(k, r, c * part), rows, arrays.blocks[k].rows.stride,
               part * item_size(dtypes_[k]), copies[k].data());
      }
      add_run({tile.channel.begin + c,
               {dtypes_[0], copies[0].data()},
               {dtypes_[1], copies[1].data()},
               rows * part,
               tile.position(arrays.view, r) + c * part,
               part,
               arrays.view.channel * arrays.view.inner});
    }
  }
}

void DifferenceSums::add_run(const Run& run) {
  if (run.n >= kernels::kShortRun && doubles_ && add_at_once(run)) return;
  for (std::size_t k = 0; k < run.n; ++k) {
    add_one(run.channel, run.a.behind(k), run.b.behind(k), run.position(k));
  }
}

bool DifferenceSums::add_at_once(const Run& run) {
  // Steps between integers are no steps among values that the kernels know.
  if (!coarser_ && tolerance_.ulp) return false;
  return fits_float(dtypes_[0]) && fits_float(dtypes_[1]) ? scan<float>(run) : scan<double>(run);
}

template <class In>
bool DifferenceSums::scan(const Run& run) {
  Differences& to = channels_[run.channel];
  kernels::DifferenceLimits limits{
      .absolute = to.absolute ? to.absolute->value : 0,
      .relative = to.relative ? to.relative->value : 0,
      .rtol = tolerance_.rtol.value_or(0),
      .atol = tolerance_.atol.value_or(0),
      .excess = least_excess_[run.channel],
      .ulp = std::numeric_limits<std::uint64_t>::max(),  // between integers as large as |a - b|
      .ulp_tolerance = tolerance_.ulp.value_or(0),
      .by_ulp = tolerance_.ulp.has_value()};
  if (coarser_) limits.ulp = to.ulp ? static_cast<std::uint64_t>(to.ulp->value) : 0;
  std::array<std::array<In, kPiece>, 2> scratch;
  const In* a = widen<In>(run.a.dtype, run.a.at, run.n, scratch[0].data());
  const In* b = widen<In>(run.b.dtype, run.b.at, run.n, scratch[1].data());
  const kernels::DifferenceKernels<In>& kernels = kernels::table().differences;
  const auto kernel = coarser_ == Dtype::float16   ? kernels.of_halves
                      : coarser_ == Dtype::float32 ? kernels.of_floats
                                                   : kernels.of_doubles;
  const kernels::DifferenceScan found = kernel(a, b, run.n, limits);
  if (found.closer) return false;
  to.values += run.n;
  to.finite += run.n;
  to.equal += run.n - found.different;
  to.beyond += found.beyond;
  different_ = different_ || found.different != 0;
  return true;
}

void DifferenceSums::add_one(std::size_t channel, const Element& a, const Element& b,
                             std::size_t position) {
  ++channels_[channel].values;
  if (non_finite(a.dtype, a.at) != 0 || non_finite(b.dtype, b.at) != 0) {
    add_non_finite(channels_[channel], a, b);
  } else {
    add_finite(channel, a, b, position);
  }
}

void DifferenceSums::add_non_finite(Differences& to, const Element& a, const Element& b) {
  non_finite_ = true;
  const double of_a = non_finite(a.dtype, a.at);
  const double of_b = non_finite(b.dtype, b.at);
  bool passes = false;
  if (std::isnan(of_a) && std::isnan(of_b)) {
    ++to.both_nan;
    passes = tolerance_.equal_nan;
  } else if (std::isnan(of_a) || std::isnan(of_b)) {
    ++to.one_nan;
  } else if (of_a == of_b) {
    ++to.equal;
    passes = true;
  } else {
    ++to.infinities;
  }
  if (tolerance_.bits) passes = same_bits(a, b);
  if (!passes) ++to.beyond;
}

void DifferenceSums::add_finite(std::size_t channel, const Element& a, const Element& b,
                                std::size_t position) {
  Differences& to = channels_[channel];
  ++to.finite;
  const double y = as_double(b.dtype, b.at);
  const DoubleDouble difference = doubles_ ? two_sum(as_double(a.dtype, a.at), -y)
                                           : DoubleDouble{quotient(exact_size(a, b), 1), 1};
  const double size = std::abs(difference.hi);
  if (size == 0) {
    ++to.equal;
    if (y == 0 && is_negative(a) != is_negative(b)) ++to.zero_signs;
    if (tolerance_.bits && !same_bits(a, b)) ++to.beyond;
    return;
  }
  different_ = true;
  if (!to.absolute || size > to.absolute->value) to.absolute = largest(size, a, b, position);
  const Uint128 steps = steps_between(coarser_, a, b);
  if (!to.ulp || steps > to.ulp->value) to.ulp = largest(steps, a, b, position);
  offer_relative(to, a, b, size / std::abs(y), difference.lo == 0, position);

  const double by_rtol = tolerance_.rtol.value_or(0) * std::abs(y);
  const bool surely_less =
      size >= kTiny && (size + by_rtol) * kError + (size - by_rtol) <= least_excess_[channel];
  if (!surely_less) {
    offer_excess(channel, a, b);
  }
  if (tolerance_.bits || !within(a, b, size, steps)) ++to.beyond;
}

// `about` is rounded once if the difference is exact, else twice.
void DifferenceSums::offer_relative(Differences& to, const Element& a, const Element& b,
                                    double about, bool exact, std::size_t position) {
  const double so_far = to.relative ? to.relative->value : 0;
  if (about < so_far * (1 - kError)) return;
  const Dyadic reference = exact_magnitude(b);
  if (reference.integer().is_zero()) return;
  const double value = exact ? about : nearest_double({0, exact_size(a, b), reference * reference});
  if (!to.relative || value > so_far) to.relative = largest(value, a, b, position);
}

void DifferenceSums::offer_excess(std::size_t channel, const Element& a, const Element& b) {
  Dyadic excess = exact_size(a, b);
  excess -= Dyadic(tolerance_.rtol.value_or(0)) * exact_magnitude(b);
  Differences& to = channels_[channel];
  if (!is_greater(excess, to.excess)) return;
  to.excess = std::move(excess);
  const double nearest = quotient(to.excess, 1);
  least_excess_[channel] = std::min(nearest, std::numeric_limits<double>::max()) * (1 - kError);
}

bool DifferenceSums::within(const Element& a, const Element& b, double size, Uint128 steps) const {
  if (tolerance_.ulp && steps <= *tolerance_.ulp) return true;
  if (!tolerance_.atol && !tolerance_.rtol) return false;
  const double atol = tolerance_.atol.value_or(0);
  const double rtol = tolerance_.rtol.value_or(0);
  const double allowed = atol + rtol * std::abs(as_double(b.dtype, b.at));
  if (size >= kTiny && size < allowed * (1 - kError)) return true;
  if (size >= kTiny && size * (1 - kError) > allowed) return false;
  Dyadic exact_allowed = Dyadic(rtol) * exact_magnitude(b);
  exact_allowed += Dyadic(atol);
  return !is_greater(exact_size(a, b), exact_allowed);
}

// Of pairs of finite values: where others are among them, of a copy that has zeros in their place.
void DifferenceSums::add_sums(const TileArrays& arrays) {
  const auto& [view, tile, blocks] = arrays;
  std::array<Block, 2> finite{blocks[0], blocks[1]};
  if (non_finite_) {
    std::array<MutableRows, 2> copies;
    for (std::size_t k = 0; k < 2; ++k) {
      const std::size_t bytes = tile.row_size() * item_size(blocks[k].dtype);
      copies[k] = {copies_[k].get(bytes * tile.outer.count), bytes};
      gather(blocks[k].rows.data, tile.outer.count, blocks[k].rows.stride, bytes, copies[k].data);
      finite[k].rows = {copies[k].data, bytes};
    }
    for (std::size_t i = 0; i < tile.size(); ++i) {
      const auto at = [&](std::size_t k) { return copies[k].data + i * item_size(dtypes_[k]); };
      if (non_finite(dtypes_[0], at(0)) == 0 && non_finite(dtypes_[1], at(1)) == 0) continue;
      for (std::size_t k = 0; k < 2; ++k) std::memset(at(k), 0, item_size(dtypes_[k]));
    }
  }
  for (std::size_t k = 0; k < 2; ++k) sums_[k].add(view, tile, std::span(finite).subspan(k, 1));
}

DifferenceSums& DifferenceSums::operator+=(const DifferenceSums& other) {
  for (std::size_t c = 0; c < channels_.size(); ++c) channels_[c] += other.channels_[c];
  for (std::size_t k = 0; k < 2; ++k) sums_[k] += other.sums_[k];
  return *this;
}

std::vector<Differences> DifferenceSums::take() {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    channels_[c].sum = sums_[0].take(c).values;
    channels_[c].sum -= sums_[1].take(c).values;
  }
  return std::move(channels_);
}

}  // namespace bn
