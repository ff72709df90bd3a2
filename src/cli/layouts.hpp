// What the shape of x says of the ways to lay a batch out, right and wrong.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "bn/diagnosis/other_view.hpp"
#include "io/arrays/array_header.hpp"

namespace bn::cli {

/// How many elements of the view's outer dimension belong to one sample, axis 0 being the samples:
/// 1 of NCHW, H * W of NHWC. None for Fortran order, where the samples are not the slowest axis,
/// and where they are the channels.
[[nodiscard]] std::optional<std::size_t> rows_per_sample(const io::ArrayHeader& x,
                                                         std::ptrdiff_t axis);

/// The views of somebody who takes another axis for the channels, or channels that are last for
/// axis 1 and back; those with 2 to 65536 channels.
[[nodiscard]] std::vector<OtherView> other_views(const io::ArrayHeader& x, std::ptrdiff_t axis);

}  // namespace bn::cli
