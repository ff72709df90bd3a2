#include "bn/arrays/view.hpp"

#include <stdexcept>
#include <string>

namespace bn {

View make_view(std::span<const std::size_t> shape, std::ptrdiff_t axis, Order order) {
  const auto rank = static_cast<std::ptrdiff_t>(shape.size());
  if (rank < 2) {
    throw std::invalid_argument("rank " + std::to_string(rank) + ", but at least 2 is needed");
  }
  if (axis < -rank || axis >= rank) {
    throw std::invalid_argument("axis " + std::to_string(axis) + " is outside [" +
                                std::to_string(-rank) + ", " + std::to_string(rank - 1) + "]");
  }
  const auto channel_axis = static_cast<std::size_t>(axis < 0 ? axis + rank : axis);
  std::size_t before = 1;
  std::size_t after = 1;
  for (std::size_t d = 0; d < channel_axis; ++d) before *= shape[d];
  for (std::size_t d = channel_axis + 1; d < shape.size(); ++d) after *= shape[d];
  if (order == Order::fortran) return {after, shape[channel_axis], before};
  return {before, shape[channel_axis], after};
}

}  // namespace bn
