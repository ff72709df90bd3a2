// How far correct code may be from the right results.
#pragma once

#include <cstdint>
#include <string_view>

#include "bn/arrays/dtype.hpp"
#include "bn/conventions.hpp"

namespace bn {

/// What can be claimed.
enum class Quantity : std::uint8_t {
  y,
  running_mean,
  running_var,
  num_batches_tracked,
  dx,
  dgamma,
  dbeta,
};

/// "y", "running_mean", ...
[[nodiscard]] std::string_view name(Quantity quantity);

/// What the rounding errors of correct code depend on, for one channel.
struct Circumstances {
  Mode mode = Mode::train;
  Dtype dtype = Dtype::float32;  ///< of the claim
  std::uint64_t count = 0;       ///< m
  double var = 0;                ///< of the batch, biased
  double eps = 0;
  double mean_size = 0;     ///< A = sum |x| / m
  double batch_weight = 0;  ///< of the batch in the running statistics
};

/// The tolerance that a correct implementation in the dtype of its claim meets whatever the data
/// and the order in which it adds up, in ulp at the size of what was added up. A sum of m terms in
/// any order is off by less than m/2 ulp at the sum of their sizes (N. J. Higham, "The accuracy of
/// floating point summation", 1993, eq. 2.4); how much that changes what is computed from the sums
/// is told in tolerance.cpp. float16 results come from float32 sums.
[[nodiscard]] double default_tolerance(Quantity quantity, const Circumstances& of);

/// What careful code stays within, ulp: code whose sums are pairwise, in many lanes or of more
/// digits. Measured of y, on data of all kinds with up to 65,536 values per channel: 6 of PyTorch
/// with the channels second and of NumPy along contiguous memory; but thousands of float32 sums of
/// one value after the other, as NumPy's along the first axis, and PyTorch's and oneDNN's with the
/// channels last.
inline constexpr double kCarefulTolerance = 12;

/// 2^-digits of the dtype: half an ulp of 1.
[[nodiscard]] double unit_of(Dtype dtype);

}  // namespace bn
