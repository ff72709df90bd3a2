// What the library throws when values cannot be normalised. Wrong calls are std::invalid_argument.
#pragma once

#include <cstddef>
#include <stdexcept>

namespace bn {

enum class Operand { x, dy };

/// What becomes of NaN and infinities where sums are taken: an error, or they are left out.
enum class NonFinite : bool { refuse, skip };

/// The values of the arrays do not allow the computation.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A NaN or an infinity where a statistic is to be computed.
class NonFiniteError : public Error {
 public:
  NonFiniteError(Operand operand, std::size_t position, double value);
  Operand operand;
  std::size_t position;  ///< of the first one in memory order
  double value;
};

/// Training with one value per channel: there is no variance to normalise by.
class SingleValueError : public Error {
 public:
  SingleValueError();
};

/// A statistic lies outside the range of double.
class RangeError : public Error {
 public:
  RangeError(const char* statistic, std::size_t channel);
  const char* statistic;
  std::size_t channel;
};

}  // namespace bn
