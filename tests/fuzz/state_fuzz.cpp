// A state that is accepted can be written and read again, equal, also after an update.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/documents/state.hpp"
#include "io/error.hpp"

namespace {

using namespace bn::io;

void require_same(const State& a, const State& b) {
  const bool same =
      a.mode == b.mode && a.axis == b.axis && a.eps == b.eps &&
      a.momentum.value == b.momentum.value && a.momentum.weights == b.momentum.weights &&
      a.momentum.running_var_estimator == b.momentum.running_var_estimator && a.gamma == b.gamma &&
      a.beta == b.beta && a.running_mean == b.running_mean && a.running_var == b.running_var &&
      a.gamma_file == b.gamma_file && a.beta_file == b.beta_file &&
      a.num_batches_tracked == b.num_batches_tracked && a.document == b.document;
  if (!same) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  State state;
  try {
    state = parse_state({reinterpret_cast<const char*>(data), size}, "s");
  } catch (const Error&) {
    return 0;  // refused, as most inputs should be
  }
  require_same(parse_state(format_state(state), "s"), state);
  set_running_statistics(state, running_statistics(state, state.channels().value_or(3)));
  require_same(parse_state(format_state(state), "s"), state);
  return 0;
}
