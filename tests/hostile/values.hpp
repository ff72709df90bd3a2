// The values of one channel, of kinds that are hard to get right.
#pragma once

#include <cstddef>
#include <vector>

#include "bn/arrays/dtype.hpp"
#include "data.hpp"

namespace hostile {

/// Exponents of a floating dtype: of its smallest value and of its largest; digits of a
/// significand.
struct Format {
  int digits, lowest, highest;
};
[[nodiscard]] Format format(bn::Dtype dtype);

/// A positive number whose significand has `digits` bits, the last one set, and this exponent.
[[nodiscard]] double odd(data::Random& random, int digits, int exponent);

/// With a sign.
[[nodiscard]] double either(data::Random& random, double magnitude);

/// Any double that is finite and not zero, the ends of the range more often than others.
[[nodiscard]] double any_double(data::Random& random);

/// Fills these positions of an array with values of one kind.
void fill(data::Random& random, data::Array& array, const std::vector<std::size_t>& positions);

/// Fills them with integers of one digit times a power of two, or with two values in turn.
void fill_simply(data::Random& random, data::Array& array,
                 const std::vector<std::size_t>& positions);

/// Nearly a linear function of the values there, or exactly: what backward projects away.
void fill_with_line(data::Random& random, const data::Array& of, data::Array& array,
                    const std::vector<std::size_t>& positions);

}  // namespace hostile
