// The passes over arrays that every computation is made of: sum every channel, finish its
// statistics, compute results element by element. Loading, threads and the order of tiles are here;
// formulas are not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bn/arrays/array.hpp"
#include "bn/error.hpp"
#include "bn/exact/accumulator.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/passes/execution.hpp"
#include "bn/tiles/checksum.hpp"
#include "bn/tiles/counts.hpp"

namespace bn {

/// The exact sums of one channel over the whole batch; those that were not asked for are zero.
struct ChannelTotals {
  Dyadic sum_x;
  Dyadic sum_x_squares;
  Dyadic sum_dy;
  Dyadic sum_dy_x;
  Sizes sizes;  ///< of x and dy; of x twice where dy is not summed
};

/// The sums that a computation needs, and what it makes of them. finish() is called from several
/// threads, each with other channels.
class Reduction {
 public:
  virtual ~Reduction() = default;

  /// Sources are {x} or {x, dy}.
  struct Needs {
    bool moments = false;   ///< sum x, sum x^2
    bool products = false;  ///< sum dy, sum dy * x
    NonFinite non_finite = NonFinite::refuse;
  };
  [[nodiscard]] virtual Needs needs() const = 0;

  /// Called first, with the number of values per channel of the whole batch. Throws where nothing
  /// can be made of so many.
  virtual void begin(std::uint64_t /*count*/) {}
  /// What is not finite in a tile, where it has been left out of the sums. From any thread.
  virtual void add_non_finite(const Tile& /*tile*/, std::span<const Block> /*blocks*/) {}
  /// Everything about a channel that its sums decide; never called for an empty batch.
  virtual void finish(std::size_t channel, ChannelTotals&& totals, std::uint64_t count) = 0;
  /// Called once when all channels are finished, and before anything leaves through a stream.
  /// Throws where a channel has no results.
  virtual void conclude() {}
};

/// Results element by element.
class Formula {
 public:
  virtual ~Formula() = default;
  /// Called first for every channel where no sums finish them. From several threads, each with
  /// other channels.
  virtual void prepare(std::size_t /*channel*/) {}
  /// The results of a tile whose channels are finished. Called from several threads, each with
  /// other tiles.
  virtual Counts apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
                       MutableRows results) = 0;
};

/// What looks at every tile once, and writes nothing.
class Inspection {
 public:
  virtual ~Inspection() = default;
  /// Called first: `thread` is less than `threads` from then on.
  virtual void begin(unsigned threads) = 0;
  virtual void inspect(unsigned thread, const Tile& tile, std::span<const Block> blocks) = 0;
};

struct PassResult {
  Counts counts;
  std::uint64_t x_checksum = 0;
};

/// Sums all channels and finishes them; then, where there is a sink, applies the formula to every
/// tile. Throws NonFiniteError for the first such position: of x before dy, then in memory order.
PassResult sum_and_apply(const View& view, std::span<Source* const> sources, Reduction& reduction,
                         Formula& formula, Sink* sink, Checksum checksum,
                         const Execution& execution);

/// Sums all channels and finishes them.
void sum_only(const View& view, std::span<Source* const> sources, Reduction& reduction,
              const Execution& execution);

/// Applies a formula that needs no sums; streams where source or sink is sequential.
PassResult apply_only(const View& view, std::span<Source* const> sources, Formula& formula,
                      Sink& sink, Checksum checksum, const Execution& execution);

/// Shows every tile of all sources to the inspection, each thread's in ascending order; streams
/// where a source is sequential.
void inspect(const View& view, std::span<Source* const> sources, Inspection& inspection,
             const Execution& execution);

}  // namespace bn
