// A sum of floating-point values that never rounds: a wide fixed-point number per channel.
#pragma once

#include <array>
#include <cstdint>

#include "bn/exact/dyadic.hpp"
#include "bn/exact/int128.hpp"

namespace bn {

/// The exact sum of integers times powers of two, from 2^kLowest up to 2^64 values of 2^kHighest.
///
/// Fixed point in 64-bit limbs that overlap by 32 bits, so that carries can wait for 2^30 additions
/// (R. Neal, "Fast exact summation using small and large superaccumulators", 2015). Only the limbs
/// between the lowest and the highest touched one cost time.
template <int kLowest, int kHighest>
class Accumulator {
 public:
  /// Adds value * 2^exponent.
  void add(std::int64_t value, int exponent) { add_word<Int128>(value, exponent); }
  void add(Int128 value, int exponent) {
    add_word<Uint128>(static_cast<std::uint64_t>(value), exponent);
    add_word<Int128>(static_cast<std::int64_t>(value >> 64), exponent + 64);
  }

  Accumulator& operator+=(const Accumulator& other);

  /// The sum. Leaves the accumulator at zero.
  [[nodiscard]] Dyadic take();

 private:
  // Exponent of limb 0: partial sums may be counted in units finer than their last bit.
  static constexpr int kBase = (kLowest - 64) & ~31;
  static constexpr std::size_t kLimbs = static_cast<std::size_t>((kHighest + 64 - kBase) / 32 + 4);
  static constexpr std::uint32_t kMaxWaiting = 1U << 30;

  // Wide: twice as many bits as Word, with a sign if that has one.
  template <class Wide, class Word>
  void add_word(Word value, int exponent) {
    const int offset = exponent - kBase;
    const auto first = static_cast<std::size_t>(offset >> 5);
    if (first < begin_) begin_ = static_cast<std::uint16_t>(first);
    if (first + 3 > end_) end_ = static_cast<std::uint16_t>(first + 3);
    if (++waiting_ >= kMaxWaiting) carry();
    const Wide shifted = static_cast<Wide>(value) << (offset & 31);
    limbs_[first] += static_cast<std::int64_t>(static_cast<std::uint32_t>(shifted));
    limbs_[first + 1] += static_cast<std::int64_t>(static_cast<std::uint32_t>(shifted >> 32));
    limbs_[first + 2] += static_cast<std::int64_t>(shifted >> 64);
  }

  // Brings every limb but the last one into [0, 2^32).
  void carry();

  std::array<std::int64_t, kLimbs> limbs_{};
  std::uint16_t begin_ = kLimbs;  // limbs outside [begin_, end_) are zero
  std::uint16_t end_ = 0;
  std::uint32_t waiting_ = 0;  // additions since the last carry
};

/// Exponent of the last bit of the smallest float as decode() gives it: as that of a double, whose
/// last bit is 2^-52 of its first.
inline constexpr int kLowestOfFloat = -149 - 52;

/// How large values are at most: every magnitude is less than 2^below, of the first and of the last
/// array that are summed.
struct Sizes {
  static constexpr int kNone = -10000;    ///< no value but 0
  static constexpr int kUnknown = 10000;  ///< any value
  std::array<int, 2> below = {kNone, kNone};

  void see(int first, int last) {
    if (first > below[0]) below[0] = first;
    if (last > below[1]) below[1] = last;
  }
};

/// Exact sums of values of a type, and of products of two. Sums of floats need less than a quarter
/// of the memory of sums of doubles.
template <class Real>
struct Accumulators;

template <>
struct Accumulators<float> {
  Sizes sizes;
  Accumulator<kLowestOfFloat, 128> values;
  Accumulator<2 * kLowestOfFloat, 256> products;
};

/// Integers, too.
template <>
struct Accumulators<double> {
  Sizes sizes;
  Accumulator<-1074, 1024> values;
  Accumulator<-2148, 2048> products;
};

extern template class Accumulator<kLowestOfFloat, 128>;
extern template class Accumulator<2 * kLowestOfFloat, 256>;
extern template class Accumulator<-1074, 1024>;
extern template class Accumulator<-2148, 2048>;

}  // namespace bn
