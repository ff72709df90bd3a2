#include "bn/passes/passes.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>

#include "bn/arrays/buffer.hpp"
#include "bn/error.hpp"
#include "bn/passes/blocking.hpp"
#include "bn/passes/parallel.hpp"

namespace bn {
namespace {

constexpr std::size_t kMostSources = 2;

// The first non-finite value that any thread met.
class FirstNonFinite {
 public:
  void offer(const NonFiniteError& error) {
    const std::lock_guard lock(mutex_);
    if (!first_ ||
        std::pair(error.operand, error.position) < std::pair(first_->operand, first_->position)) {
      first_ = error;
    }
    met_ = true;
  }
  [[nodiscard]] bool met() const { return met_; }
  void throw_if_met() const {
    if (first_) throw NonFiniteError(*first_);
  }

 private:
  std::mutex mutex_;
  std::optional<NonFiniteError> first_;
  std::atomic<bool> met_{false};
};

class Passes {
 public:
  Passes(const View& view, std::span<Source* const> sources, Computation& computation, Sink* sink,
         const Execution& execution)
      : view_(view),
        sources_(sources),
        computation_(computation),
        sink_(sink),
        execution_(execution),
        sink_streamed_(sink != nullptr && sink->sequential()) {
    bool copies = sink != nullptr && sink->copies();
    for (const Source* source : sources) {
      element_bytes_ += item_size(source->dtype());
      streamed_ = streamed_ || source->sequential();
      copies = copies || source->copies();
    }
    blocking_ = make_blocking(view, element_bytes_, sink != nullptr ? item_size(sink->dtype()) : 0,
                              copies, execution.threads != 0 ? execution.threads : usable_cores());
    if (streamed_) blocking_.threads = 1;
    threads_.resize(blocking_.threads);
  }

  void sum_and_apply() {
    const std::size_t array_bytes = view_.size() * element_bytes_;
    const bool fused = blocking_.resident && sink_ != nullptr && !sink_streamed_;
    total_ = sink_ == nullptr || fused ? array_bytes : 2 * array_bytes;
    if (blocking_.resident) {
      if (sink_ != nullptr) sink_->reserve();
      sum_groups(fused);
    } else {
      sum_stream();
    }
    first_non_finite_.throw_if_met();
    computation_.check();
    if (sink_ != nullptr && !fused) apply_stream();
  }

  void apply_only() {
    total_ = view_.size() * element_bytes_;
    sink_->reserve();
    apply_stream();
  }

 private:
  // What a thread uses for tile after tile.
  struct Thread {
    std::array<Buffer, kMostSources> in;
    Buffer out;
  };

  using Blocks = std::array<Block, kMostSources>;

  Blocks load(unsigned thread, const Tile& tile) {
    Blocks blocks{};
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      Source& source = *sources_[s];
      const std::size_t bytes = source.copies() ? tile.size() * item_size(source.dtype()) : 0;
      blocks[s] = {source.dtype(), source.load(view_, tile, threads_[thread].in[s].get(bytes))};
    }
    if (execution_.progress) {
      const std::size_t now = done_ += tile.size() * element_bytes_;
      execution_.progress(now, total_);
    }
    return blocks;
  }

  std::span<const Block> used(const Blocks& blocks) const {
    return std::span(blocks).first(sources_.size());
  }

  [[nodiscard]] std::vector<ChannelSums> make_sums(Range channels) const {
    std::vector<Dtype> dtypes;
    for (const Source* source : sources_) dtypes.push_back(source->dtype());
    return computation_.make_sums(channels, dtypes);
  }

  // Every group's channels, one group a thread at a time; with `fused` their results, too.
  void sum_groups(bool fused) {
    std::vector<std::vector<ChannelSums>> sums(threads_.size());
    team_.for_each(blocking_.threads, blocking_.groups.count(),
                   [&](unsigned thread, std::size_t i) {
                     const Tile tile = blocking_.groups.tile(i);
                     const Blocks blocks = load(thread, tile);
                     std::vector<ChannelSums>& group = sums[thread];
                     if (group.empty()) group = make_sums(tile.channel);
                     for (ChannelSums& each : group) each.restart(tile.channel);
                     try {
                       computation_.add_to(view_, group, tile, used(blocks));
                     } catch (const NonFiniteError& error) {
                       first_non_finite_.offer(error);
                       group.clear();
                       return;
                     }
                     for (std::size_t c = tile.channel.begin; c < tile.channel.end(); ++c) {
                       computation_.finish(c, group);
                     }
                     // From a non-finite value on, only an earlier one is looked for.
                     if (fused && !first_non_finite_.met()) apply_tile(thread, tile, blocks);
                   });
  }

  // One group after the other, each cut into tiles that any thread takes. One thread first makes
  // room for the results: some file systems take as long for that as for many tiles.
  void sum_stream() {
    std::vector<std::vector<ChannelSums>> sums(threads_.size());
    for (std::size_t g = 0; g < blocking_.groups.count(); ++g) {
      const Range channels = blocking_.groups.tile(g).channel;
      const Tiling tiles =
          Tiling::contiguous({view_.outer, channels.count, view_.inner}, blocking_.tile_elements);
      for (std::vector<ChannelSums>& of_thread : sums) {
        for (ChannelSums& each : of_thread) each.restart(channels);
      }
      const std::size_t reservations = g == 0 && sink_ != nullptr ? 1 : 0;
      const std::size_t items = reservations + tiles.count();
      team_.for_each(blocking_.threads, items, [&](unsigned thread, std::size_t item) {
        if (item < reservations) {
          sink_->reserve();
          return;
        }
        if (sums[thread].empty()) sums[thread] = make_sums(channels);
        Tile tile = tiles.tile(item - reservations);
        tile.channel.begin += channels.begin;
        const Blocks blocks = load(thread, tile);
        try {
          computation_.add_to(view_, sums[thread], tile, used(blocks));
        } catch (const NonFiniteError& error) {
          first_non_finite_.offer(error);
        }
      });
      if (!first_non_finite_.met()) finish_group(channels, sums);
    }
  }

  void finish_group(Range channels, std::vector<std::vector<ChannelSums>>& sums) {
    if (sums[0].empty()) sums[0] = make_sums(channels);
    for (std::size_t t = 1; t < sums.size(); ++t) {
      for (std::size_t i = 0; i < sums[t].size(); ++i) sums[0][i] += sums[t][i];
      sums[t].clear();
    }
    constexpr std::size_t kChannels = 64;
    team_.for_each(blocking_.threads, (channels.count + kChannels - 1) / kChannels,
                   [&](unsigned, std::size_t i) {
                     const std::size_t begin = channels.begin + i * kChannels;
                     const std::size_t end = std::min(channels.end(), begin + kChannels);
                     for (std::size_t c = begin; c < end; ++c) computation_.finish(c, sums[0]);
                   });
  }

  void apply_stream() {
    const unsigned threads = streamed_ || sink_streamed_ ? 1 : blocking_.threads;
    const Tiling tiles = Tiling::contiguous(view_, blocking_.tile_elements);
    team_.for_each(threads, tiles.count(), [&](unsigned thread, std::size_t i) {
      const Tile tile = tiles.tile(i);
      apply_tile(thread, tile, load(thread, tile));
    });
  }

  void apply_tile(unsigned thread, const Tile& tile, const Blocks& blocks) {
    const std::size_t bytes = sink_->copies() ? tile.size() * item_size(sink_->dtype()) : 0;
    const MutableRows results = sink_->place(view_, tile, threads_[thread].out.get(bytes));
    computation_.apply(view_, tile, used(blocks), sink_->dtype(), results);
    sink_->store(view_, tile, results);
  }

  const View view_;
  const std::span<Source* const> sources_;
  Computation& computation_;
  Sink* const sink_;
  const Execution& execution_;
  const bool sink_streamed_;
  std::size_t element_bytes_ = 0;
  bool streamed_ = false;
  Blocking blocking_;
  std::vector<Thread> threads_;
  Team team_;
  FirstNonFinite first_non_finite_;
  std::atomic<std::size_t> done_{0};
  std::size_t total_ = 0;
};

}  // namespace

void sum_and_apply(const View& view, std::span<Source* const> sources, Computation& computation,
                   Sink* sink, const Execution& execution) {
  Passes(view, sources, computation, sink, execution).sum_and_apply();
}

void apply_only(const View& view, std::span<Source* const> sources, Computation& computation,
                Sink& sink, const Execution& execution) {
  Passes(view, sources, computation, &sink, execution).apply_only();
}

}  // namespace bn
