#include "bn/tiles/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "bn/arrays/elements.hpp"

namespace bn {
namespace {

using kernels::Affine;
using kernels::Channel;
using kernels::Columns;
using kernels::Gradient;
using kernels::Store;

// Elements converted at a time: the conversions stay in the first cache.
constexpr std::size_t kPiece = 1024;

// Rows below this are taken several at a time, with constants laid out for all of them.
constexpr std::size_t kNarrow = 128;

template <class Value>
const kernels::Elementwise<Value>& kernel() {
  if constexpr (std::is_same_v<Value, Channel>) {
    return kernels::table().channel;
  } else {
    return kernels::table().columns;
  }
}

// An operand as it is before results take its place, if they do.
class Operand {
 public:
  Operand(Dtype dtype, const std::byte* elements, std::size_t n, const std::byte* results)
      : dtype_(dtype), elements_(elements) {
    if (elements != results) return;
    std::memcpy(kept_.data(), elements, n * item_size(dtype));
    elements_ = kept_.data();
  }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

  [[nodiscard]] bool finite(std::size_t i) const {
    return non_finite(dtype_, elements_ + i * item_size(dtype_)) == 0;
  }

 private:
  Dtype dtype_;
  const std::byte* elements_;
  std::array<std::byte, kPiece * sizeof(double)> kept_;
};

// Counts the results that are not finite although all operands are. What a NaN's sign and payload
// are depends on the CPU; here all get the same.
std::size_t settle_non_finite(Dtype dtype, std::byte* results, std::size_t n,
                              std::initializer_list<const Operand*> operands) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    std::byte* result = results + i * item_size(dtype);
    const double value = non_finite(dtype, result);
    if (value == 0) continue;
    if (std::isnan(value)) set_nan(dtype, result);
    const bool from_finite =
        std::all_of(operands.begin(), operands.end(),
                    [&](const Operand* operand) { return operand->finite(i); });
    count += from_finite ? 1 : 0;
  }
  return count;
}

// Origins of a piece's elements: one for all or one each, as the constants are. None where every
// element is taken as it is.
template <class Value>
struct Origins {
  const Origin* first = nullptr;
  [[nodiscard]] Origin at(std::size_t i) const {
    return std::is_same_v<Value, Columns> ? first[i] : *first;
  }
};

// One piece of an operand as double.
template <class Value>
const double* widen_double(Dtype dtype, const std::byte* elements, std::size_t n,
                           Origins<Value> origins, double* scratch) {
  if (origins.first == nullptr && fits_double(dtype)) {
    return widen<double>(dtype, elements, n, scratch);
  }
  for (std::size_t i = 0; i < n; ++i) {
    const Origin origin = origins.first != nullptr ? origins.at(i) : Origin{};
    scratch[i] = seen_from(origin, dtype, elements + i * item_size(dtype));
  }
  return scratch;
}

// run(results, store) -> "one may not be finite", for the dtype of the results.
template <class RunFloat, class RunDouble>
bool with_results(Dtype dtype, std::byte* results, Store store, std::size_t n, RunFloat run_float,
                  RunDouble run_double) {
  if (dtype == Dtype::float32) return run_float(reinterpret_cast<float*>(results), store);
  if (dtype == Dtype::float64) return run_double(reinterpret_cast<double*>(results), store);
  std::array<double, kPiece> exact;
  run_double(exact.data(), Store::cached);
  return kernels::table().narrow_half(exact.data(), n, reinterpret_cast<std::uint16_t*>(results));
}

template <class Value>
std::size_t normalise_piece(Dtype x_dtype, const std::byte* x, std::size_t n,
                            const Affine<Value>& constants, Origins<Value> origins, Dtype dtype,
                            std::byte* y, Store store) {
  const Operand x_before(x_dtype, x, n, y);
  const auto& k = kernel<Value>();
  bool suspicious = false;
  if (origins.first == nullptr && fits_float(x_dtype)) {
    std::array<float, kPiece> scratch;
    const float* values = widen<float>(x_dtype, x, n, scratch.data());
    suspicious = with_results(
        dtype, y, store, n,
        [&](float* out, Store to) { return k.normalise_ff(values, n, constants, out, to); },
        [&](double* out, Store to) { return k.normalise_fd(values, n, constants, out, to); });
  } else {
    std::array<double, kPiece> scratch;
    const double* values = widen_double(x_dtype, x, n, origins, scratch.data());
    suspicious = with_results(
        dtype, y, store, n,
        [&](float* out, Store to) { return k.normalise_df(values, n, constants, out, to); },
        [&](double* out, Store to) { return k.normalise_dd(values, n, constants, out, to); });
  }
  return suspicious ? settle_non_finite(dtype, y, n, {&x_before}) : 0;
}

template <class Value>
std::size_t gradient_piece(Dtype x_dtype, const std::byte* x, Dtype dy_dtype, const std::byte* dy,
                           std::size_t n, const Gradient<Value>& constants, Origins<Value> origins,
                           Dtype dtype, std::byte* dx, Store store) {
  const Operand x_before(x_dtype, x, n, dx);
  const Operand dy_before(dy_dtype, dy, n, dx);
  const auto& k = kernel<Value>();
  bool suspicious = false;
  if (origins.first == nullptr && fits_float(x_dtype) && fits_float(dy_dtype)) {
    std::array<float, kPiece> x_scratch;
    std::array<float, kPiece> dy_scratch;
    const float* x_values = widen<float>(x_dtype, x, n, x_scratch.data());
    const float* dy_values = widen<float>(dy_dtype, dy, n, dy_scratch.data());
    suspicious = with_results(
        dtype, dx, store, n,
        [&](float* out, Store to) {
          return k.gradient_ff(x_values, dy_values, n, constants, out, to);
        },
        [&](double* out, Store to) {
          return k.gradient_fd(x_values, dy_values, n, constants, out, to);
        });
  } else {
    std::array<double, kPiece> x_scratch;
    std::array<double, kPiece> dy_scratch;
    const double* x_values = widen_double(x_dtype, x, n, origins, x_scratch.data());
    const double* dy_values = widen_double(dy_dtype, dy, n, Origins<Value>{}, dy_scratch.data());
    suspicious = with_results(
        dtype, dx, store, n,
        [&](float* out, Store to) {
          return k.gradient_df(x_values, dy_values, n, constants, out, to);
        },
        [&](double* out, Store to) {
          return k.gradient_dd(x_values, dy_values, n, constants, out, to);
        });
  }
  return suspicious ? settle_non_finite(dtype, dx, n, {&x_before, &dy_before}) : 0;
}

// piece(row, element of the row, n, channel) for runs of one channel.
template <class Piece>
void walk_runs(const Tile& tile, Piece piece) {
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    for (std::size_t c = 0; c < tile.channel.count; ++c) {
      for (std::size_t i = 0; i < tile.inner.count; i += kPiece) {
        piece(r, c * tile.inner.count + i, std::min(kPiece, tile.inner.count - i),
              tile.channel.begin + c);
      }
    }
  }
}

// piece(row, element of the row, n, offset) where the constants of the piece's elements start at
// `offset` of one row of columns. Where rows are contiguous, elements may reach into following
// rows.
template <class Piece>
void walk_columns(const Tile& tile, std::size_t repeats, Piece piece) {
  const std::size_t width = tile.row_size();
  for (std::size_t r = 0; r < tile.outer.count; r += repeats) {
    const std::size_t n = std::min(repeats, tile.outer.count - r) * width;
    for (std::size_t i = 0; i < n; i += kPiece) piece(r, i, std::min(kPiece, n - i), i);
  }
}

// Rows that are taken as one: narrow ones, where no gap is between them.
std::size_t repeats(const Tile& tile, bool contiguous) {
  const std::size_t width = tile.row_size();
  return contiguous && width < kNarrow ? kPiece / width : 1;
}

// A constant of the tile's channels, one a column: the channels' own where those are the columns.
template <class T>
class ColumnsOf {
 public:
  ColumnsOf(const std::vector<T>& channels, const Tile& tile, std::size_t repeats)
      : values_(channels.data() + tile.channel.begin) {
    if (tile.inner.count == 1 && repeats == 1) return;
    const std::size_t row = tile.row_size();
    expanded_.reserve(row * repeats);
    for (std::size_t c = 0; c < tile.channel.count; ++c) {
      expanded_.insert(expanded_.end(), tile.inner.count, values_[c]);
    }
    expanded_.resize(row * repeats);
    for (std::size_t k = 1; k < repeats; ++k) {
      std::copy_n(expanded_.begin(), row, expanded_.begin() + static_cast<std::ptrdiff_t>(k * row));
    }
    values_ = expanded_.data();
  }
  ColumnsOf(const ColumnsOf&) = delete;
  ColumnsOf& operator=(const ColumnsOf&) = delete;

  [[nodiscard]] const T* from(std::size_t column) const { return values_ + column; }

 private:
  const T* values_;
  std::vector<T> expanded_;
};

// None for a channel that is seen from where it is.
const Origin* own_origin(const ChannelOrigins& origins, std::size_t channel) {
  if (!origins.moved()) return nullptr;
  const Origin& origin = origins.of_channels()[channel];
  return origin == Origin{} ? nullptr : &origin;
}

// Both ends of a short run would share their lines of memory with ordinary stores.
constexpr std::size_t kLeastPastCaches = 128;

Store store_of(MutableRows rows, std::size_t n) {
  return rows.past_caches && n >= kLeastPastCaches ? Store::past_caches : Store::cached;
}

}  // namespace

AffineChannels::AffineChannels(std::size_t channels)
    : mean(channels), mean_lo(channels), scale(channels), beta(channels), origin(channels) {}

GradientChannels::GradientChannels(std::size_t channels)
    : mean(channels),
      mean_lo(channels),
      scale(channels),
      scale_lo(channels),
      offset(channels),
      offset_lo(channels),
      slope(channels),
      slope_lo(channels),
      origin(channels) {}

std::size_t normalise(const Tile& tile, Block x, const AffineChannels& k, Dtype dtype,
                      MutableRows y) {
  if (tile.size() == 0) return 0;
  const std::size_t x_size = item_size(x.dtype);
  const std::size_t y_size = item_size(dtype);
  const bool moved = k.origin.moved();
  std::size_t overflows = 0;
  const auto x_at = [&](std::size_t r, std::size_t i) {
    return x.rows.data + r * x.rows.stride + i * x_size;
  };
  const auto y_at = [&](std::size_t r, std::size_t i) {
    return y.data + r * y.stride + i * y_size;
  };

  if (tile.inner.count >= kernels::kShortRun) {
    walk_runs(tile, [&](std::size_t r, std::size_t i, std::size_t n, std::size_t c) {
      const Affine<Channel> constants{k.mean[c], k.mean_lo[c], k.scale[c], k.beta[c]};
      overflows += normalise_piece<Channel>(x.dtype, x_at(r, i), n, constants,
                                            Origins<Channel>{own_origin(k.origin, c)}, dtype,
                                            y_at(r, i), store_of(y, n));
    });
    return overflows;
  }
  const std::size_t rows = repeats(
      tile, x.rows.stride == tile.row_size() * x_size && y.stride == tile.row_size() * y_size);
  const ColumnsOf mean(k.mean, tile, rows);
  const ColumnsOf mean_lo(k.mean_lo, tile, rows);
  const ColumnsOf origin(k.origin.of_channels(), tile, rows);
  const ColumnsOf scale(k.scale, tile, rows);
  const ColumnsOf beta(k.beta, tile, rows);
  walk_columns(tile, rows, [&](std::size_t r, std::size_t i, std::size_t n, std::size_t column) {
    const Affine<Columns> constants{mean.from(column), mean_lo.from(column), scale.from(column),
                                    beta.from(column)};
    overflows += normalise_piece<Columns>(x.dtype, x_at(r, i), n, constants,
                                          Origins<Columns>{moved ? origin.from(column) : nullptr},
                                          dtype, y_at(r, i), store_of(y, n));
  });
  return overflows;
}

std::size_t gradient(const Tile& tile, Block x, Block dy, const GradientChannels& k, Dtype dtype,
                     MutableRows dx) {
  if (tile.size() == 0) return 0;
  const std::size_t x_size = item_size(x.dtype);
  const std::size_t dy_size = item_size(dy.dtype);
  const std::size_t dx_size = item_size(dtype);
  const bool moved = k.origin.moved();
  std::size_t overflows = 0;
  const auto piece = [&]<class Value>(std::size_t r, std::size_t i, std::size_t n,
                                      const Gradient<Value>& constants, Origins<Value> origins) {
    overflows += gradient_piece<Value>(x.dtype, x.rows.data + r * x.rows.stride + i * x_size,
                                       dy.dtype, dy.rows.data + r * dy.rows.stride + i * dy_size, n,
                                       constants, origins, dtype,
                                       dx.data + r * dx.stride + i * dx_size, store_of(dx, n));
  };

  if (tile.inner.count >= kernels::kShortRun) {
    walk_runs(tile, [&](std::size_t r, std::size_t i, std::size_t n, std::size_t c) {
      piece(r, i, n,
            Gradient<Channel>{k.mean[c], k.mean_lo[c], k.scale[c], k.scale_lo[c], k.offset[c],
                              k.offset_lo[c], k.slope[c], k.slope_lo[c]},
            Origins<Channel>{own_origin(k.origin, c)});
    });
    return overflows;
  }
  const std::size_t width = tile.row_size();
  const std::size_t rows =
      repeats(tile, x.rows.stride == width * x_size && dy.rows.stride == width * dy_size &&
                        dx.stride == width * dx_size);
  const ColumnsOf mean(k.mean, tile, rows);
  const ColumnsOf mean_lo(k.mean_lo, tile, rows);
  const ColumnsOf origin(k.origin.of_channels(), tile, rows);
  const ColumnsOf scale(k.scale, tile, rows);
  const ColumnsOf scale_lo(k.scale_lo, tile, rows);
  const ColumnsOf offset(k.offset, tile, rows);
  const ColumnsOf offset_lo(k.offset_lo, tile, rows);
  const ColumnsOf slope(k.slope, tile, rows);
  const ColumnsOf slope_lo(k.slope_lo, tile, rows);
  walk_columns(tile, rows, [&](std::size_t r, std::size_t i, std::size_t n, std::size_t column) {
    piece(r, i, n,
          Gradient<Columns>{mean.from(column), mean_lo.from(column), scale.from(column),
                            scale_lo.from(column), offset.from(column), offset_lo.from(column),
                            slope.from(column), slope_lo.from(column)},
          Origins<Columns>{moved ? origin.from(column) : nullptr});
  });
  return overflows;
}

}  // namespace bn
