#include "io/files/transaction.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "io/documents/state_lock.hpp"
#include "io/error.hpp"

namespace bn::io {

namespace {

/// Bit for bit: 0.0 and -0.0 are different parameters.
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

/// What the batch was normalised with, and the running statistics mean something by.
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

Transaction::Transaction(const Options& options) : options_(options) {}

void Transaction::protect(const std::string& path, const std::string& flag) {
  if (path == "-") return;  // standard input, no file that an output could be
  entries_.push_back({.name = flag + " " + printable(path),
                      .protected_file = resolve_target(path),
                      .output = nullptr});
}

OutputFile& Transaction::add_output(const std::string& path, const std::string& flag,
                                    OutputFile::Existing existing) {
  return add(path, flag, existing);
}

void Transaction::add_state(const State& state, const std::string& flag) {
  add_state(state, state.path, flag);
  in_place_ = true;
  if (state_file_->sequential()) {
    throw usage_error(state.path,
                      "is no regular file and cannot be updated in place; use --state-out or "
                      "--no-update");
  }
}

void Transaction::add_state(const State& state, const std::string& path, const std::string& flag) {
  if (state_) throw std::logic_error("a transaction has one state");
  state_file_ = &add(path, flag, OutputFile::Existing::replace);
  state_ = state;
  if (path != state.path) move_references(*state_, path);
}

OutputFile& Transaction::add(const std::string& path, const std::string& flag,
                             OutputFile::Existing existing) {
  Target target = resolve_target(path);
  std::string name = flag + " " + printable(path);
  for (const Entry& entry : entries_) {
    if (!target.same_file(entry.output ? entry.output->target() : entry.protected_file)) continue;
    throw Error(ErrorKind::usage,
                entry.name + " and " + name + " are the same file; every output needs its own");
  }
  entries_.push_back({.name = std::move(name),
                      .protected_file = {},
                      .output = std::make_unique<OutputFile>(std::move(target), existing)});
  return *entries_.back().output;
}

void Transaction::finish_outputs() {
  // What has been written directly cannot be taken back, so it has to be known to have arrived
  // before anything else becomes visible.
  for (const bool direct : {true, false}) {
    for (const Entry& entry : entries_) {
      if (!entry.output || entry.output.get() == state_file_) continue;
      if (entry.output->sequential() == direct) entry.output->finish(options_.sync);
    }
  }
}

void Transaction::rename_outputs() {
  for (const Entry& entry : entries_) {
    if (entry.output && entry.output.get() != state_file_) entry.output->commit();
  }
}

void Transaction::commit() {
  finish_outputs();
  rename_outputs();
  sync_directories();
}

void Transaction::commit(std::size_t channels, const Change& change) {
  if (!state_) return commit();
  finish_outputs();
  std::optional<StateLock> lock;
  if (in_place_) {
    lock.emplace(state_->path, options_.lock_timeout);
    require_unmoved();
    State now = read_state(lock->file(), state_->path, &*state_);
    require_same_conventions(*state_, now);
    state_ = std::move(now);
  }
  write_state(std::move(*state_), channels, change);
  rename_outputs();
  sync_directories();
  state_file_->commit();
  state_file_->sync_directory();
}

void Transaction::write_state(State next, std::size_t channels, const Change& change) {
  next.require_channels(channels, "this run has " + std::to_string(channels) + " channels");
  RunningStatistics running = running_statistics(next, channels);
  change(running);
  set_running_statistics(next, running);
  state_file_->append(format_state(next));
  state_file_->finish(true);
}

void Transaction::require_unmoved() const {
  const Target now = resolve_target(state_->path);
  if (now.same_place(state_file_->target())) return;
  throw system_error(state_->path, "leads to another file than when it was read; run again");
}

void Transaction::sync_directories() {
  if (!options_.sync) return;
  for (const Entry& entry : entries_) {
    if (entry.output && entry.output.get() != state_file_) entry.output->sync_directory();
  }
}

}  // namespace bn::io
