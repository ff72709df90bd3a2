// How two arrays differ, tile by tile: counted, the worst of it, and whether a tolerance holds.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/arrays/buffer.hpp"
#include "bn/arrays/elements.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/exact/int128.hpp"
#include "bn/tiles/channel_sums.hpp"
#include "bn/tiles/tile_arrays.hpp"

namespace bn {

/// What a pair of elements (a, b) has to be to pass, b being the reference. Equal values always
/// pass, -0 and 0 among them and infinities of one sign. Other finite values pass within `ulp`, or
/// within atol and rtol, whichever are given:
///
///   |a - b| <= atol + rtol |b|
///
/// in real arithmetic. NaN beside NaN passes with equal_nan; nothing else that is not finite does.
/// With `bits` nothing of this holds: a pair passes where its bits are the same.
struct Tolerance {
  std::optional<double> atol = {};  ///< >= 0; 0 where only rtol is given
  std::optional<double> rtol = {};
  std::optional<std::uint64_t> ulp = {};
  bool equal_nan = false;
  bool bits = false;
};

/// The pair that differs most by some measure; of several the first in memory order.
template <class Measure>
struct Largest {
  Measure value{};
  std::size_t position = 0;
  std::array<std::byte, 8> a{};  ///< the elements
  std::array<std::byte, 8> b{};
};

/// How all pairs of two arrays, or of one channel of them, differ.
struct Differences {
  std::uint64_t values = 0;
  std::uint64_t equal = 0;       ///< equal values, -0 and 0 and infinities of one sign among them
  std::uint64_t zero_signs = 0;  ///< -0 beside 0, equal
  std::uint64_t both_nan = 0;
  std::uint64_t one_nan = 0;
  std::uint64_t infinities = 0;  ///< an infinity beside another number
  std::uint64_t finite = 0;      ///< pairs of two finite values: those that the rest is about
  std::uint64_t beyond = 0;      ///< pairs of any kind that do not pass

  /// |a - b|, rounded once.
  std::optional<Largest<double>> absolute;
  /// |a - b| / |b| for b other than 0, rounded once.
  std::optional<Largest<double>> relative;
  /// The steps from one value to the other among those of the coarser dtype, to which the other one
  /// is rounded first: of floating dtypes the one with fewer bits, a floating one rather than an
  /// integer one, all integers for two of these.
  std::optional<Largest<Uint128>> ulp;
  /// The sum of a - b.
  Dyadic sum;
  /// The largest |a - b| - rtol |b|, or 0 where none is larger.
  Dyadic excess;

  Differences& operator+=(const Differences& other);
};

/// The dtype among whose values steps are counted; none for the integers.
[[nodiscard]] std::optional<Dtype> coarser(Dtype a, Dtype b);

/// The differences of each channel, summed up from tiles of two arrays. One thread's.
class DifferenceSums {
 public:
  /// Throws std::invalid_argument for `bits` and two dtypes.
  DifferenceSums(std::size_t channels, std::array<Dtype, 2> dtypes, const Tolerance& tolerance);

  void add(const View& view, const Tile& tile, std::span<const Block> blocks);
  DifferenceSums& operator+=(const DifferenceSums& other);
  /// To call once.
  [[nodiscard]] std::vector<Differences> take();

 private:
  /// Pairs of one channel one behind the other, in memory or as copies of what lies in parts.
  struct Run {
    std::size_t channel;
    Element a;
    Element b;
    std::size_t n;
    std::size_t first;   ///< position in the arrays
    std::size_t part;    ///< pairs that lie one behind the other
    std::size_t stride;  ///< from one part to the next

    [[nodiscard]] std::size_t position(std::size_t k) const {
      return first + k / part * stride + k % part;
    }
  };

  void add_along_runs(const TileArrays& arrays);
  void add_down_columns(const TileArrays& arrays);
  /// Not more than a piece.
  void add_run(const Run& run);
  /// Whether no pair has to be looked at by itself; then all have been counted.
  [[nodiscard]] bool add_at_once(const Run& run);
  template <class In>
  [[nodiscard]] bool scan(const Run& run);
  void add_one(std::size_t channel, const Element& a, const Element& b, std::size_t position);
  void add_non_finite(Differences& to, const Element& a, const Element& b);
  void add_finite(std::size_t channel, const Element& a, const Element& b, std::size_t position);
  static void offer_relative(Differences& to, const Element& a, const Element& b, double about,
                             bool exact, std::size_t position);
  void offer_excess(std::size_t channel, const Element& a, const Element& b);
  [[nodiscard]] bool within(const Element& a, const Element& b, double size, Uint128 steps) const;
  void add_sums(const TileArrays& arrays);

  std::array<Dtype, 2> dtypes_;
  Tolerance tolerance_;
  std::optional<Dtype> coarser_;
  bool doubles_;  ///< both arrays' values are doubles
  std::vector<Differences> channels_;
  std::vector<double> least_excess_;  ///< not more than the excess of each channel
  std::array<ChannelSums, 2> sums_;
  std::array<Buffer, 2> copies_;
  // In the tile at hand:
  bool different_ = false;
  bool non_finite_ = false;
};

}  // namespace bn
