#include "bn/channel_sums.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "bn/elements.hpp"
#include "bn/error.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {
namespace {

template <class Real>
constexpr auto kInfinity =
    std::bit_cast<typename kernels::bits_of<Real>::type>(std::numeric_limits<Real>::infinity());

// Exponents of the magnitudes of a chunk.
template <class Real>
struct Exponents {
  static constexpr int kMantissa = std::numeric_limits<Real>::digits - 1;
  static constexpr int kBias = std::numeric_limits<Real>::max_exponent - 1;

  explicit Exponents(kernels::Extremes<Real> extremes)
      : zero(extremes.largest == 0), finite(extremes.largest < kInfinity<Real>) {
    e = static_cast<int>(extremes.largest >> kMantissa) - kBias;
    // Subnormal values lie on the grid of the smallest normal exponent.
    const auto field = static_cast<int>((extremes.smallest_minus_one + 1) >> kMantissa);
    within_window = zero || e - (std::max(field, 1) - kBias) <= kernels::Grid<Real>::window;
  }

  bool zero;
  bool finite;
  bool within_window;
  int e;  ///< every magnitude is less than 2^(e + 1)
};

template <class Real>
const kernels::Sums<Real>& sums_kernel() {
  if constexpr (std::is_same_v<Real, float>) {
    return kernels::table().float_sums;
  } else {
    return kernels::table().double_sums;
  }
}

// Below this, runs are too short for vectors along them: each of their elements is a column
// instead.
constexpr std::size_t kShortRun = 16;
// Shorter pieces are packed together before they are summed.
constexpr std::size_t kPacked = 256;
// Columns summed at a time, so that a chunk of rows stays in the cache between its two passes.
constexpr std::size_t kColumns = 512;

[[noreturn]] void throw_first_non_finite(const View& view, const Tile& tile, const Block* blocks,
                                         std::size_t arrays) {
  for (std::size_t a = 0; a < arrays; ++a) {
    const std::size_t size = item_size(blocks[a].dtype);
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      const std::byte* row = blocks[a].rows.data + r * blocks[a].rows.stride;
      for (std::size_t i = 0; i < tile.row_size(); ++i) {
        const double value = non_finite(blocks[a].dtype, row + i * size);
        if (value != 0) {
          throw NonFiniteError(a == 0 ? Operand::x : Operand::dy, tile.position(view, r) + i,
                               value);
        }
      }
    }
  }
  throw std::logic_error("no value of the tile is NaN or infinite");
}

template <class Real>
bool has_non_finite(const Tile& tile, const Block& block) {
  std::array<Real, kPacked> scratch;
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    for (std::size_t i = 0; i < tile.row_size(); i += kPacked) {
      const std::size_t n = std::min(kPacked, tile.row_size() - i);
      const std::byte* at = block.rows.data + r * block.rows.stride + i * item_size(block.dtype);
      const Real* values = widen<Real>(block.dtype, at, n, scratch.data());
      if (sums_kernel<Real>().extremes(values, n).largest >= kInfinity<Real>) return true;
    }
  }
  return false;
}

bool has_non_finite(const Tile& tile, const Block& block) {
  if (!is_floating(block.dtype)) return false;
  return fits_float(block.dtype) ? has_non_finite<float>(tile, block)
                                 : has_non_finite<double>(tile, block);
}

template <class Sum>
void add_product(Sum& sum, Decoded a, Decoded b) {
  // Halves of one factor, so that no product exceeds 128 bits.
  const Int128 high = a.value >> 32;
  const Int128 low = a.value - (high << 32);
  sum.add(low * b.value, a.exponent + b.exponent);
  sum.add(high * b.value, a.exponent + b.exponent + 32);
}

}  // namespace

// Room for one chunk of every array, and for the results of its columns.
struct ChannelSums::Scratch {
  static constexpr std::size_t kValues = kColumns * 128;

  template <class Real>
  Real* values(std::size_t array) {
    std::vector<std::byte>& buffer = values_[array];
    if (buffer.size() < kValues * sizeof(Real)) buffer.resize(kValues * sizeof(Real));
    return reinterpret_cast<Real*>(buffer.data());
  }

  std::array<std::int64_t, 3 * kColumns> sum;
  std::array<std::int64_t, 5 * kColumns> products;
  std::array<std::array<int, kColumns>, 2> e;
  std::array<bool, kColumns> within_window;
  std::array<std::uint64_t, kColumns> largest;
  std::array<std::uint64_t, kColumns> smallest_minus_one;

 private:
  std::array<std::vector<std::byte>, 2> values_;
};

ChannelSums::ChannelSums(Range channels)
    : first_channel_(channels.begin),
      channels_(channels.count),
      scratch_(std::make_unique<Scratch>()) {}

void ChannelSums::restart(Range channels) {
  first_channel_ = channels.begin;
  channels_.resize(channels.count);
}

ChannelSums::ChannelSums(ChannelSums&&) noexcept = default;
ChannelSums& ChannelSums::operator=(ChannelSums&&) noexcept = default;
ChannelSums::~ChannelSums() = default;

ChannelSums& ChannelSums::operator+=(const ChannelSums& other) {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    channels_[c].values += other.channels_[c].values;
    channels_[c].products += other.channels_[c].products;
  }
  return *this;
}

ChannelSums::Exact ChannelSums::take(std::size_t channel) {
  Accumulators& sums = channels_[channel - first_channel_];
  return {sums.values.take(), sums.products.take()};
}

void ChannelSums::add_moments(const View& view, const Tile& tile, Block x) {
  if (fits_float(x.dtype)) {
    add<float, 1>(view, tile, &x);
  } else if (fits_double(x.dtype)) {
    add<double, 1>(view, tile, &x);
  } else {
    add_one_by_one<1>(view, tile, &x, NonFinite::refuse);
  }
}

bool ChannelSums::add_products(const View& view, const Tile& tile, Block x, Block dy,
                               NonFinite policy) {
  const Block blocks[] = {x, dy};
  if (policy == NonFinite::skip && (has_non_finite(tile, x) || has_non_finite(tile, dy))) {
    add_one_by_one<2>(view, tile, blocks, policy);
    return true;
  }
  if (fits_float(x.dtype) && fits_float(dy.dtype)) {
    add<float, 2>(view, tile, blocks);
  } else if (fits_double(x.dtype) && fits_double(dy.dtype)) {
    add<double, 2>(view, tile, blocks);
  } else {
    add_one_by_one<2>(view, tile, blocks, policy);
  }
  return false;
}

template <class Real, std::size_t kArrays>
void ChannelSums::add(const View& view, const Tile& tile, const Block* blocks) {
  if (tile.inner.count < kShortRun) {
    add_columns<Real, kArrays>(view, tile, blocks);
  } else {
    add_runs<Real, kArrays>(view, tile, blocks);
  }
}

// kArrays = 1: blocks are {x}; 2: {x, dy}. Sums of values are of the last one, products of both (of
// x with itself).

template <std::size_t kArrays>
void ChannelSums::add_one_by_one(const View& view, const Tile& tile, const Block* blocks,
                                 NonFinite policy) {
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    for (std::size_t i = 0; i < tile.row_size(); ++i) {
      std::array<Decoded, kArrays> element{};
      std::array<bool, kArrays> finite{};
      for (std::size_t a = 0; a < kArrays; ++a) {
        const std::byte* at =
            blocks[a].rows.data + r * blocks[a].rows.stride + i * item_size(blocks[a].dtype);
        finite[a] = non_finite(blocks[a].dtype, at) == 0;
        if (finite[a]) {
          element[a] = decode(blocks[a].dtype, at);
        } else if (policy == NonFinite::refuse) {
          throw_first_non_finite(view, tile, blocks, kArrays);
        }
      }
      Accumulators& sums = channels_[tile.channel.begin + i / tile.inner.count - first_channel_];
      if (finite.back()) sums.values.add(element.back().value, element.back().exponent);
      if (finite.front() && finite.back()) {
        add_product(sums.products, element.front(), element.back());
      }
    }
  }
}

template <class Real, std::size_t kArrays>
void ChannelSums::add_runs(const View& view, const Tile& tile, const Block* blocks) {
  using Grid = kernels::Grid<Real>;
  const auto& kernel = sums_kernel<Real>();
  std::array<Real*, kArrays> buffer;
  for (std::size_t a = 0; a < kArrays; ++a) buffer[a] = scratch_->template values<Real>(a);

  for (std::size_t c = 0; c < tile.channel.count; ++c) {
    Accumulators& sums = channels_[tile.channel.begin + c - first_channel_];

    const auto add_chunk = [&](const std::array<const Real*, kArrays>& values, std::size_t n) {
      std::array<Exponents<Real>, kArrays> exponents = [&] {
        if constexpr (kArrays == 1) {
          return std::array{Exponents<Real>(kernel.extremes(values[0], n))};
        } else {
          return std::array{Exponents<Real>(kernel.extremes(values[0], n)),
                            Exponents<Real>(kernel.extremes(values[1], n))};
        }
      }();
      for (const auto& e : exponents) {
        if (!e.finite) throw_first_non_finite(view, tile, blocks, kArrays);
      }
      const Exponents<Real>& last = exponents.back();
      if (last.zero) return;
      if (!exponents.front().within_window || !last.within_window) {
        for (std::size_t i = 0; i < n; ++i) {
          constexpr Dtype kDtype = dtype_of<Real>::value;
          const Decoded a = decode(kDtype, reinterpret_cast<const std::byte*>(values.front() + i));
          const Decoded b = decode(kDtype, reinterpret_cast<const std::byte*>(values.back() + i));
          sums.values.add(b.value, b.exponent);
          add_product(sums.products, a, b);
        }
        return;
      }
      std::array<std::int64_t, Grid::sum.size()> sum;
      std::array<std::int64_t, Grid::product.size()> products;
      if constexpr (kArrays == 1) {
        kernel.moments(values[0], n, last.e, sum.data(), products.data());
      } else {
        kernel.products(values[0], values[1], n, exponents[0].e, last.e, sum.data(),
                        products.data());
      }
      const int e_product = exponents.front().e + last.e;
      for (std::size_t t = 0; t < sum.size(); ++t) sums.values.add(sum[t], last.e + Grid::sum[t]);
      for (std::size_t t = 0; t < products.size(); ++t) {
        sums.products.add(products[t], e_product + Grid::product[t]);
      }
    };

    std::size_t packed = 0;
    std::array<const Real*, kArrays> values;
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      for (std::size_t i = 0; i < tile.inner.count;) {
        const std::size_t left = tile.inner.count - i;
        const bool alone = packed == 0 && left >= kPacked;
        const std::size_t n = std::min(left, kernel.chunk - packed);
        for (std::size_t a = 0; a < kArrays; ++a) {
          const Block& block = blocks[a];
          const std::byte* at = block.rows.data + r * block.rows.stride +
                                (c * tile.inner.count + i) * item_size(block.dtype);
          values[a] = widen<Real>(block.dtype, at, n, buffer[a] + packed);
          if (!alone && values[a] != buffer[a] + packed) {
            std::memcpy(buffer[a] + packed, values[a], n * sizeof(Real));
          }
        }
        if (alone) {
          add_chunk(values, n);
        } else {
          packed += n;
        }
        if (packed == kernel.chunk) {
          std::copy(buffer.begin(), buffer.end(), values.begin());
          add_chunk(values, packed);
          packed = 0;
        }
        i += n;
      }
    }
    if (packed != 0) {
      std::copy(buffer.begin(), buffer.end(), values.begin());
      add_chunk(values, packed);
    }
  }
}

template <class Real, std::size_t kArrays>
void ChannelSums::add_columns(const View& view, const Tile& tile, const Block* blocks) {
  using Grid = kernels::Grid<Real>;
  using Bits = typename kernels::bits_of<Real>::type;
  const auto& kernel = sums_kernel<Real>();
  Scratch& scratch = *scratch_;
  const std::size_t width = tile.row_size();

  // One chunk: rows x columns of each array, columns % 16 == 0; the first `used` of them count, and
  // stand for elements `first` and following of the tile's row.
  struct Chunk {
    const Real* values;
    std::size_t stride;
  };
  const auto add_chunk = [&](const std::array<Chunk, kArrays>& chunk, std::size_t rows,
                             std::size_t columns, std::size_t first, std::size_t used) {
    auto* largest = reinterpret_cast<Bits*>(scratch.largest.data());
    auto* smallest = reinterpret_cast<Bits*>(scratch.smallest_minus_one.data());
    std::fill_n(scratch.within_window.begin(), columns, true);
    for (std::size_t a = 0; a < kArrays; ++a) {
      kernel.extremes_columns(chunk[a].values, chunk[a].stride, rows, columns, largest, smallest);
      for (std::size_t j = 0; j < columns; ++j) {
        const Exponents<Real> exponents({largest[j], smallest[j]});
        if (!exponents.finite) throw_first_non_finite(view, tile, blocks, kArrays);
        scratch.e[a][j] = exponents.e;
        scratch.within_window[j] = scratch.within_window[j] && exponents.within_window;
      }
    }
    const int* e_x = scratch.e.front().data();
    const int* e_last = scratch.e[kArrays - 1].data();
    if constexpr (kArrays == 1) {
      kernel.moments_columns(chunk[0].values, chunk[0].stride, rows, columns, e_x,
                             scratch.sum.data(), scratch.products.data());
    } else {
      kernel.products_columns(chunk[0].values, chunk[0].stride, chunk[1].values, chunk[1].stride,
                              rows, columns, e_x, e_last, scratch.sum.data(),
                              scratch.products.data());
    }
    for (std::size_t j = 0; j < used; ++j) {
      const std::size_t channel = tile.channel.begin + (first + j) % width / tile.inner.count;
      Accumulators& sums = channels_[channel - first_channel_];
      if (!scratch.within_window[j]) {
        for (std::size_t r = 0; r < rows; ++r) {
          constexpr Dtype kDtype = dtype_of<Real>::value;
          const auto element = [&](std::size_t a) {
            return decode(kDtype, reinterpret_cast<const std::byte*>(chunk[a].values +
                                                                     r * chunk[a].stride + j));
          };
          const Decoded a = element(0);
          const Decoded b = element(kArrays - 1);
          sums.values.add(b.value, b.exponent);
          add_product(sums.products, a, b);
        }
        continue;
      }
      for (std::size_t t = 0; t < Grid::sum.size(); ++t) {
        sums.values.add(scratch.sum[t * columns + j], e_last[j] + Grid::sum[t]);
      }
      for (std::size_t t = 0; t < Grid::product.size(); ++t) {
        sums.products.add(scratch.products[t * columns + j], e_x[j] + e_last[j] + Grid::product[t]);
      }
    }
  };

  // Rows of `row` elements, `count` of them, starting at row 0 of the tile plus `skipped` elements:
  // in blocks of columns, chunks of rows. Copied where the kernel cannot take them as they are.
  const auto add_rows = [&](std::size_t skipped, std::size_t count, std::size_t row,
                            const std::array<std::size_t, kArrays>& strides) {
    for (std::size_t first = 0; first < row; first += kColumns) {
      const std::size_t used = std::min(kColumns, row - first);
      const std::size_t columns = (used + 15) / 16 * 16;
      for (std::size_t r = 0; r < count; r += kernel.chunk_rows) {
        const std::size_t rows = std::min(kernel.chunk_rows, count - r);
        std::array<Chunk, kArrays> chunk;
        for (std::size_t a = 0; a < kArrays; ++a) {
          const Block& block = blocks[a];
          const std::size_t size = item_size(block.dtype);
          const std::byte* at = block.rows.data + r * strides[a] + (skipped + first) * size;
          if (block.dtype == dtype_of<Real>::value && columns == used && strides[a] % size == 0) {
            chunk[a] = {reinterpret_cast<const Real*>(at), strides[a] / size};
            continue;
          }
          Real* buffer = scratch.template values<Real>(a);
          for (std::size_t i = 0; i < rows; ++i, at += strides[a]) {
            Real* to = buffer + i * columns;
            const Real* values = widen<Real>(block.dtype, at, used, to);
            if (values != to) std::memcpy(to, values, used * sizeof(Real));
            std::fill(to + used, to + columns, Real{0});
          }
          chunk[a] = {buffer, columns};
        }
        add_chunk(chunk, rows, columns, first, used);
      }
    }
  };

  std::array<std::size_t, kArrays> strides;
  bool contiguous = true;
  for (std::size_t a = 0; a < kArrays; ++a) {
    strides[a] = blocks[a].rows.stride;
    contiguous = contiguous && strides[a] == width * item_size(blocks[a].dtype);
  }
  // Narrow rows: sixteen of them make one, whose columns fill vectors.
  constexpr std::size_t kFold = 16;
  std::size_t folded = 0;
  if (contiguous && width < kColumns / kFold * 2) {
    folded = tile.outer.count / kFold;
    std::array<std::size_t, kArrays> wide = strides;
    for (std::size_t& stride : wide) stride *= kFold;
    add_rows(0, folded, width * kFold, wide);
  }
  add_rows(folded * kFold * width, tile.outer.count - folded * kFold, width, strides);
}

}  // namespace bn
