#include "io/documents/state_update.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "io/documents/state_lock.hpp"
#include "io/error.hpp"

namespace bn::io {

namespace {

// Bit for bit: 0.0 and -0.0 are different parameters.
bool same(const std::optional<std::vector<double>>& a,
          const std::optional<std::vector<double>>& b) {
  const auto bits = [](const std::vector<double>& values) {
    return std::as_bytes(std::span(values));
  };
  if (!a || !b) return a.has_value() == b.has_value();
  return std::ranges::equal(bits(*a), bits(*b));
}

void require_same(bool unchanged, const State& now, const char* key) {
  if (unchanged) return;
  throw input_error(now.path, std::string(key) +
                                  " has been changed by another program while this one computed "
                                  "with its old value; run again");
}

// What the batch was normalised with, and what the running statistics mean something by.
void require_same_conventions(const State& then, const State& now) {
  require_same(then.axis == now.axis, now, "axis");
  require_same(then.eps == now.eps, now, "eps");
  require_same(then.momentum.value == now.momentum.value, now, "momentum");
  require_same(then.momentum.weights == now.momentum.weights, now, "momentum_weights");
  require_same(then.momentum.running_var_estimator == now.momentum.running_var_estimator, now,
               "running_var_estimator");
  require_same(same(then.gamma, now.gamma), now, "gamma");
  require_same(same(then.beta, now.beta), now, "beta");
}

}  // namespace

void StateUpdate::require_regular(const std::string& path) {
  if (!resolve_target(path).direct) return;
  throw usage_error(path,
                    "is not the path of a regular file; only such a state can be updated in place",
                    Cause::not_regular);
}

StateUpdate StateUpdate::in_place(Transaction& transaction, const State& state,
                                  const std::string& flag,
                                  std::chrono::duration<double> lock_timeout) {
  // Before it is opened: a pipe would be waited for until somebody reads from it.
  require_regular(state.path);
  transaction.add_last_output(state.path, flag);  // of no kind: it has been read as a state
  StateUpdate update(transaction, state);
  update.in_place_ = true;
  update.lock_timeout_ = lock_timeout;
  return update;
}

StateUpdate StateUpdate::elsewhere(Transaction& transaction, const State& state,
                                   const std::string& path, const std::string& flag) {
  transaction.add_last_output(path, flag, FileKind::state);
  StateUpdate update(transaction, state);
  move_references(update.state_, path);
  return update;
}

void StateUpdate::commit(std::size_t channels, const Change& change) {
  std::optional<StateLock> lock;  // held until the new state has its name
  transaction_.commit([&](OutputFile& output) {
    if (in_place_) {
      lock.emplace(state_.path, lock_timeout_);
      read_again(lock->file(), output);
    }
    state_.require_channels(channels, "this run has " + count_text(channels, "channel"));
    RunningStatistics running = running_statistics(state_, channels);
    change(running);
    set_running_statistics(state_, running);
    output.append(format_state(state_));
  });
}

void StateUpdate::read_again(const InputFile& locked, const OutputFile& output) {
  if (!resolve_target(state_.path).same_place(output.target())) {
    throw system_error(state_.path, "leads to another file than when it was read; run again");
  }
  State now = read_state(locked, state_.path, &state_);
  require_same_conventions(state_, now);
  state_ = std::move(now);
}

}  // namespace bn::io
