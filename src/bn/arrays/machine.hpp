// The facts of the machine that decide how work is cut, and never a bit of a result.
#pragma once

#include <cstddef>

namespace bn {

/// A machine as blocking and threads see it. Everything that depends on one takes it as an
/// argument, so that a test can describe a machine other than its own. The instruction set is no
/// part of it: kernels::table() chooses that once per process.
struct Machine {
  /// Bytes of a core's own cache (L2); 0 where the system does not say.
  std::size_t core_cache = 0;
  /// Bytes of the last cache, which all cores share, at least. Not detected: what a hypervisor
  /// reports is often made up.
  std::size_t last_cache = std::size_t{16} << 20;
  /// Cores that the process may use.
  unsigned cores = 1;
};

/// The machine that the process runs on: its affinity mask and the CPU quota of its control group
/// taken into account, looked at once.
[[nodiscard]] const Machine& this_machine();

}  // namespace bn
