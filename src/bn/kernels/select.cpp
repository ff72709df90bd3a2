// Which version of the kernels runs.
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdlib>
#include <cstring>

#include "bn/kernels/kernels.hpp"

namespace bn::kernels {

namespace baseline {
extern const Table kTable;
}
namespace avx2 {
extern const Table kTable;
}
namespace avx512 {
extern const Table kTable;
}

#if defined(__x86_64__)
namespace {
// Clang 14 does not know this one by name.
bool cpu_has_f16c() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
}  // namespace
#endif

std::vector<const Table*> available() {
  std::vector<const Table*> tables{&baseline::kTable};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpu_has_f16c()) {
    tables.push_back(&avx2::kTable);
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") && cpu_has_f16c()) {
    tables.push_back(&avx512::kTable);
  }
#endif
  return tables;
}

const Table& table() {
  static const Table& chosen = []() -> const Table& {
    const std::vector<const Table*> tables = available();
    if (const char* wanted = std::getenv("BN_INSTRUCTION_SET")) {
      for (const Table* candidate : tables) {
        if (std::strcmp(candidate->instruction_set, wanted) == 0) return *candidate;
      }
    }
    return *tables.back();
  }();
  return chosen;
}

}  // namespace bn::kernels
