#include "bn/error.hpp"

#include <string>

namespace bn {

NonFiniteError::NonFiniteError(Operand operand_, std::size_t position_, double value_)
    : Error((operand_ == Operand::x ? "x" : "dy") + std::string(" has ") + std::to_string(value_) +
            " at position " + std::to_string(position_)),
      operand(operand_),
      position(position_),
      value(value_) {}

SingleValueError::SingleValueError()
    : Error("one value per channel has no variance to normalise by; use more values or test mode") {
}

RangeError::RangeError(const char* statistic_, std::size_t channel_)
    : Error(std::string(statistic_) + " of channel " + std::to_string(channel_) +
            " is outside the range of double"),
      statistic(statistic_),
      channel(channel_) {}

}  // namespace bn
