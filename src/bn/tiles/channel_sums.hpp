// The seam for per-channel sums: a tile goes in, two exact sums per channel come out. How the
// values get there (along runs or across columns, vectors or one by one) is not seen outside.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/arrays/buffer.hpp"
#include "bn/error.hpp"
#include "bn/exact/accumulator.hpp"
#include "bn/tiles/column_sums.hpp"
#include "bn/tiles/tile_arrays.hpp"

namespace bn {

/// Of every channel the exact sums of values and of products, less than 2 KiB together: sum x and
/// sum x^2 of one array {x}, sum dy and sum dy * x of two {x, dy}.
class ChannelSums {
 public:
  /// Of the channels in this range, all zero. dtypes: those of the arrays that every call will give
  /// it, x or x and dy.
  ChannelSums(Range channels, std::span<const Dtype> dtypes,
              NonFinite non_finite = NonFinite::refuse);
  /// Goes on to other channels, in the same memory; every sum must have been taken.
  void restart(Range channels);

  /// Adds a tile, whose channels lie in the range. Throws NonFiniteError with the first such
  /// position in the tile, of x before dy; the sums are then unspecified. With `skip` such values
  /// are left out, of either sum that they would enter. Returns whether there were some.
  bool add(const View& view, const Tile& tile, std::span<const Block> blocks);

  ChannelSums& operator+=(const ChannelSums& other);

  struct Exact {
    Dyadic values;
    Dyadic products;
    Sizes sizes;
  };
  /// The sums of a channel, which are zero from then on.
  [[nodiscard]] Exact take(std::size_t channel);

 private:
  template <class Real>
  using OfChannels = std::vector<Accumulators<Real>>;

  template <class Real, std::size_t kArrays>
  void add_in_vectors(const TileArrays& arrays);
  void add_in_vectors(const TileArrays& arrays);
  void add_one_by_one(const TileArrays& arrays);

  std::size_t first_channel_;
  NonFinite non_finite_;
  std::variant<OfChannels<float>, OfChannels<double>> channels_;
  std::array<Buffer, 2> values_;  ///< one chunk of every array
  std::unique_ptr<ColumnScratch> columns_;
};

}  // namespace bn
