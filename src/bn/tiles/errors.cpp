#include "bn/tiles/errors.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "bn/exact/nearest.hpp"
#include "bn/kernels/kernels.hpp"
#include "bn/tiles/error_measure.hpp"

namespace bn {
namespace {

// Values looked at together: the claim's and sizes as doubles are 16 KiB, half of an L1 cache.
constexpr std::size_t kPiece = 1024;

// Neighbouring values belong to different lanes, whose sums and maxima are independent of each
// other, so that the compiler can take several at once: of a run so many, and so many columns.
constexpr std::size_t kLanesOfRun = 32;
constexpr std::size_t kLanesOfShortRun = 16;
constexpr std::size_t kLongRun = 512;
static_assert(kLanesOfShortRun <= kernels::kShortRun && kLanesOfRun <= kLongRun);
constexpr std::size_t kLanes = 256;

// Errors are summed up in units of 2^-kUnit: added to kShift they are rounded to that. What is
// larger than kLargest has no room beside it, and sums of more than kMost none in 64 bits.
constexpr int kUnit = 20;
constexpr double kShift = 0x3p31;
constexpr double kLargest = 0x1p30;
constexpr double kMost = 0x1p42;

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

// To a multiple of 2^-20, as a number of these.
Int128 rounded(double error) {
  constexpr double kHighest = 0x1p63;
  return static_cast<Int128>(
      std::nearbyint(std::ldexp(std::clamp(error, -kHighest, kHighest), kUnit)));
}

Dyadic dyadic(Int128 sum) {
  const Integer size(static_cast<Uint128>(sum < 0 ? -sum : sum));
  return {sum < 0 ? -size : size, -kUnit};
}

bool is_worse(const Errors::Worst& a, const Errors::Worst& b) {
  const double of_a = std::abs(a.error);
  const double of_b = std::abs(b.error);
  return of_a > of_b || (of_a == of_b && a.position < b.position);
}

void offer(std::optional<Errors::Worst>& to, const std::optional<Errors::Worst>& from) {
  if (from && (!to || is_worse(*from, *to))) to = from;
}

}  // namespace

double ulp_at(Dtype dtype, double size) {
  return std::ldexp(1, unit_exponent(format_of(dtype), size));
}

Errors& Errors::operator+=(const Errors& other) {
  values += other.values;
  beyond += other.beyond;
  nan += other.nan;
  offer(worst, other.worst);
  worst_plain = std::max(worst_plain, other.worst_plain);
  sum += other.sum;
  sum_of_sizes += other.sum_of_sizes;
  return *this;
}

double mean_size(const Errors& errors) {
  const std::uint64_t count = errors.values - errors.nan;
  return count == 0 ? 0 : quotient(errors.sum_of_sizes, count);
}

double bias(const Errors& errors) {
  const std::uint64_t count = errors.values - errors.nan;
  return count == 0 ? 0 : quotient(errors.sum, count);
}

Errors errors_of_one(Dtype dtype, double claimed, double exact, double size, double tolerance,
                     std::size_t position) {
  const auto [error, plain] = ErrorMeasure(dtype)(claimed, exact, size);
  Errors result;
  result.values = 1;
  result.beyond = std::abs(error) <= tolerance && !std::isnan(claimed) ? 0 : 1;
  result.worst = Errors::Worst{error, position, claimed, exact};
  result.worst_plain = plain;
  if (std::isnan(claimed)) {
    result.nan = 1;
    return result;
  }
  result.sum = dyadic(rounded(error));
  result.sum_of_sizes = dyadic(rounded(std::abs(error)));
  return result;
}

// What lanes have found, and the scratch of a piece.
struct ErrorSums::Lanes {
  template <class T>
  using Each = std::array<T, kLanes>;

  std::array<Each<double>, TermSizes::kMaxConstants> constants;
  Each<double> tolerance;
  Each<double> largest;
  Each<double> largest_plain;
  Each<double> total;   // of |error|: NaN where one is
  Each<double> beyond;  // a count; of its own type the loop would not be taken in vectors
  Each<std::uint64_t> sum;
  Each<std::uint64_t> sum_of_sizes;

  Each<std::size_t> channel;
  Each<double> worst;  // of the channels of a part

  std::array<float, kPiece> halves;
  std::array<double, kPiece> claimed;
  std::array<double, kPiece> sizes;

  // Of one value of each of n lanes.
  void add(const ErrorMeasure& measure, const double* claim, const double* exact,
           const double* size, std::size_t n);
  // Whether what add() has found is right.
  [[nodiscard]] bool ordinary(std::size_t n) const;
};

// What is of one channel, and contiguous, or of as many columns in some rows: elements `first` and
// n - 1 more of each of `rows` rows, where n may go on into the next row.
struct ErrorSums::Part {
  const View& view;
  const Tile& tile;
  const std::array<Block, 2>& values;
  std::span<const Block> operands;
  std::size_t row;
  std::size_t rows;
  std::size_t first;
  std::size_t n;
  std::size_t columns;

  [[nodiscard]] std::size_t channel(std::size_t k) const {
    return tile.channel.begin + (first + k) % tile.row_size() / tile.inner.count;
  }
  [[nodiscard]] std::size_t position(std::size_t r, std::size_t k) const {
    const std::size_t i = first + k;
    return tile.position(view, row + r + i / tile.row_size()) + i % tile.row_size();
  }
  // How many values a lane has.
  [[nodiscard]] std::uint64_t in_lane(std::size_t lane) const {
    return std::uint64_t{rows} * ((n - lane + columns - 1) / columns);
  }
};

// Values one behind the other.
struct ErrorSums::Piece {
  const double* claimed;
  const double* exact;
  const double* sizes;
};

ErrorSums::ErrorSums(Dtype claim, std::span<const double> tolerances, const TermSizes& sizes)
    : claim_(claim),
      tolerances_(tolerances),
      sizes_(&sizes),
      channels_(tolerances.size()),
      lanes_(std::make_shared<Lanes>()) {}

void ErrorSums::add(const View& view, const Tile& tile, const std::array<Block, 2>& values,
                    std::span<const Block> operands) {
  if (tile.size() == 0) return;
  const std::size_t width = tile.row_size();
  const std::size_t rows = tile.outer.count;
  Part part{view, tile, values, operands, 0, 1, 0, 0, 0};
  if (tile.inner.count >= kernels::kShortRun) {
    part.n = tile.inner.count;
    part.columns = part.n >= kLongRun ? kLanesOfRun : kLanesOfShortRun;
    for (part.row = 0; part.row < rows; ++part.row) {
      for (part.first = 0; part.first < width; part.first += part.n) add_part(part);
    }
    return;
  }
  const auto contiguous = [&](const Block& block) {
    return block.rows.stride == width * item_size(block.dtype);
  };
  if (width <= kLanes / 2 && std::all_of(values.begin(), values.end(), contiguous) &&
      std::all_of(operands.begin(), operands.end(), contiguous)) {
    // Narrow rows side by side.
    part.n = rows * width;
    part.columns = std::min(part.n, kLanes / width * width);
    add_part(part);
    return;
  }
  part.rows = rows;
  for (part.first = 0; part.first < width; part.first += part.n) {
    part.n = std::min(kLanes, width - part.first);
    part.columns = part.n;
    add_part(part);
  }
}

void ErrorSums::add_part(const Part& part) {
  const auto add_all = [&](bool one_by_one) {
    start(part);
    const std::size_t step = kPiece / part.columns * part.columns;
    for (std::size_t r = 0; r < part.rows; ++r) {
      for (std::size_t k = 0; k < part.n; k += step) {
        add_piece(part, r, k, std::min(step, part.n - k), one_by_one);
      }
    }
  };
  add_all(false);
  if (!lanes_->ordinary(part.columns)) add_all(true);
  finish(part);
}

void ErrorSums::start(const Part& part) {
  Lanes& lanes = *lanes_;
  const auto constants = sizes_->constants();
  const std::size_t inner = part.tile.inner.count;
  const auto fill = [&](auto& each, auto value, std::size_t from, std::size_t n) {
    std::fill_n(each.begin() + static_cast<std::ptrdiff_t>(from), n, value);
  };
  // Columns of one channel side by side.
  for (std::size_t j = 0, n = 0; j < part.columns; j += n) {
    const std::size_t channel = part.channel(j);
    n = std::min(inner - (part.first + j) % inner, part.columns - j);
    fill(lanes.channel, channel, j, n);
    fill(lanes.tolerance, tolerances_[channel], j, n);
    for (std::size_t k = 0; k < constants.size(); ++k) {
      fill(lanes.constants[k], constants[k][channel], j, n);
    }
  }
  for (auto* each : {&lanes.largest, &lanes.largest_plain, &lanes.total, &lanes.beyond}) {
    fill(*each, 0, 0, part.columns);
  }
  for (auto* each : {&lanes.sum, &lanes.sum_of_sizes}) fill(*each, 0, 0, part.columns);
}

ErrorSums::Piece ErrorSums::piece(const Part& part, std::size_t row, std::size_t k, std::size_t n) {
  Lanes& lanes = *lanes_;
  const auto at = [&](const Block& block) {
    return Element{block.dtype, block.rows.data + (part.row + row) * block.rows.stride +
                                    (part.first + k) * item_size(block.dtype)};
  };
  const Element claim = at(part.values[0]);
  const double* claimed = lanes.claimed.data();
  if (claim.dtype == Dtype::float16) {
    const float* halves = widen<float>(claim.dtype, claim.at, n, lanes.halves.data());
    std::copy_n(halves, n, lanes.claimed.data());
  } else {
    claimed = widen<double>(claim.dtype, claim.at, n, lanes.claimed.data());
  }
  TermSizes::Values values{.exact = reinterpret_cast<const double*>(at(part.values[1]).at),
                           .operands = {},
                           .n = n,
                           .columns = part.columns,
                           .of_columns = {}};
  std::transform(part.operands.begin(), part.operands.end(), values.operands.begin(), at);
  for (std::size_t c = 0; c < values.of_columns.size(); ++c) {
    values.of_columns[c] = lanes.constants[c].data() + k % part.columns;
  }
  sizes_->fill(values, lanes.sizes.data());
  return {claimed, values.exact, lanes.sizes.data()};
}

void ErrorSums::Lanes::add(const ErrorMeasure& measure, const double* claim, const double* exact,
                           const double* size, std::size_t n) {
  const ErrorMeasure how = measure;
  for (std::size_t j = 0; j < n; ++j) {
    const double right = how.limited(exact[j]);
    const double difference = claim[j] - right;
    const double error = difference * how.per_unit(size[j]);
    const double of_error = std::abs(error);
    const double plain = std::abs(difference) * how.per_unit(right);
    largest[j] = of_error > largest[j] ? of_error : largest[j];
    largest_plain[j] = plain > largest_plain[j] ? plain : largest_plain[j];
    total[j] += of_error;
    beyond[j] += of_error > tolerance[j] ? 1.0 : 0.0;
    sum[j] += bits(error + kShift) - bits(kShift);
    sum_of_sizes[j] += bits(of_error + kShift) - bits(kShift);
  }
}

bool ErrorSums::Lanes::ordinary(std::size_t n) const {
  for (std::size_t j = 0; j < n; ++j) {
    if (!(total[j] <= kMost && largest[j] <= kLargest && std::isfinite(largest_plain[j]))) {
      return false;
    }
  }
  return true;
}

void ErrorSums::add_piece(const Part& part, std::size_t row, std::size_t k, std::size_t n,
                          bool one_by_one) {
  Lanes& lanes = *lanes_;
  const ErrorMeasure measure(claim_);
  const auto [claimed, exact, sizes] = piece(part, row, k, n);
  for (std::size_t i = 0; i < n && !one_by_one; i += part.columns) {
    lanes.add(measure, claimed + i, exact + i, sizes + i, std::min(part.columns, n - i));
  }
  for (std::size_t i = 0; i < n && one_by_one; ++i) {
    const std::size_t lane = i % part.columns;
    OfChannel& to = channels_[lanes.channel[lane]];
    const auto [error, plain] = measure(claimed[i], exact[i], sizes[i]);
    lanes.largest[lane] = std::max(lanes.largest[lane], std::abs(error));
    lanes.largest_plain[lane] = std::max(lanes.largest_plain[lane], plain);
    if (std::isnan(claimed[i])) {
      ++lanes.beyond[lane];
      ++to.nan;
      continue;
    }
    if (std::abs(error) > lanes.tolerance[lane]) ++lanes.beyond[lane];
    to.sum += rounded(error);
    to.sum_of_sizes += rounded(std::abs(error));
  }
}

void ErrorSums::finish(const Part& part) {
  Lanes& lanes = *lanes_;
  const std::size_t begin = lanes.channel[0];
  std::size_t end = begin;
  for (std::size_t j = 0; j < part.columns; ++j) {
    const std::size_t channel = lanes.channel[j];
    if (channel >= end) {
      lanes.worst[channel - begin] = 0;
      end = channel + 1;
    }
    OfChannel& to = channels_[channel];
    to.values += part.in_lane(j);
    to.beyond += static_cast<std::uint64_t>(lanes.beyond[j]);
    to.worst_plain = std::max(to.worst_plain, lanes.largest_plain[j]);
    to.sum += static_cast<std::int64_t>(lanes.sum[j]);
    to.sum_of_sizes += static_cast<std::int64_t>(lanes.sum_of_sizes[j]);
    double& worst = lanes.worst[channel - begin];
    worst = std::max(worst, lanes.largest[j]);
  }
  for (std::size_t c = begin; c < end; ++c) find_worst(part, c, lanes.worst[c - begin]);
}

void ErrorSums::find_worst(const Part& part, std::size_t channel, double error) {
  std::optional<Errors::Worst>& worst = channels_[channel].worst;
  if (worst) {
    const double so_far = std::abs(worst->error);
    if (error < so_far) return;
    if (error == so_far && part.position(0, 0) >= worst->position) return;
  }
  offer(worst, first_of(part, channel, error));
}

// The first value of the channel with an error of this size.
Errors::Worst ErrorSums::first_of(const Part& part, std::size_t channel, double error) {
  const ErrorMeasure measure(claim_);
  const std::size_t width = part.tile.row_size();
  const std::size_t inner = part.tile.inner.count;
  const std::size_t end = part.first + part.n;
  for (std::size_t r = 0; r < part.rows; ++r) {
    for (std::size_t i = (channel - part.tile.channel.begin) * inner; i < end; i += width) {
      for (std::size_t k = std::max(i, part.first); k < std::min(i + inner, end); k += kPiece) {
        const std::size_t n = std::min(kPiece, std::min(i + inner, end) - k);
        const Piece values = piece(part, r, k - part.first, n);
        for (std::size_t j = 0; j < n; ++j) {
          const double claimed = values.claimed[j];
          const double found = measure(claimed, values.exact[j], values.sizes[j]).error;
          if (std::abs(found) != error) continue;
          return {found, part.position(r, k - part.first + j), claimed, values.exact[j]};
        }
      }
    }
  }
  return {};
}

ErrorSums& ErrorSums::operator+=(const ErrorSums& other) {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    OfChannel& to = channels_[c];
    const OfChannel& from = other.channels_[c];
    to.values += from.values;
    to.beyond += from.beyond;
    to.nan += from.nan;
    offer(to.worst, from.worst);
    to.worst_plain = std::max(to.worst_plain, from.worst_plain);
    to.sum += from.sum;
    to.sum_of_sizes += from.sum_of_sizes;
  }
  return *this;
}

std::vector<Errors> ErrorSums::take() const {
  std::vector<Errors> result;
  for (const OfChannel& channel : channels_) {
    result.push_back({channel.values, channel.beyond, channel.nan, channel.worst,
                      channel.worst_plain, dyadic(channel.sum), dyadic(channel.sum_of_sizes)});
  }
  return result;
}

}  // namespace bn
