// Sums of columns: rows whose runs are too short for vectors along them, so that neighbouring
// elements of a row, of other channels mostly, share a vector.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>

#include "bn/arrays/buffer.hpp"
#include "bn/exact/accumulator.hpp"
#include "bn/kernels/kernels.hpp"
#include "bn/tiles/tile_arrays.hpp"

namespace bn {

/// A block of columns: elements `first` and following of the tile's rows. `used` of the `columns`
/// stand for elements, again and again after `period` where a row of the block is several of the
/// tile's; the others are zeros.
struct ColumnBlock {
  std::size_t first = 0;
  std::size_t used = 0;
  std::size_t columns = 0;
  std::size_t period = 0;
  friend bool operator==(const ColumnBlock&, const ColumnBlock&) = default;
};

/// What the kernels say of a block of columns, and what is predicted for its next chunk.
class ColumnScratch {
 public:
  static constexpr std::size_t kColumns = kernels::kMaxColumns<float>;

  template <class Real>
  [[nodiscard]] kernels::Extremes<Real>* extremes(std::size_t array) {
    if constexpr (sizeof(Real) == sizeof(float)) {
      return float_extremes_[array].data();
    } else {
      return double_extremes_[array].data();
    }
  }

  std::array<std::int64_t, std::size(kernels::Grid<double>::sum) * kColumns> sum;
  std::array<std::int64_t, std::size(kernels::Grid<double>::product) * kColumns> products;
  std::array<bool, kColumns> fit;

  /// The exponents predicted for each array's columns, and better ones once they were seen.
  std::array<std::array<int, kColumns>, 2> exponent;
  std::array<std::array<int, kColumns>, 2> next_exponent;

  /// The columns that `exponent` is for: it stays from call to call, as long as they are the same.
  struct Predicted {
    std::size_t arrays;
    std::size_t channel;
    std::size_t inner;
    ColumnBlock block;
    friend bool operator==(const Predicted&, const Predicted&) = default;
  };
  std::optional<Predicted> predicted;

 private:
  std::array<std::array<kernels::Extremes<float>, kColumns>, 2> float_extremes_;
  std::array<std::array<kernels::Extremes<double>, kColumns>, 2> double_extremes_;
};

/// The sums of all channels of a tile, in blocks of columns and chunks of as many rows as the
/// kernels take. For each chunk the exponents of every column are predicted, the columns summed,
/// the predictions checked against what was seen, and the sums taken again where many were wrong;
/// columns that still do not fit are spilled, value by value, and a few are so at once.
template <class Real, std::size_t kArrays>
class ColumnSums {
 public:
  /// `channels`: the sums of the tile's channels. `values`: a buffer per array.
  ColumnSums(const TileArrays& arrays, std::span<Accumulators<Real>> channels,
             std::span<Buffer, 2> values, ColumnScratch& scratch);

  /// Adds the whole tile. Throws NonFiniteError.
  void add();

 private:
  using Grid = kernels::Grid<Real>;
  /// Of every array, the rows of a chunk that are a block's.
  using Chunk = std::array<kernels::Matrix<Real>, kArrays>;

  void add_rows(std::size_t skipped, std::size_t count, std::size_t fold);
  Chunk load(const ColumnBlock& block, std::size_t skipped, std::size_t row, std::size_t rows,
             std::size_t fold);
  void add_chunk(const Chunk& chunk, std::size_t rows, const ColumnBlock& block);
  void predict(const Chunk& chunk, std::size_t rows, const ColumnBlock& block);
  void sum(const Chunk& chunk, std::size_t rows, const ColumnBlock& block);
  [[nodiscard]] std::size_t check(const ColumnBlock& block);
  void accept_next(const ColumnBlock& block);
  void add_element_sums(const Chunk& chunk, std::size_t rows, const ColumnBlock& block,
                        std::size_t element);
  void spill_column(const Chunk& chunk, std::size_t rows, std::size_t column,
                    Accumulators<Real>& sums);

  const TileArrays& arrays_;
  const std::span<Accumulators<Real>> channels_;
  const std::span<Buffer, 2> values_;
  ColumnScratch& scratch_;
  const kernels::SumKernels<Real>& kernels_;

  std::size_t width_;  ///< of the tile's rows
  bool contiguous_ = true;
  std::array<bool, kArrays> in_place_{};  ///< the kernels can take the values where they lie
  bool all_in_place_ = true;
};

extern template class ColumnSums<float, 1>;
extern template class ColumnSums<float, 2>;
extern template class ColumnSums<double, 1>;
extern template class ColumnSums<double, 2>;

}  // namespace bn
