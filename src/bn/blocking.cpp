#include "bn/blocking.hpp"

#include <unistd.h>

#include <algorithm>

namespace bn {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

// Of all threads' buffers. A second look at a buffer in memory is cheaper than a second read of the
// file, so resident groups may be much larger than a cache.
constexpr std::size_t kBuffers = 40 * kMiB;

// Pieces of a row, in bytes: shorter ones make system calls dear in a file, and pages and
// prefetching in memory. Down to the least it is better to have groups for every thread than long
// pieces.
struct Run {
  std::size_t best;
  std::size_t least;
};
constexpr Run kCopiedRun{64 * kKiB, 16 * kKiB};
constexpr Run kMemoryRun{4 * kKiB, 4 * kKiB};

// Work below which another thread costs more than it brings.
constexpr std::size_t kPerThread = 512 * kKiB;

// Accumulators take about 2 KiB a channel.
constexpr std::size_t kMostChannels = 4096;

// Tiles a thread, unless they would be shorter than this.
constexpr std::size_t kTilesPerThread = 4;
constexpr std::size_t kLeastTile = 64 * kKiB;

// Groups a thread: so that threads finish at about the same time.
constexpr std::size_t kGroupsPerThread = 4;

// Half of a core's own cache: the other half is for results and accumulators.
std::size_t stream_bytes() {
  const long l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
  const std::size_t cache = l2 > 0 ? static_cast<std::size_t>(l2) : 512 * kKiB;
  return std::clamp(cache / 2, 128 * kKiB, kMiB);
}

std::size_t divide_up(std::size_t a, std::size_t b) { return (a + b - 1) / b; }

}  // namespace

Tiling Tiling::contiguous(const View& view, std::size_t elements) {
  const std::size_t row = view.channel * view.inner;
  Tiling tiling{view, 1, std::max<std::size_t>(1, view.channel),
                std::max<std::size_t>(1, view.inner)};
  if (row <= elements) {
    tiling.outer_step = std::max<std::size_t>(1, elements / std::max<std::size_t>(1, row));
  } else if (view.inner <= elements) {
    tiling.channel_step = elements / view.inner;
  } else {
    tiling.channel_step = 1;
    tiling.inner_step = elements;
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
                       bool copies, unsigned threads) {
  Blocking blocking;
  const std::size_t bytes = view.size() * element_bytes;
  blocking.threads =
      static_cast<unsigned>(std::clamp<std::size_t>(bytes / kPerThread, 1, std::max(1U, threads)));
  // A core's own cache, less where there would not be several tiles for every thread.
  const std::size_t tile_bytes =
      std::min({stream_bytes(), kBuffers / 2 / blocking.threads,
                std::max(kLeastTile, bytes / (kTilesPerThread * blocking.threads))});
  blocking.tile_elements =
      std::max<std::size_t>(1, tile_bytes / std::max(element_bytes, result_bytes));

  // Channels a group: enough for a run, few enough for every thread to have several groups.
  const std::size_t channels = std::max<std::size_t>(1, view.channel);
  const std::size_t channel_run = std::max<std::size_t>(1, view.inner * element_bytes);
  const Run run = copies ? kCopiedRun : kMemoryRun;
  const auto channels_for = [&](std::size_t run_bytes) {
    return std::min(divide_up(run_bytes, channel_run), kMostChannels);
  };
  const std::size_t for_threads = divide_up(channels, kGroupsPerThread * blocking.threads);
  const std::size_t least = std::min(channels, channels_for(run.least));
  const std::size_t fitting =
      kBuffers / blocking.threads / std::max<std::size_t>(1, view.m() * element_bytes);
  const std::size_t step =
      std::min({channels, channels_for(run.best), std::max(for_threads, least), fitting});
  blocking.resident = step >= least && (blocking.threads == 1 || step < channels);
  blocking.groups = {view, std::max<std::size_t>(1, view.outer),
                     blocking.resident ? step : std::min(channels, kMostChannels),
                     std::max<std::size_t>(1, view.inner)};
  return blocking;
}

}  // namespace bn
