#include "bn/arrays/machine.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

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

unsigned usable_cores() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) {
    cores = static_cast<unsigned>(std::max(1, CPU_COUNT(&mask)));
  }
  return std::min(cores, quota());
}

Machine detect() {
  Machine machine;
  const long core_cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (core_cache > 0) machine.core_cache = static_cast<std::size_t>(core_cache);
  machine.cores = usable_cores();
  return machine;
}

}  // namespace

const Machine& this_machine() {
  static const Machine machine = detect();
  return machine;
}

}  // namespace bn
