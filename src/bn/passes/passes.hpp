// The passes over arrays that every command is made of: sum every channel, finish its statistics,
// compute results element by element. Loading, threads and the order of tiles are here; formulas
// not.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/passes/execution.hpp"
#include "bn/tiles/channel_sums.hpp"

namespace bn {

/// What is computed from arrays of one view. Called from several threads, each with other tiles and
/// channels.
class Computation {
 public:
  virtual ~Computation() = default;

  /// What add_to() fills, all zero: sums over arrays of these dtypes.
  [[nodiscard]] virtual std::vector<ChannelSums> make_sums(Range channels,
                                                           std::span<const Dtype> dtypes) const {
    std::vector<ChannelSums> sums;
    sums.emplace_back(channels, dtypes);
    return sums;
  }
  /// Adds a tile to the sums. Throws NonFiniteError.
  virtual void add_to(const View& view, std::span<ChannelSums> sums, const Tile& tile,
                      std::span<const Block> blocks) = 0;
  /// Everything about a channel that its sums decide.
  virtual void finish(std::size_t channel, std::span<ChannelSums> sums) = 0;
  /// Called once when all channels are finished, and before anything leaves through a stream.
  /// Throws where a channel has no results.
  virtual void check() const {}
  /// The results of a tile whose channels are finished.
  virtual void apply(const View& view, const Tile& tile, std::span<const Block> blocks, Dtype dtype,
                     MutableRows results) = 0;
};

/// Sums all channels and finishes them; then, where there is a sink, applies the computation to
/// every tile. Throws NonFiniteError for the first such position: of x before dy, then in memory
/// order.
void sum_and_apply(const View& view, std::span<Source* const> sources, Computation& computation,
                   Sink* sink, const Execution& execution);

/// Applies a computation whose channels need no sums; streams where source or sink is sequential.
void apply_only(const View& view, std::span<Source* const> sources, Computation& computation,
                Sink& sink, const Execution& execution);

}  // namespace bn
