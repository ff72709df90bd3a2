#include "bn/tiles/column_sums.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "bn/arrays/elements.hpp"
#include "bn/tiles/exponent_window.hpp"
#include "bn/tiles/single_sums.hpp"

namespace bn {
namespace {

// So few columns that fit no prediction are added value by value; more are summed again first.
constexpr std::size_t kFewColumns = 4;

// Rows whose values predict the exponents of their columns.
constexpr std::size_t kSamples = 4;

// Columns that stand for the same element get the same exponent, so that their sums have one grid.
void share(int* exponent, const ColumnBlock& block) {
  if (block.period == block.used) return;
  for (std::size_t j = block.period; j < block.used; ++j) {
    int& first = exponent[j % block.period];
    first = std::max(first, exponent[j]);
  }
  for (std::size_t j = block.period; j < block.used; ++j) exponent[j] = exponent[j % block.period];
}

}  // namespace

template <class Real, std::size_t kArrays>
ColumnSums<Real, kArrays>::ColumnSums(const TileArrays& arrays,
                                      std::span<Accumulators<Real>> channels,
                                      std::span<Buffer, 2> values, ColumnScratch& scratch)
    : arrays_(arrays),
      channels_(channels),
      values_(values),
      scratch_(scratch),
      kernels_(sum_kernels<Real>()),
      width_(arrays.tile.row_size()) {
  for (std::size_t a = 0; a < kArrays; ++a) {
    const Block& block = arrays.blocks[a];
    const std::size_t size = item_size(block.dtype);
    contiguous_ = contiguous_ && block.rows.stride == width_ * size;
    in_place_[a] = block.dtype == dtype_of<Real>::value && block.rows.stride % size == 0;
    all_in_place_ = all_in_place_ && in_place_[a];
  }
}

// Narrow rows: as many of them as make one that fills vectors, and a call of the kernel, are taken
// as one.
template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::add() {
  const std::size_t rows = arrays_.tile.outer.count;
  constexpr std::size_t kMax = kernels::kMaxColumns<Real>;
  std::size_t fold = (all_in_place_ ? kMax : kMax / 4) / width_;
  while (fold > 1 && fold * width_ % kernels::kColumnMultiple != 0) --fold;
  if (!contiguous_ || fold == 0) fold = 1;
  const std::size_t folded = fold > 1 ? rows / fold : 0;
  if (folded > 0) add_rows(0, folded, fold);
  add_rows(folded * fold * width_, rows - folded * fold, 1);
}

// `count` rows, each made of `fold` rows of the tile, the first of which is the tile's row 0 plus
// `skipped` elements: in blocks of columns, chunks of rows.
template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::add_rows(std::size_t skipped, std::size_t count, std::size_t fold) {
  const std::size_t row = width_ * fold;
  const bool as_they_are = all_in_place_ && row % kernels::kColumnMultiple == 0;
  // Copies of a quarter are summed as fast, and need little room.
  const std::size_t most =
      as_they_are ? kernels::kMaxColumns<Real> : kernels::kMaxColumns<Real> / 4;
  for (std::size_t first = 0; first < row; first += most) {
    ColumnBlock block{.first = first, .used = std::min(most, row - first)};
    block.columns = (block.used + kernels::kColumnMultiple - 1) / kernels::kColumnMultiple *
                    kernels::kColumnMultiple;
    block.period = std::min(block.used, width_);
    for (std::size_t r = 0; r < count; r += kernels_.chunk_rows) {
      const std::size_t rows = std::min(kernels_.chunk_rows, count - r);
      const Chunk chunk = load(block, skipped, r, rows, fold);
      const ColumnScratch::Predicted now{kArrays, arrays_.tile.channel.begin,
                                         arrays_.tile.inner.begin, block};
      if (scratch_.predicted != now) predict(chunk, rows, block);
      scratch_.predicted = now;
      add_chunk(chunk, rows, block);
    }
  }
}

// Rows `row` and following; copied where the kernels cannot take them where they lie.
template <class Real, std::size_t kArrays>
auto ColumnSums<Real, kArrays>::load(const ColumnBlock& block, std::size_t skipped, std::size_t row,
                                     std::size_t rows, std::size_t fold) -> Chunk {
  Chunk chunk;
  for (std::size_t a = 0; a < kArrays; ++a) {
    const Block& array = arrays_.blocks[a];
    const std::size_t size = item_size(array.dtype);
    const std::size_t stride = array.rows.stride * fold;
    const std::byte* at = array.rows.data + row * stride + (skipped + block.first) * size;
    if (in_place_[a] && block.columns == block.used) {
      chunk[a] = {reinterpret_cast<const Real*>(at), stride / size};
      continue;
    }
    auto* buffer =
        reinterpret_cast<Real*>(values_[a].get(kernels_.chunk_rows * block.columns * sizeof(Real)));
    for (std::size_t i = 0; i < rows; ++i, at += stride) {
      Real* to = buffer + i * block.columns;
      const Real* values = widen<Real>(array.dtype, at, block.used, to);
      if (values != to) std::memcpy(to, values, block.used * sizeof(Real));
      std::fill(to + block.used, to + block.columns, Real{0});
    }
    chunk[a] = {buffer, block.columns};
  }
  return chunk;
}

template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::add_chunk(const Chunk& chunk, std::size_t rows,
                                          const ColumnBlock& block) {
  sum(chunk, rows, block);
  if (check(block) > kFewColumns) {
    accept_next(block);
    sum(chunk, rows, block);
    static_cast<void>(check(block));
  }
  for (std::size_t element = 0; element < block.period; ++element) {
    add_element_sums(chunk, rows, block, element);
  }
  accept_next(block);
}

// From a few of the rows.
template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::predict(const Chunk& chunk, std::size_t rows,
                                        const ColumnBlock& block) {
  for (std::size_t a = 0; a < kArrays; ++a) {
    for (std::size_t j = 0; j < block.columns; ++j) {
      Real largest = 0;
      for (std::size_t s = 0; s < kSamples; ++s) {
        const Real value = chunk[a].values[rows * s / kSamples * chunk[a].stride + j];
        largest = std::max(largest, std::abs(value));
      }
      constexpr int kLowest = -ExponentRange<Real>::kBias;
      int exponent = kLowest;
      if (largest != 0 && std::isfinite(largest)) std::frexp(largest, &exponent);
      scratch_.exponent[a][j] = std::max(exponent - 1, kLowest) + kHeadroomOfSample;
    }
    share(scratch_.exponent[a].data(), block);
  }
}

template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::sum(const Chunk& chunk, std::size_t rows,
                                    const ColumnBlock& block) {
  std::array<const int*, kArrays> exponent;
  std::array<kernels::Extremes<Real>*, kArrays> extremes;
  for (std::size_t a = 0; a < kArrays; ++a) {
    exponent[a] = scratch_.exponent[a].data();
    extremes[a] = scratch_.template extremes<Real>(a);
  }
  kernels_.down_columns[kArrays - 1](chunk.data(), rows, block.columns, exponent.data(),
                                     scratch_.sum.data(), scratch_.products.data(),
                                     extremes.data());
}

// Says which columns fit their predicted exponents, and predicts the next ones. Returns how many do
// not.
template <class Real, std::size_t kArrays>
std::size_t ColumnSums<Real, kArrays>::check(const ColumnBlock& block) {
  std::fill_n(scratch_.fit.begin(), block.columns, true);
  for (std::size_t a = 0; a < kArrays; ++a) {
    const kernels::Extremes<Real>* extremes = scratch_.template extremes<Real>(a);
    const int* exponent = scratch_.exponent[a].data();
    int* next = scratch_.next_exponent[a].data();
    for (std::size_t j = 0; j < block.columns; ++j) {
      const ExponentRange<Real> range(extremes[j]);
      if (!range.finite) arrays_.throw_first_non_finite();
      const bool fit = range.fit(exponent[j]);
      scratch_.fit[j] = scratch_.fit[j] && fit;
      next[j] = fit ? exponent[j] : range.predict(kHeadroomOfChunk);
    }
    share(next, block);
  }
  const auto* fit = scratch_.fit.data();
  return static_cast<std::size_t>(std::count(fit, fit + block.columns, false));
}

template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::accept_next(const ColumnBlock& block) {
  for (std::size_t a = 0; a < kArrays; ++a) {
    std::copy_n(scratch_.next_exponent[a].begin(), block.columns, scratch_.exponent[a].begin());
  }
}

// Adds up the columns that stand for one element of the tile's rows.
template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::add_element_sums(const Chunk& chunk, std::size_t rows,
                                                 const ColumnBlock& block, std::size_t element) {
  Accumulators<Real>& sums = channels_[(block.first + element) / arrays_.tile.inner.count];
  std::array<std::int64_t, std::size(Grid::sum)> sum{};
  std::array<std::int64_t, std::size(Grid::product)> products{};
  const kernels::Extremes<Real>* of_first = scratch_.template extremes<Real>(0);
  const kernels::Extremes<Real>* of_last = scratch_.template extremes<Real>(kArrays - 1);
  for (std::size_t j = element; j < block.used; j += block.period) {
    sums.sizes.see(ExponentRange<Real>(of_first[j]).below(),
                   ExponentRange<Real>(of_last[j]).below());
    if (!scratch_.fit[j]) {
      spill_column(chunk, rows, j, sums);
      continue;
    }
    for (std::size_t t = 0; t < sum.size(); ++t) sum[t] += scratch_.sum[t * block.columns + j];
    for (std::size_t t = 0; t < products.size(); ++t) {
      products[t] += scratch_.products[t * block.columns + j];
    }
  }
  const int first = scratch_.exponent[0][element];
  const int last = scratch_.exponent[kArrays - 1][element];
  for (std::size_t t = 0; t < sum.size(); ++t) sums.values.add(sum[t], last + Grid::sum[t]);
  for (std::size_t t = 0; t < products.size(); ++t) {
    sums.products.add(products[t], first + last + Grid::product[t]);
  }
}

template <class Real, std::size_t kArrays>
void ColumnSums<Real, kArrays>::spill_column(const Chunk& chunk, std::size_t rows,
                                             std::size_t column, Accumulators<Real>& sums) {
  const auto value = [&](const kernels::Matrix<Real>& of, std::size_t row) {
    return decoded(of.values[row * of.stride + column]);
  };
  for (std::size_t r = 0; r < rows; ++r) {
    add_element(sums, value(chunk.front(), r), value(chunk.back(), r));
  }
}

template class ColumnSums<float, 1>;
template class ColumnSums<float, 2>;
template class ColumnSums<double, 1>;
template class ColumnSums<double, 2>;

}  // namespace bn
