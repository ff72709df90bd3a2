// How far claimed results are from exact ones, tile by tile, measured by the size of what was added
// up to get them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bn/arrays/array.hpp"
#include "bn/arrays/buffer.hpp"
#include "bn/arrays/elements.hpp"
#include "bn/exact/dyadic.hpp"
#include "bn/exact/int128.hpp"

namespace bn {

/// The step between neighbouring values of a floating dtype at this size, that of subnormal values
/// at least. Beyond the dtype's range steps go on to double from one power of two to the next, up
/// to 2^1024 for an infinite size.
[[nodiscard]] double ulp_at(Dtype dtype, double size);

/// The errors of claimed values c, or of those of one channel, from exact ones e:
///
///   error = (c - e) / ulp_at(dtype, size)
///
/// with the size of the largest term of the sum that e is. An infinite c counts as the first power
/// of two that the dtype does not hold, as an e that is larger does; NaN has an infinite error.
struct Errors {
  /// The value with the largest |error|; of several the first.
  struct Worst {
    double error = 0;  ///< with its sign; infinite for a NaN
    std::size_t position = 0;
    double claimed = 0;
    double exact = 0;
  };

  std::uint64_t values = 0;
  std::uint64_t beyond = 0;  ///< of the tolerance
  std::uint64_t nan = 0;     ///< claimed; all beyond
  std::optional<Worst> worst;
  double worst_plain = 0;  ///< the largest |c - e| / ulp_at(dtype, e)
  // Of all but NaN, of errors that have been rounded to multiples of 2^-20 each, and are at most
  // 2^63 in size:
  Dyadic sum;           ///< of errors
  Dyadic sum_of_sizes;  ///< of |error|

  Errors& operator+=(const Errors& other);
};

/// The mean of |error| and of error (the bias), 0 where there are no values.
[[nodiscard]] double mean_size(const Errors& errors);
[[nodiscard]] double bias(const Errors& errors);

/// Of one value alone.
[[nodiscard]] Errors errors_of_one(Dtype dtype, double claimed, double exact, double size,
                                   double tolerance, std::size_t position);

/// How large the largest term of every exact value of a tile is.
class TermSizes {
 public:
  static constexpr std::size_t kMaxConstants = 6;

  virtual ~TermSizes() = default;
  /// What channels have for it, at most kMaxConstants vectors of shape (C,).
  [[nodiscard]] virtual std::span<const std::vector<double>> constants() const = 0;

  /// n values of as many channels as there are columns, again and again.
  struct Values {
    const double* exact;
    std::array<Element, 2> operands;  ///< those of the formula
    std::size_t n;
    std::size_t columns;
    std::array<const double*, kMaxConstants> of_columns;  ///< the constants
  };
  virtual void fill(const Values& values, double* sizes) const = 0;
};

/// The errors of each channel, summed up from tiles. One thread's at a time.
class ErrorSums {
 public:
  /// Of a claim of this floating dtype. tolerances: shape (C,); both have to stay where they are.
  ErrorSums(Dtype claim, std::span<const double> tolerances, const TermSizes& sizes);

  /// A tile of {claim, exact}, the exact values as doubles; `operands`: what they come from.
  void add(const View& view, const Tile& tile, const std::array<Block, 2>& values,
           std::span<const Block> operands);
  ErrorSums& operator+=(const ErrorSums& other);
  [[nodiscard]] std::vector<Errors> take() const;

  /// For whoever loads the claim.
  Buffer buffer;

 private:
  /// Of a channel; sums in units of 2^-20.
  struct OfChannel {
    std::uint64_t values = 0;
    std::uint64_t beyond = 0;
    std::uint64_t nan = 0;
    std::optional<Errors::Worst> worst;
    double worst_plain = 0;
    Int128 sum = 0;
    Int128 sum_of_sizes = 0;
  };
  struct Lanes;
  struct Part;
  struct Piece;

  void add_part(const Part& part);
  void add_piece(const Part& part, std::size_t row, std::size_t k, std::size_t n, bool one_by_one);
  [[nodiscard]] Piece piece(const Part& part, std::size_t row, std::size_t k, std::size_t n);
  void start(const Part& part);
  void finish(const Part& part);
  void find_worst(const Part& part, std::size_t channel, double error);
  [[nodiscard]] Errors::Worst first_of(const Part& part, std::size_t channel, double error);

  Dtype claim_;
  std::span<const double> tolerances_;
  const TermSizes* sizes_;
  std::vector<OfChannel> channels_;
  std::shared_ptr<Lanes> lanes_;
};

}  // namespace bn
