// The seam for per-channel sums: a tile goes in, exact sums a channel come out. How the values get
// there (along runs or across columns, vectors or one by one) is not seen outside.
#pragma once

#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/exact/accumulator.hpp"

namespace bn {

/// A tile's values.
struct Block {
  Dtype dtype;
  Rows rows;
};

/// Two exact sums a channel: of values and of products, less than 2 KiB together.
class ChannelSums {
 public:
  /// Of the channels in this range, all zero. dtypes: exactly those of the arrays that every call
  /// will give it, x or x and dy.
  ChannelSums(Range channels, std::span<const Dtype> dtypes);
  /// Goes on to other channels, in the same memory; every sum must have been taken.
  void restart(Range channels);
  ChannelSums(ChannelSums&&) noexcept;
  ChannelSums& operator=(ChannelSums&&) noexcept;
  ~ChannelSums();

  /// Adds sum x and sum x^2 of the tile, whose channels lie in the range.
  /// Throws NonFiniteError with the first such position in the tile; the sums are then unspecified.
  void add_moments(const View& view, const Tile& tile, Block x);

  /// What becomes of NaN and infinities.
  enum class NonFinite : bool { refuse, skip };

  /// Adds sum dy and sum dy * x likewise; looks for non-finite values in x first. With `skip` they
  /// are left out, of either sum that they would enter. Returns whether there were some.
  bool add_products(const View& view, const Tile& tile, Block x, Block dy,
                    NonFinite non_finite = NonFinite::refuse);

  ChannelSums& operator+=(const ChannelSums& other);

  struct Exact {
    Dyadic values;
    Dyadic products;
  };
  /// The sums of a channel, which are zero from then on.
  [[nodiscard]] Exact take(std::size_t channel);

 private:
  template <class Real>
  using OfChannels = std::vector<Accumulators<Real>>;
  struct Scratch;

  template <class Real>
  Accumulators<Real>& of(std::size_t channel);
  template <class Real, std::size_t kArrays>
  void add(const View& view, const Tile& tile, const Block* blocks);
  template <class Real, std::size_t kArrays>
  void add_runs(const View& view, const Tile& tile, const Block* blocks);
  template <class Real, std::size_t kArrays>
  void add_columns(const View& view, const Tile& tile, const Block* blocks);
  template <class Real, std::size_t kArrays>
  void add_one_by_one(const View& view, const Tile& tile, const Block* blocks, NonFinite policy);

  std::size_t first_channel_;
  std::variant<OfChannels<float>, OfChannels<double>> channels_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace bn
