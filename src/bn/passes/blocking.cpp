#include "bn/passes/blocking.hpp"

#include <algorithm>

namespace bn {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

// Pieces of a row that cost no more per byte than longer ones: in a file, where each is a system
// call and a larger one gets larger pages of the file system; in memory, where pages and
// prefetching like them.
constexpr std::size_t kFileRun = 64 * kKiB;
constexpr std::size_t kMemoryRun = 4 * kKiB;

// Of the buffers of all threads, of which half are for results.
constexpr std::size_t kBuffers = 40 * kMiB;

// Work below which another thread costs more than it brings.
constexpr std::size_t kPerThread = 512 * kKiB;

// Accumulators take up to 2 KiB per channel.
constexpr std::size_t kMaxChannels = 4096;

// Tiles per thread, unless they would be shorter than this.
constexpr std::size_t kTilesPerThread = 4;
constexpr std::size_t kMinTile = 64 * kKiB;

// Half of a core's own cache: the other half is for results and accumulators.
std::size_t cached_bytes(const Machine& machine) {
  constexpr std::size_t kUnreported = 512 * kKiB;
  const std::size_t cache = machine.core_cache != 0 ? machine.core_cache : kUnreported;
  return std::clamp(cache / 2, 128 * kKiB, kMiB);
}

std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

Tiling Tiling::contiguous(const View& view, std::size_t elements) {
  const std::size_t row = view.channel * view.inner;
  Tiling tiling{view, 1, std::max<std::size_t>(1, view.channel),
                std::max<std::size_t>(1, view.inner)};
  // As few steps as there can be, and these about equal: short tiles are expensive.
  const auto even = [](std::size_t size, std::size_t most) {
    return divide_up(size, divide_up(size, most));
  };
  if (row <= elements) {
    tiling.outer_step = std::max<std::size_t>(1, elements / std::max<std::size_t>(1, row));
  } else if (view.inner <= elements) {
    tiling.channel_step = even(view.channel, elements / view.inner);
  } else {
    tiling.channel_step = 1;
    tiling.inner_step = even(view.inner, elements);
  }
  return tiling;
}

std::size_t Tiling::count() const {
  return divide_up(view.outer, outer_step) * divide_up(view.channel, channel_step) *
         divide_up(view.inner, inner_step);
}

Tile Tiling::tile(std::size_t index) const {
  const auto range = [](std::size_t number, std::size_t step, std::size_t size) {
    return Range{number * step, std::min(step, size - number * step)};
  };
  const std::size_t inners = divide_up(view.inner, inner_step);
  const std::size_t channels = divide_up(view.channel, channel_step);
  return {range(index / inners / channels, outer_step, view.outer),
          range(index / inners % channels, channel_step, view.channel),
          range(index % inners, inner_step, view.inner)};
}

Blocking make_blocking(const View& view, std::size_t element_bytes, std::size_t result_bytes,
                       bool copies, unsigned threads, const Machine& machine) {
  Blocking blocking;
  const std::size_t most = threads != 0 ? threads : std::max(1U, machine.cores);
  const std::size_t bytes = view.size() * element_bytes;
  blocking.threads = static_cast<unsigned>(std::clamp<std::size_t>(bytes / kPerThread, 1, most));
  // A core's own cache, less where there would not be several tiles for every thread.
  const std::size_t buffer = std::min(cached_bytes(machine), kBuffers / 2 / blocking.threads);
  const std::size_t tile_bytes =
      std::min(buffer, std::max(kMinTile, bytes / (kTilesPerThread * blocking.threads)));
  blocking.tile_elements =
      std::max<std::size_t>(1, tile_bytes / std::max(element_bytes, result_bytes));

  // As few channels per group as make long runs.
  const std::size_t channels = std::max<std::size_t>(1, view.channel);
  const std::size_t channel_run = std::max<std::size_t>(1, view.inner * element_bytes);
  const std::size_t step =
      std::min(channels, divide_up(copies ? kFileRun : kMemoryRun, channel_run));
  const std::size_t room = copies ? buffer : machine.last_cache / blocking.threads;
  const std::size_t widest = copies ? std::max(element_bytes, result_bytes) : element_bytes;
  blocking.resident = step * view.m() * widest <= room && step <= kMaxChannels &&
                      (blocking.threads == 1 || step < channels);
  blocking.groups = {view, std::max<std::size_t>(1, view.outer),
                     blocking.resident ? step : std::min(channels, kMaxChannels),
                     std::max<std::size_t>(1, view.inner)};
  return blocking;
}

}  // namespace bn
