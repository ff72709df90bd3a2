#include "bn/passes/passes.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "bn/arrays/buffer.hpp"
#include "bn/error.hpp"
#include "bn/passes/blocking.hpp"
#include "bn/passes/parallel.hpp"
#include "bn/tiles/channel_sums.hpp"

namespace bn {
namespace {

constexpr std::size_t kMaxSources = 2;

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

// The sums that a thread takes for a reduction.
class ThreadSums {
 public:
  ThreadSums(const Reduction::Needs& wanted, Range channels, std::span<const Dtype> dtypes) {
    if (wanted.moments) moments_.emplace(channels, dtypes.first(1), wanted.non_finite);
    if (wanted.products) products_.emplace(channels, dtypes, wanted.non_finite);
  }
  void restart(Range channels) {
    if (moments_) moments_->restart(channels);
    if (products_) products_->restart(channels);
  }
  // Whether something was left out.
  bool add(const View& view, const Tile& tile, std::span<const Block> blocks) {
    bool skipped = false;
    if (moments_) skipped = moments_->add(view, tile, blocks.first(1));
    if (products_) skipped = products_->add(view, tile, blocks) || skipped;
    return skipped;
  }
  ThreadSums& operator+=(const ThreadSums& other) {
    if (moments_) *moments_ += *other.moments_;
    if (products_) *products_ += *other.products_;
    return *this;
  }
  ChannelTotals take(std::size_t channel) {
    ChannelTotals totals;
    if (moments_) {
      auto [values, products, sizes] = moments_->take(channel);
      totals.sum_x = std::move(values);
      totals.sum_x_squares = std::move(products);
      totals.sizes = sizes;
    }
    if (products_) {
      auto [values, products, sizes] = products_->take(channel);
      totals.sum_dy = std::move(values);
      totals.sum_dy_x = std::move(products);
      totals.sizes = sizes;
    }
    return totals;
  }

 private:
  std::optional<ChannelSums> moments_;
  std::optional<ChannelSums> products_;
};

class Passes {
 public:
  Passes(const View& view, std::span<Source* const> sources, Reduction* reduction, Formula* formula,
         Sink* sink, Checksum checksum, const Execution& execution)
      : view_(view),
        sources_(sources),
        reduction_(reduction),
        formula_(formula),
        sink_(sink),
        with_checksum_(checksum == Checksum::of_x),
        execution_(execution),
        sink_sequential_(sink != nullptr && sink->sequential()),
        count_(view.m()) {
    bool copies = sink != nullptr && sink->copies();
    for (const Source* source : sources) {
      dtypes_.push_back(source->dtype());
      element_bytes_ += item_size(source->dtype());
      source_sequential_ = source_sequential_ || source->sequential();
      copies = copies || source->copies();
    }
    blocking_ = make_blocking(view, element_bytes_, sink != nullptr ? item_size(sink->dtype()) : 0,
                              copies, execution.threads, execution.machine);
    if (source_sequential_) blocking_.threads = 1;
    threads_.resize(blocking_.threads);
  }

  PassResult sum_and_apply() {
    reduction_->begin(count_);
    const std::size_t array_bytes = view_.size() * element_bytes_;
    const bool fused = blocking_.resident && sink_ != nullptr && !sink_sequential_;
    total_ = sink_ == nullptr || fused ? array_bytes : 2 * array_bytes;
    if (blocking_.resident) {
      if (sink_ != nullptr) sink_->reserve();
      sum_groups(fused);
    } else {
      sum_by_tiles();
    }
    first_non_finite_.throw_if_met();
    reduction_->conclude();
    if (sink_ != nullptr && !fused) apply_by_tiles(Visit::again);
    return result();
  }

  void inspect(Inspection& inspection) {
    total_ = view_.size() * element_bytes_;
    inspection.begin(blocking_.threads);
    const Tiling tiles = Tiling::contiguous(view_, blocking_.tile_elements);
    team_.for_each(blocking_.threads, tiles.count(), [&](unsigned t, std::size_t i) {
      const Tile tile = tiles.tile(i);
      inspection.inspect(t, tile, used(load(threads_[t], tile, Visit::first)));
    });
  }

  PassResult apply_only() {
    total_ = view_.size() * element_bytes_;
    sink_->reserve();
    for_channels({0, view_.channel}, [&](std::size_t c) { formula_->prepare(c); });
    apply_by_tiles(Visit::first);
    return result();
  }

 private:
  using Blocks = std::array<Block, kMaxSources>;

  // What a thread uses for tile after tile.
  struct Thread {
    std::array<Buffer, kMaxSources> in;
    Buffer out;
    std::optional<ThreadSums> sums;
    Counts counts;
    std::uint64_t x_checksum = 0;
  };

  // Every element is loaded once or twice; the checksum is that of the first time.
  enum class Visit : bool { first, again };

  Blocks load(Thread& thread, const Tile& tile, Visit visit) {
    Blocks blocks{};
    for (std::size_t s = 0; s < sources_.size(); ++s) {
      Source& source = *sources_[s];
      const std::size_t bytes = source.copies() ? tile.size() * item_size(source.dtype()) : 0;
      blocks[s] = {source.dtype(), source.load(view_, tile, thread.in[s].get(bytes))};
    }
    if (with_checksum_ && visit == Visit::first) {
      thread.x_checksum += checksum(view_, tile, blocks[0].dtype, blocks[0].rows);
    }
    if (execution_.progress) {
      const std::size_t now = done_ += tile.size() * element_bytes_;
      execution_.progress(now, total_);
    }
    return blocks;
  }

  [[nodiscard]] std::span<const Block> used(const Blocks& blocks) const {
    return std::span(blocks).first(sources_.size());
  }

  // Sums of these channels, all zero.
  ThreadSums& start_sums(Thread& thread, Range channels) const {
    if (thread.sums) {
      thread.sums->restart(channels);
    } else {
      thread.sums.emplace(reduction_->needs(), channels, dtypes_);
    }
    return *thread.sums;
  }

  // Remembers the first failure instead of throwing it: another thread may meet an earlier one.
  // Returns whether the sums are right.
  bool add(Thread& thread, const Tile& tile, const Blocks& blocks) {
    try {
      if (thread.sums->add(view_, tile, used(blocks))) {
        reduction_->add_non_finite(tile, used(blocks));
      }
      return true;
    } catch (const NonFiniteError& error) {
      first_non_finite_.offer(error);
      return false;
    }
  }

  // Every group's channels, one group per thread at a time; with `fused` their results, too.
  void sum_groups(bool fused) {
    team_.for_each(blocking_.threads, blocking_.groups.count(), [&](unsigned t, std::size_t i) {
      Thread& thread = threads_[t];
      const Tile tile = blocking_.groups.tile(i);
      const Blocks blocks = load(thread, tile, Visit::first);
      ThreadSums& sums = start_sums(thread, tile.channel);
      if (!add(thread, tile, blocks)) {
        thread.sums.reset();
        return;
      }
      for (std::size_t c = tile.channel.begin; c < tile.channel.end(); ++c) finish(c, sums);
      // From a non-finite value on, only an earlier one is looked for.
      if (fused && !first_non_finite_.met()) apply_tile(thread, tile, blocks);
    });
  }

  // One group after the other, each cut into tiles that any thread takes. One thread first makes
  // room for the results: some file systems take as long for that as for many tiles.
  void sum_by_tiles() {
    for (std::size_t g = 0; g < blocking_.groups.count(); ++g) {
      const Range channels = blocking_.groups.tile(g).channel;
      const Tiling tiles =
          Tiling::contiguous({view_.outer, channels.count, view_.inner}, blocking_.tile_elements);
      for (Thread& thread : threads_) {
        if (thread.sums) thread.sums->restart(channels);
      }
      const std::size_t reservations = g == 0 && sink_ != nullptr ? 1 : 0;
      const std::size_t items = reservations + tiles.count();
      team_.for_each(blocking_.threads, items, [&](unsigned t, std::size_t item) {
        if (item < reservations) {
          sink_->reserve();
          return;
        }
        Thread& thread = threads_[t];
        if (!thread.sums) start_sums(thread, channels);
        Tile tile = tiles.tile(item - reservations);
        tile.channel.begin += channels.begin;
        add(thread, tile, load(thread, tile, Visit::first));
      });
      if (!first_non_finite_.met()) merge_and_finish(channels);
    }
  }

  // The sums of all threads become those of the first one, and then totals.
  void merge_and_finish(Range channels) {
    Thread& first = threads_[0];
    if (!first.sums) start_sums(first, channels);
    for (std::size_t t = 1; t < threads_.size(); ++t) {
      if (threads_[t].sums) *first.sums += *threads_[t].sums;
      threads_[t].sums.reset();
    }
    for_channels(channels, [&](std::size_t c) { finish(c, *first.sums); });
  }

  // work(channel), some channels in each thread.
  template <class Work>
  void for_channels(Range channels, Work work) {
    constexpr std::size_t kChannels = 64;
    team_.for_each(blocking_.threads, (channels.count + kChannels - 1) / kChannels,
                   [&](unsigned, std::size_t i) {
                     const std::size_t begin = channels.begin + i * kChannels;
                     const std::size_t end = std::min(channels.end(), begin + kChannels);
                     for (std::size_t c = begin; c < end; ++c) work(c);
                   });
  }

  // The seam between summing and finishing: here, and nowhere else, sums become the totals of the
  // batch. If parts of it lay in other files or processes, their exact sums would be added here and
  // their first failure offered to first_non_finite_; their counts would have to be known before
  // begin(), results could not be fused with sums, and a part without values would have to finish
  // its channels, too.
  void finish(std::size_t channel, ThreadSums& sums) {
    reduction_->finish(channel, sums.take(channel), count_);
  }

  void apply_by_tiles(Visit visit) {
    const unsigned threads = source_sequential_ || sink_sequential_ ? 1 : blocking_.threads;
    const Tiling tiles = Tiling::contiguous(view_, blocking_.tile_elements);
    team_.for_each(threads, tiles.count(), [&](unsigned t, std::size_t i) {
      const Tile tile = tiles.tile(i);
      apply_tile(threads_[t], tile, load(threads_[t], tile, visit));
    });
  }

  void apply_tile(Thread& thread, const Tile& tile, const Blocks& blocks) {
    const std::size_t bytes = sink_->copies() ? tile.size() * item_size(sink_->dtype()) : 0;
    const MutableRows results = sink_->place(view_, tile, thread.out.get(bytes));
    thread.counts += formula_->apply(tile, used(blocks), sink_->dtype(), results);
    sink_->store(view_, tile, results);
  }

  [[nodiscard]] PassResult result() const {
    PassResult all;
    for (const Thread& thread : threads_) {
      all.counts += thread.counts;
      all.x_checksum += thread.x_checksum;
    }
    return all;
  }

  const View view_;
  const std::span<Source* const> sources_;
  Reduction* const reduction_;  // null where nothing is summed
  Formula* const formula_;      // null where nothing is applied
  Sink* const sink_;
  const bool with_checksum_;
  const Execution& execution_;
  const bool sink_sequential_;
  const std::uint64_t count_;  // values per channel of the whole batch
  std::vector<Dtype> dtypes_;
  std::size_t element_bytes_ = 0;
  bool source_sequential_ = false;
  Blocking blocking_;
  std::vector<Thread> threads_;
  Team team_;
  FirstNonFinite first_non_finite_;
  std::atomic<std::size_t> done_{0};
  std::size_t total_ = 0;
};

}  // namespace

PassResult sum_and_apply(const View& view, std::span<Source* const> sources, Reduction& reduction,
                         Formula& formula, Sink* sink, Checksum checksum,
                         const Execution& execution) {
  return Passes(view, sources, &reduction, &formula, sink, checksum, execution).sum_and_apply();
}

void sum_only(const View& view, std::span<Source* const> sources, Reduction& reduction,
              const Execution& execution) {
  Passes(view, sources, &reduction, nullptr, nullptr, Checksum::none, execution).sum_and_apply();
}

PassResult apply_only(const View& view, std::span<Source* const> sources, Formula& formula,
                      Sink& sink, Checksum checksum, const Execution& execution) {
  return Passes(view, sources, nullptr, &formula, &sink, checksum, execution).apply_only();
}

void inspect(const View& view, std::span<Source* const> sources, Inspection& inspection,
             const Execution& execution) {
  Passes(view, sources, nullptr, nullptr, nullptr, Checksum::none, execution).inspect(inspection);
}

}  // namespace bn
