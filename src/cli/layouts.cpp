#include "cli/layouts.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace bn::cli {

namespace {

// With more channels than this a view is hardly somebody's mistake, and its sums take memory.
constexpr std::size_t kMostChannels = 65536;

// From 0 on.
std::size_t index_of_axis(const io::ArrayHeader& x, std::ptrdiff_t axis) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::ptrdiff_t>(x.shape.size())
                                           : axis);
}

}  // namespace

std::optional<std::size_t> rows_per_sample(const io::ArrayHeader& x, std::ptrdiff_t axis) {
  const std::size_t channel = index_of_axis(x, axis);
  if (x.order != Order::c || channel == 0) return std::nullopt;
  std::size_t rows = 1;
  for (std::size_t d = 1; d < channel; ++d) rows *= x.shape[d];
  return rows;
}

std::vector<OtherView> other_views(const io::ArrayHeader& x, std::ptrdiff_t axis) {
  const std::size_t channel = index_of_axis(x, axis);
  const std::size_t rank = x.shape.size();
  const View right = make_view(x.shape, axis, x.order);
  std::vector<OtherView> others;
  const auto add = [&](OtherView other) {
    const bool known = other.view == right ||
                       std::any_of(others.begin(), others.end(),
                                   [&](const OtherView& one) { return one.view == other.view; });
    const std::size_t count = other.view.channel;
    if (!known && count >= 1 && count <= kMostChannels) others.push_back(std::move(other));
  };
  if (x.size() == 0) return others;
  add({"whole_array",
       "mean and variance were those of the whole array, as without an axis; every channel has its "
       "own",
       std::nullopt,
       {x.size(), 1, 1}});
  for (std::size_t d = 0; d < rank; ++d) {
    if (d == channel || x.shape[d] < 2) continue;
    const auto wrong = static_cast<std::ptrdiff_t>(d);
    add({"other_axis",
         "the statistics were those of axis {}; the channels lie along axis " +
             std::to_string(channel),
         static_cast<double>(d), make_view(x.shape, wrong, x.order)});
  }
  if (x.order == Order::c && rank >= 3) {
    const std::size_t channels = x.shape[channel];
    const std::size_t samples = x.shape[0];
    if (channel == 1) {
      add({"memory_as_nhwc",
           "the memory was read as if the channels came last; they come second",
           std::nullopt,
           {x.size() / channels, channels, 1}});
    } else if (channel == rank - 1) {
      add({"memory_as_nchw",
           "the memory was read as if the channels came second; they come last",
           std::nullopt,
           {samples, channels, x.size() / (samples * channels)}});
    }
  }
  return others;
}

}  // namespace bn::cli
