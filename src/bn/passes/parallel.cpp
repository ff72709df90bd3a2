#include "bn/passes/parallel.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace bn {
namespace {

constexpr unsigned kNoMore = ~0U;

// The next loop, or the end of this one, is mostly near: sleeping and waking takes longer.
void wait_while(const std::atomic<unsigned>& value, unsigned old) {
  constexpr int kLooks = 2000;
  for (int look = 0; look < kLooks; ++look) {
    if (value != old) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  value.wait(old);
}

}  // namespace

Team::~Team() {
  loops_ = kNoMore;
  loops_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
}

void Team::for_each(unsigned threads, std::size_t items, const Work& work) {
  work_ = &work;
  items_ = items;
  wanted_ = std::min<std::size_t>(threads, items);
  next_ = 0;
  start_helpers(wanted_);
  if (wanted_ > 1 && !helpers_.empty()) {
    busy_ = static_cast<unsigned>(helpers_.size());
    ++loops_;
    loops_.notify_all();
  }
  take_items(0);
  for (unsigned busy = busy_; busy != 0; busy = busy_) wait_while(busy_, busy);
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Team::start_helpers(std::size_t wanted) {
  helpers_.reserve(std::max<std::size_t>(wanted, 1) - 1);
  try {
    while (helpers_.size() + 1 < wanted) {
      helpers_.emplace_back(&Team::help, this, static_cast<unsigned>(helpers_.size() + 1),
                            loops_.load());
    }
  } catch (const std::system_error&) {
    // Fewer threads, then.
  }
}

// `done`: the loops that were over when the thread was started.
void Team::help(unsigned thread, unsigned done) {
  for (;;) {
    wait_while(loops_, done);
    done = loops_;
    if (done == kNoMore) return;
    if (thread < wanted_) take_items(thread);
    if (--busy_ == 0) busy_.notify_one();
  }
}

void Team::take_items(unsigned thread) {
  try {
    for (std::size_t item = next_++; item < items_; item = next_++) (*work_)(thread, item);
  } catch (...) {
    next_ = items_;
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::current_exception();
  }
}

}  // namespace bn
