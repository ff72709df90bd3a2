// The forward cache: what backward needs of a forward pass besides x, as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "bn/arrays/view.hpp"
#include "bn/conventions.hpp"
#include "bn/statistics.hpp"

namespace bn::io {

struct Cache {
  Mode mode = Mode::train;
  std::ptrdiff_t axis = 1;
  std::vector<std::size_t> shape;  ///< of x; so are dtype and order
  Dtype dtype = Dtype::float32;
  Order order = Order::c;
  double eps = 1e-5;
  std::vector<double> gamma;  ///< shape (C,), as mean and var
  /// Of the batch (empty where it is), or in test mode the running statistics used.
  std::vector<double> mean;
  std::vector<double> var;  ///< biased
  /// Of the batch, in train mode only: a mean rounded to double is not enough for dgamma where
  /// |mean| is far larger than the deviation.
  std::optional<Sums> sums;
  std::uint64_t x_checksum = 0;
};

/// With a "checksum" of everything else in it: what backward computes from eps, gamma or running
/// statistics that were altered would be wrong and look right.
[[nodiscard]] std::string format_cache(const Cache& cache);

/// As strict as parse_state(); also checks that lengths agree with shape and axis, mean and var
/// with the sums, and the checksum with all. Throws Error (input).
[[nodiscard]] Cache parse_cache(std::string_view text, std::string_view file);
/// The same without a look at the checksum, which hardly any text that is made up could have right.
[[nodiscard]] Cache parse_unsealed_cache(std::string_view text, std::string_view file);
/// Throws Error (input; system where it cannot be read).
[[nodiscard]] Cache read_cache(const std::string& path);

}  // namespace bn::io
