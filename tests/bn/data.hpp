// Arrays to test with: real-looking ones and hostile ones, of every dtype, the same on every
// machine.
#pragma once

#include <gmpxx.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/arrays/dtype.hpp"
#include "bn/arrays/view.hpp"

namespace data {

/// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// In [0, n).
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() % n); }
  /// In [low, high].
  int between(int low, int high);
  /// In [0, 1).
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  /// About normal: mean 0, variance 1.
  double normal();

 private:
  std::uint64_t state_;
};

inline constexpr bn::Dtype kDtypes[] = {bn::Dtype::float16, bn::Dtype::float32, bn::Dtype::float64,
                                        bn::Dtype::int8,    bn::Dtype::int16,   bn::Dtype::int32,
                                        bn::Dtype::int64,   bn::Dtype::uint8,   bn::Dtype::uint16,
                                        bn::Dtype::uint32,  bn::Dtype::uint64};
inline constexpr bn::Dtype kFloating[] = {bn::Dtype::float16, bn::Dtype::float32,
                                          bn::Dtype::float64};

/// A contiguous array; every element starts as zero.
class Array {
 public:
  Array(bn::Dtype dtype, std::size_t size);

  [[nodiscard]] bn::Dtype dtype() const { return dtype_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::byte* at(std::size_t i) { return bytes_.data() + i * item_; }
  [[nodiscard]] const std::byte* at(std::size_t i) const { return bytes_.data() + i * item_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

  /// To the nearest value of the dtype; integers are brought into their range.
  void set(std::size_t i, double value);
  /// An integer as it is; floating dtypes round.
  void set_integer(std::size_t i, std::int64_t value);
  /// Floating dtypes: the element as a double.
  [[nodiscard]] double get(std::size_t i) const;
  [[nodiscard]] mpq_class exact(std::size_t i) const;

  /// The values of one channel, in the order of the view.
  [[nodiscard]] std::vector<mpq_class> channel(const bn::View& view, std::size_t c) const;
  [[nodiscard]] std::vector<std::size_t> positions(const bn::View& view, std::size_t c) const;

  friend bool operator==(const Array& a, const Array& b) {
    return a.dtype_ == b.dtype_ && a.bytes_ == b.bytes_;
  }

 private:
  bn::Dtype dtype_;
  std::size_t item_;
  std::size_t size_;
  std::vector<std::byte> bytes_;
};

/// The smallest and the largest of an integer dtype.
struct IntegerRange {
  std::int64_t lowest;
  std::uint64_t highest;
};
[[nodiscard]] IntegerRange integer_range(bn::Dtype dtype);

/// The ways of filling an array: the first ones make sense for results within a dtype's range, the
/// rest is hostile.
enum class Kind {
  normal,          ///< mean 3, deviation 2 (integers: times 10)
  far_mean,        ///< |mean| / deviation of 1e8 where the dtype can
  outlier_first,   ///< the first value dwarfs the others
  small_integers,  ///< products are exact in any order
  constant,        ///< 0.1, 100, 1e7, 1e30 by channel
  alternating,     ///< signs alternate, sums cancel
  drifting,        ///< magnitudes that rise, fall and vanish along the channel
  mixed,           ///< most chunks within the fast path's window, some beyond
  window_edge,     ///< exponents that just fit the fast path's window, or just not
  huge_and_tiny,   ///< one huge value among tiny ones
  cancellation,    ///< 1e30, 1, -1e30
  denormals,
  whole_range,  ///< any finite bits
  extremes,     ///< the largest and the smallest of the dtype
  zeros,
};
inline constexpr Kind kAll[] = {Kind::normal,         Kind::far_mean,     Kind::outlier_first,
                                Kind::small_integers, Kind::constant,     Kind::alternating,
                                Kind::drifting,       Kind::mixed,        Kind::window_edge,
                                Kind::huge_and_tiny,  Kind::cancellation, Kind::denormals,
                                Kind::whole_range,    Kind::extremes,     Kind::zeros};
[[nodiscard]] std::string name(Kind kind);

/// `variant`: other values of the same kind; decides the constant and the spread at the edge.
[[nodiscard]] Array make(bn::Dtype dtype, const bn::View& view, Kind kind, std::uint64_t variant);

/// Whether every channel's variance is within the range of double.
[[nodiscard]] bool has_statistics(bn::Dtype dtype, Kind kind);

/// An array as a source: in place, as memory is; or copied, as files are; or a stream.
enum class Access { in_place, copying, sequential };

class ArraySource : public bn::Source {
 public:
  explicit ArraySource(const Array& array, Access access = Access::in_place)
      : array_(array), access_(access) {}
  [[nodiscard]] bn::Dtype dtype() const override { return array_.dtype(); }
  [[nodiscard]] bool sequential() const override { return access_ == Access::sequential; }
  [[nodiscard]] bool copies() const override { return access_ != Access::in_place; }
  [[nodiscard]] bn::Rows load(const bn::View& view, const bn::Tile& tile,
                              std::byte* scratch) override;

 private:
  const Array& array_;
  Access access_;
  std::size_t expected_ = 0;  // of a stream: where the next tile has to start
};

class ArraySink : public bn::Sink {
 public:
  explicit ArraySink(Array& array, Access access = Access::in_place)
      : array_(array), access_(access) {}
  [[nodiscard]] bn::Dtype dtype() const override { return array_.dtype(); }
  [[nodiscard]] bool sequential() const override { return access_ == Access::sequential; }
  [[nodiscard]] bool copies() const override { return access_ != Access::in_place; }
  [[nodiscard]] bn::MutableRows place(const bn::View& view, const bn::Tile& tile,
                                      std::byte* scratch) override;
  void store(const bn::View& view, const bn::Tile& tile, bn::MutableRows rows) override;

 private:
  Array& array_;
  Access access_;
  std::size_t expected_ = 0;
};

/// The same values with the view's dimensions in another order: as (outer, inner, channel), as NHWC
/// is of NCHW; or reversed, as Fortran order is of C order.
struct Moved {
  bn::View view;
  Array array;
  std::vector<std::size_t> from;  ///< element i stood at from[i]
};
[[nodiscard]] Moved channels_last(const bn::View& view, const Array& array);
[[nodiscard]] Moved reversed(const bn::View& view, const Array& array);

}  // namespace data
