// Sums along runs: the values of a channel lie one after the other, at least kShortRun at a time.
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

/// The sums of one channel of a tile, in chunks of as many values as the kernels take. For each
/// chunk the exponents are predicted, the values summed, the prediction checked against what was
/// seen, and the sums taken again where it was wrong; values too small for the window of the others
/// are spilled, one by one.
template <class Real, std::size_t kArrays>
class RunSums {
 public:
  /// `scratch`: a buffer per array, for the values of a chunk.
  RunSums(const TileArrays& arrays, std::span<Buffer, 2> scratch);

  /// Adds the values of the tile's channel number `channel` to its sums. Throws NonFiniteError.
  void add_channel(std::size_t channel, Accumulators<Real>& sums);

 private:
  using Grid = kernels::Grid<Real>;
  using Values = std::array<const Real*, kArrays>;
  using Extremes = std::array<kernels::Extremes<Real>, kArrays>;

  /// How the values seen fit the exponents predicted for them.
  enum class Fit {
    yes,
    after_all,  ///< not, but there is a prediction that they fit
    in_part,    ///< some values are too small for the window of the largest
  };

  void add_run(std::size_t row, std::size_t first);
  void add_packed();
  void add_chunk(const Values& values, std::size_t n);
  void predict(const Values& values, std::size_t n);
  Extremes sum(const Values& values, std::size_t n);
  Fit check(const Extremes& extremes);
  void spill(const Values& values, std::size_t n);

  const TileArrays& arrays_;
  const kernels::SumKernels<Real>& kernels_;
  std::array<Real*, kArrays> buffer_;
  std::size_t packed_ = 0;  ///< values in the buffer that wait for others

  Accumulators<Real>* sums_ = nullptr;  ///< of the channel that is being added
  std::array<int, kArrays> exponent_{};
  bool predicted_ = false;

  /// Of the last chunk, as the kernels leave them.
  std::array<std::int64_t, std::size(Grid::sum)> sum_{};
  std::array<std::int64_t, std::size(Grid::product)> products_{};
  std::array<int, kArrays> below_{};  ///< as in Sizes
};

extern template class RunSums<float, 1>;
extern template class RunSums<float, 2>;
extern template class RunSums<double, 1>;
extern template class RunSums<double, 2>;

}  // namespace bn
