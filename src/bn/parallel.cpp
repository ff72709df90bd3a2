#include "bn/parallel.hpp"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace bn {
namespace {

// CPUs' worth of time that cgroup v2 allows, or a large number.
unsigned quota() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string allowed;
  double period = 0;
  if (!(file >> allowed >> period) || allowed == "max" || period <= 0) return ~0U;
  const double cores = std::strtod(allowed.c_str(), nullptr) / period;
  return cores < 1 ? 1U : static_cast<unsigned>(cores + 0.5);
}

}  // namespace

unsigned usable_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    cores = static_cast<unsigned>(std::max(1, CPU_COUNT(&mask)));
  }
  return std::min(cores, quota());
}

void parallel_for(unsigned threads, std::size_t items,
                  const std::function<void(unsigned, std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto run = [&](unsigned thread) {
    try {
      for (std::size_t item = next++; item < items; item = next++) work(thread, item);
    } catch (...) {
      next = items;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };

  const std::size_t wanted = std::min<std::size_t>(threads, items);
  std::vector<std::jthread> helpers;
  try {
    for (unsigned thread = 1; thread < wanted; ++thread) helpers.emplace_back(run, thread);
  } catch (const std::system_error&) {
    // Fewer threads, then.
  }
  run(0);
  helpers.clear();  // joins
  if (failure) std::rethrow_exception(failure);
}

}  // namespace bn
