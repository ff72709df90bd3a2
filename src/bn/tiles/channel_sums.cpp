#include "bn/tiles/channel_sums.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>

#include "bn/arrays/buffer.hpp"
#include "bn/arrays/elements.hpp"
#include "bn/error.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {
namespace {

template <class Real>
constexpr auto kInfinity =
    std::bit_cast<typename kernels::bits_of<Real>::type>(std::numeric_limits<Real>::infinity());

// Exponents of the values of a chunk.
template <class Real>
struct Exponents {
  static constexpr int kMantissa = std::numeric_limits<Real>::digits - 1;
  static constexpr int kBias = std::numeric_limits<Real>::max_exponent - 1;
  static constexpr int kWindow = kernels::Grid<Real>::window;

  explicit Exponents(kernels::Extremes<Real> extremes)
      : zero(extremes.largest == 0),
        finite(extremes.largest < kInfinity<Real>),
        highest(static_cast<int>(extremes.largest >> kMantissa) - kBias),
        // Subnormal values lie on the grid of the smallest normal exponent.
        lowest(std::max(static_cast<int>((extremes.smallest_minus_one + 1) >> kMantissa), 1) -
               kBias) {}

  /// Whether sums with this guess of the highest exponent are exact.
  [[nodiscard]] bool fit(int guess) const {
    return zero || (highest <= guess && guess - lowest <= kWindow);
  }
  /// A guess for these values and their like, a little higher where there is room.
  [[nodiscard]] int guess(int room) const {
    return zero ? highest : std::min(highest + room, std::max(highest, lowest + kWindow));
  }

  /// Whether sums with this guess lose something of a finite value.
  [[nodiscard]] static bool below_window(Real value, int guess) {
    const auto bits = std::bit_cast<typename kernels::bits_of<Real>::type>(std::abs(value));
    return bits != 0 && guess - Exponents({bits, bits - 1}).lowest > kWindow;
  }

  bool zero;
  bool finite;
  int highest;  ///< every magnitude is less than 2^(highest + 1)
  int lowest;
};

template <class Real>
const kernels::Sums<Real>& sums_kernel() {
  if constexpr (std::is_same_v<Real, float>) {
    return kernels::table().float_sums;
  } else {
    return kernels::table().double_sums;
  }
}

// Shorter pieces are packed together before they are summed.
constexpr std::size_t kPacked = 256;
// Columns summed at a time.
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

// Bits of headroom in guesses of exponents: after a look at a few values, and at a whole chunk.
constexpr int kRoomOfSample = 2;
constexpr int kRoomOfChunk = 1;

// So few columns whose guesses were wrong are added value by value; more are summed again.
constexpr std::ptrdiff_t kFewColumns = 4;

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

template <class Sums>
void add_element(Sums& sums, Decoded x, Decoded last) {
  sums.values.add(last.value, last.exponent);
  add_product(sums.products, x, last);
}

template <class Real>
Decoded decoded(const Real& value) {
  return decode(dtype_of<Real>::value, reinterpret_cast<const std::byte*>(&value));
}

// Which arrays' columns, and which elements of a row they stand for.
struct Columns {
  std::size_t arrays;
  std::size_t channel;
  std::size_t inner;
  std::size_t first;
  std::size_t columns;
  std::size_t period;
  friend bool operator==(const Columns&, const Columns&) = default;
};

}  // namespace

// Room for one chunk of every array, and for the results of its columns.
struct ChannelSums::Scratch {
  template <class Real>
  Real* values(std::size_t array, std::size_t count) {
    return reinterpret_cast<Real*>(values_[array].get(count * sizeof(Real)));
  }

  template <class Real>
  kernels::Extremes<Real>* extremes(std::size_t array) {
    if constexpr (std::is_same_v<Real, float>) {
      return float_extremes_[array].data();
    } else {
      return double_extremes_[array].data();
    }
  }

  std::array<std::int64_t, 3 * kColumns> sum;
  std::array<std::int64_t, 5 * kColumns> products;
  // From the last chunk for the next, as long as that has the same columns.
  std::array<std::array<int, kColumns>, 2> guess;
  std::optional<Columns> guessed;
  std::array<std::array<int, kColumns>, 2> better_guess;
  std::array<bool, kColumns> fit;

 private:
  std::array<Buffer, 2> values_;
  std::array<std::array<kernels::Extremes<float>, kColumns>, 2> float_extremes_;
  std::array<std::array<kernels::Extremes<double>, kColumns>, 2> double_extremes_;
};

ChannelSums::ChannelSums(Range channels, std::span<const Dtype> dtypes)
    : first_channel_(channels.begin), scratch_(std::make_unique<Scratch>()) {
  if (std::all_of(dtypes.begin(), dtypes.end(), fits_float)) {
    channels_.emplace<OfChannels<float>>(channels.count);
  } else {
    channels_.emplace<OfChannels<double>>(channels.count);
  }
}

void ChannelSums::restart(Range channels) {
  first_channel_ = channels.begin;
  std::visit([&](auto& all) { all.resize(channels.count); }, channels_);
}

ChannelSums::ChannelSums(ChannelSums&&) noexcept = default;
ChannelSums& ChannelSums::operator=(ChannelSums&&) noexcept = default;
ChannelSums::~ChannelSums() = default;

ChannelSums& ChannelSums::operator+=(const ChannelSums& other) {
  const auto add = [&]<class All>(All& all) {
    const All& others = std::get<All>(other.channels_);
    for (std::size_t c = 0; c < all.size(); ++c) {
      all[c].values += others[c].values;
      all[c].products += others[c].products;
    }
  };
  std::visit(add, channels_);
  return *this;
}

ChannelSums::Exact ChannelSums::take(std::size_t channel) {
  return std::visit(
      [&](auto& all) {
        auto& sums = all[channel - first_channel_];
        return Exact{sums.values.take(), sums.products.take()};
      },
      channels_);
}

void ChannelSums::add_moments(const View& view, const Tile& tile, Block x) {
  if (fits_float(x.dtype)) {
    add<float, 1>(view, tile, &x);
  } else if (fits_double(x.dtype)) {
    add<double, 1>(view, tile, &x);
  } else {
    add_one_by_one<double, 1>(view, tile, &x, NonFinite::refuse);
  }
}

bool ChannelSums::add_products(const View& view, const Tile& tile, Block x, Block dy,
                               NonFinite policy) {
  const Block blocks[] = {x, dy};
  const bool floats = fits_float(x.dtype) && fits_float(dy.dtype);
  if (policy == NonFinite::skip && (has_non_finite(tile, x) || has_non_finite(tile, dy))) {
    if (floats) {
      add_one_by_one<float, 2>(view, tile, blocks, policy);
    } else {
      add_one_by_one<double, 2>(view, tile, blocks, policy);
    }
    return true;
  }
  if (floats) {
    add<float, 2>(view, tile, blocks);
  } else if (fits_double(x.dtype) && fits_double(dy.dtype)) {
    add<double, 2>(view, tile, blocks);
  } else {
    add_one_by_one<double, 2>(view, tile, blocks, policy);
  }
  return false;
}

template <class Real, std::size_t kArrays>
void ChannelSums::add(const View& view, const Tile& tile, const Block* blocks) {
  if (tile.size() == 0) return;
  if (tile.inner.count < kernels::kShortRun) {
    add_columns<Real, kArrays>(view, tile, blocks);
  } else {
    add_runs<Real, kArrays>(view, tile, blocks);
  }
}

template <class Real>
Accumulators<Real>& ChannelSums::of(std::size_t channel) {
  return std::get<OfChannels<Real>>(channels_)[channel - first_channel_];
}

// kArrays = 1: blocks are {x}; 2: {x, dy}. Sums of values are of the last one, products of both (of
// x with itself).

template <class Real, std::size_t kArrays>
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
      Accumulators<Real>& sums = of<Real>(tile.channel.begin + i / tile.inner.count);
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
  for (std::size_t a = 0; a < kArrays; ++a) {
    buffer[a] = scratch_->template values<Real>(a, kernel.chunk);
  }

  for (std::size_t c = 0; c < tile.channel.count; ++c) {
    Accumulators<Real>& sums = of<Real>(tile.channel.begin + c);

    // Guessed from the channel's first values, then from every chunk for the next.
    std::array<int, kArrays> guess;
    bool guessed = false;
    std::array<std::int64_t, std::size(Grid::sum)> sum;
    std::array<std::int64_t, std::size(Grid::product)> products;
    // The extremes of the values, which tell whether the sums are right.
    const auto sum_up = [&](const std::array<const Real*, kArrays>& values, std::size_t n) {
      std::array<kernels::Extremes<Real>, kArrays> extremes;
      if constexpr (kArrays == 1) {
        extremes[0] = kernel.moments(values[0], n, guess[0], sum.data(), products.data());
      } else {
        kernel.products(values[0], values[1], n, guess[0], guess[1], sum.data(), products.data(),
                        extremes.data());
      }
      return extremes;
    };
    const auto add_chunk = [&](const std::array<const Real*, kArrays>& values, std::size_t n) {
      if (!guessed) {
        for (std::size_t a = 0; a < kArrays; ++a) {
          const std::size_t sample = std::min(n, kPacked);
          guess[a] = Exponents<Real>(kernel.extremes(values[a], sample)).guess(kRoomOfSample);
        }
        guessed = true;
      }
      const auto extremes = sum_up(values, n);
      bool fit = true;
      bool can_fit = true;
      for (std::size_t a = 0; a < kArrays; ++a) {
        const Exponents<Real> exponents(extremes[a]);
        if (!exponents.finite) throw_first_non_finite(view, tile, blocks, kArrays);
        if (exponents.fit(guess[a])) continue;
        fit = false;
        guess[a] = exponents.guess(kRoomOfChunk);
        can_fit = can_fit && exponents.fit(guess[a]);
      }
      if (!can_fit) {
        // A few values are too small for the window of the others: these go one by one.
        for (std::size_t a = 0; a < kArrays; ++a) {
          if (values[a] != buffer[a]) std::memcpy(buffer[a], values[a], n * sizeof(Real));
        }
        for (std::size_t i = 0; i < n; ++i) {
          bool too_small = false;
          for (std::size_t a = 0; a < kArrays; ++a) {
            too_small = too_small || Exponents<Real>::below_window(buffer[a][i], guess[a]);
          }
          if (!too_small) continue;
          add_element(sums, decoded(buffer.front()[i]), decoded(buffer.back()[i]));
          for (std::size_t a = 0; a < kArrays; ++a) buffer[a][i] = 0;
        }
      }
      if (!fit) {
        std::array<const Real*, kArrays> others = values;
        if (!can_fit) std::copy(buffer.begin(), buffer.end(), others.begin());
        sum_up(others, n);
      }
      for (std::size_t t = 0; t < sum.size(); ++t) {
        sums.values.add(sum[t], guess.back() + Grid::sum[t]);
      }
      for (std::size_t t = 0; t < products.size(); ++t) {
        sums.products.add(products[t], guess.front() + guess.back() + Grid::product[t]);
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
  const auto& kernel = sums_kernel<Real>();
  Scratch& scratch = *scratch_;
  const std::size_t width = tile.row_size();
  constexpr std::size_t kMost = kernels::kMostColumns<Real>;
  constexpr std::size_t kMostCopied = kMost / 4;  // as fast, and their copies need little room

  std::array<std::size_t, kArrays> strides;
  bool contiguous = true;
  std::array<bool, kArrays> in_place;  // the kernel can take the values where they lie
  for (std::size_t a = 0; a < kArrays; ++a) {
    const std::size_t size = item_size(blocks[a].dtype);
    strides[a] = blocks[a].rows.stride;
    contiguous = contiguous && strides[a] == width * size;
    in_place[a] = blocks[a].dtype == dtype_of<Real>::value && strides[a] % size == 0;
  }
  const bool all_in_place =
      std::all_of(in_place.begin(), in_place.end(), [](bool is) { return is; });

  // One chunk: rows x columns of each array, columns % 16 == 0. The first `used` of them count.
  // They stand for elements `first` and following of the tile's row, again and again after
  // `period`.
  struct Chunk {
    const Real* values;
    std::size_t stride;
  };
  // Columns that stand for the same element have the same guess, so that their sums have one grid.
  const auto share = [](int* guess, std::size_t used, std::size_t period) {
    if (period == used) return;
    for (std::size_t j = period; j < used; ++j)
      guess[j % period] = std::max(guess[j % period], guess[j]);
    for (std::size_t j = period; j < used; ++j) guess[j] = guess[j % period];
  };
  const auto add_chunk = [&](const std::array<Chunk, kArrays>& chunk, std::size_t rows,
                             std::size_t columns, std::size_t first, std::size_t used,
                             std::size_t period) {
    std::array<int*, kArrays> guess;
    for (std::size_t a = 0; a < kArrays; ++a) guess[a] = scratch.guess[a].data();
    for (int attempt = 0; attempt < 2; ++attempt) {
      if constexpr (kArrays == 1) {
        kernel.moments_columns(chunk[0].values, chunk[0].stride, rows, columns, guess[0],
                               scratch.sum.data(), scratch.products.data(),
                               scratch.template extremes<Real>(0));
      } else {
        kernel.products_columns(chunk[0].values, chunk[0].stride, chunk[1].values, chunk[1].stride,
                                rows, columns, guess[0], guess[1], scratch.sum.data(),
                                scratch.products.data(), scratch.template extremes<Real>(0),
                                scratch.template extremes<Real>(1));
      }
      std::fill_n(scratch.fit.begin(), columns, true);
      for (std::size_t a = 0; a < kArrays; ++a) {
        const kernels::Extremes<Real>* extremes = scratch.template extremes<Real>(a);
        for (std::size_t j = 0; j < columns; ++j) {
          const Exponents<Real> exponents(extremes[j]);
          if (!exponents.finite) throw_first_non_finite(view, tile, blocks, kArrays);
          const bool fit = exponents.fit(guess[a][j]);
          scratch.fit[j] = scratch.fit[j] && fit;
          scratch.better_guess[a][j] = fit ? guess[a][j] : exponents.guess(kRoomOfChunk);
        }
      }
      for (std::size_t a = 0; a < kArrays; ++a) share(scratch.better_guess[a].data(), used, period);
      const auto misfits = std::count(scratch.fit.begin(), scratch.fit.begin() + columns, false);
      if (misfits <= kFewColumns || attempt == 1) break;
      for (std::size_t a = 0; a < kArrays; ++a) {
        std::copy_n(scratch.better_guess[a].begin(), columns, scratch.guess[a].begin());
      }
    }

    for (std::size_t element = 0; element < period; ++element) {
      const std::size_t channel = tile.channel.begin + (first + element) / tile.inner.count;
      Accumulators<Real>& sums = of<Real>(channel);
      std::array<std::int64_t, std::size(Grid::sum)> sum{};
      std::array<std::int64_t, std::size(Grid::product)> products{};
      for (std::size_t j = element; j < used; j += period) {
        if (scratch.fit[j]) {
          for (std::size_t t = 0; t < sum.size(); ++t) sum[t] += scratch.sum[t * columns + j];
          for (std::size_t t = 0; t < products.size(); ++t) {
            products[t] += scratch.products[t * columns + j];
          }
          continue;
        }
        for (std::size_t r = 0; r < rows; ++r) {
          const auto value = [&](const Chunk& of) { return decoded(of.values[r * of.stride + j]); };
          add_element(sums, value(chunk.front()), value(chunk.back()));
        }
      }
      const int e = guess[kArrays - 1][element];
      for (std::size_t t = 0; t < sum.size(); ++t) sums.values.add(sum[t], e + Grid::sum[t]);
      for (std::size_t t = 0; t < products.size(); ++t) {
        sums.products.add(products[t], guess[0][element] + e + Grid::product[t]);
      }
    }
    for (std::size_t a = 0; a < kArrays; ++a) {
      std::copy_n(scratch.better_guess[a].begin(), columns, scratch.guess[a].begin());
    }
  };

  // Guesses of the exponents of every column, from a few of its rows.
  const auto guess_from = [&](const std::array<Chunk, kArrays>& chunk, std::size_t rows,
                              std::size_t columns, std::size_t used, std::size_t period) {
    constexpr std::size_t kSamples = 4;
    for (std::size_t a = 0; a < kArrays; ++a) {
      for (std::size_t j = 0; j < columns; ++j) {
        std::array<Real, kSamples> sample;
        for (std::size_t s = 0; s < kSamples; ++s) {
          sample[s] = chunk[a].values[rows * s / kSamples * chunk[a].stride + j];
        }
        Real largest = 0;
        for (const Real value : sample) largest = std::max(largest, std::abs(value));
        int exponent = -Exponents<Real>::kBias;
        if (largest != 0 && std::isfinite(largest)) std::frexp(largest, &exponent);
        scratch.guess[a][j] = std::max(exponent - 1, -Exponents<Real>::kBias) + kRoomOfSample;
      }
      share(scratch.guess[a].data(), used, period);
    }
  };

  // `count` rows, each made of `fold` rows of the tile, the first of which is the tile's row 0 plus
  // `skipped` elements: in blocks of columns, chunks of rows. Copied where the kernel cannot take
  // them as they are.
  const auto add_rows = [&](std::size_t skipped, std::size_t count, std::size_t fold) {
    const std::size_t row = width * fold;
    const std::size_t most = all_in_place && row % 16 == 0 ? kMost : kMostCopied;
    for (std::size_t first = 0; first < row; first += most) {
      const std::size_t used = std::min(most, row - first);
      const std::size_t columns = (used + 15) / 16 * 16;
      const std::size_t period = std::min(used, width);  // rows are one of the tile, or several
      for (std::size_t r = 0; r < count; r += kernel.chunk_rows) {
        const std::size_t rows = std::min(kernel.chunk_rows, count - r);
        std::array<Chunk, kArrays> chunk;
        for (std::size_t a = 0; a < kArrays; ++a) {
          const Block& block = blocks[a];
          const std::size_t size = item_size(block.dtype);
          const std::size_t stride = strides[a] * fold;
          const std::byte* at = block.rows.data + r * stride + (skipped + first) * size;
          if (in_place[a] && columns == used) {
            chunk[a] = {reinterpret_cast<const Real*>(at), stride / size};
            continue;
          }
          Real* buffer = scratch.template values<Real>(a, kernel.chunk_rows * columns);
          for (std::size_t i = 0; i < rows; ++i, at += stride) {
            Real* to = buffer + i * columns;
            const Real* values = widen<Real>(block.dtype, at, used, to);
            if (values != to) std::memcpy(to, values, used * sizeof(Real));
            std::fill(to + used, to + columns, Real{0});
          }
          chunk[a] = {buffer, columns};
        }
        const Columns now{kArrays, tile.channel.begin, tile.inner.begin, first, columns, period};
        if (scratch.guessed != now) guess_from(chunk, rows, columns, used, period);
        scratch.guessed = now;
        add_chunk(chunk, rows, columns, first, used, period);
      }
    }
  };

  // Narrow rows: as many of them as make one that fills vectors, and a call of the kernel, are
  // taken as one.
  std::size_t fold = (all_in_place ? kMost : kMostCopied) / width;
  while (fold > 1 && fold * width % 16 != 0) --fold;
  if (!contiguous || fold == 0) fold = 1;
  const std::size_t folded = fold > 1 ? tile.outer.count / fold : 0;
  if (folded > 0) add_rows(0, folded, fold);
  add_rows(folded * fold * width, tile.outer.count - folded * fold, 1);
}

}  // namespace bn
