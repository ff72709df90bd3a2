// A batch counted in a state file: what the file holds by then is what is updated, and the new
// state is the last thing of a run to appear.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

#include "io/documents/state.hpp"
#include "io/files/transaction.hpp"

namespace bn::io {

/// The state among the outputs of a transaction, which must outlive it. Without commit() the state
/// file stays as it was.
///
/// Not promised: exactly one update when killed after the state's rename; anything against programs
/// that write the state without locking it; locks on NFS.
class StateUpdate {
 public:
  /// To call before the state is read, which for a pipe may take for ever. Throws Error (usage) for
  /// what in_place() refuses: a pipe, a device, standard input by any name.
  static void require_regular(const std::string& path);

  /// The file that `state` was read from is going to be replaced; `lock_timeout` is for other
  /// processes that do the same. Throws as Transaction::add_output(), and Error (usage) for what is
  /// not a regular file.
  [[nodiscard]] static StateUpdate in_place(Transaction& transaction, const State& state,
                                            const std::string& flag,
                                            std::chrono::duration<double> lock_timeout);

  /// The updated state goes to `path`, where its .npy paths are made right; protect() the file it
  /// was read from. Throws as Transaction::add_output().
  [[nodiscard]] static StateUpdate elsewhere(Transaction& transaction, const State& state,
                                             const std::string& path, const std::string& flag);

  /// What a run does to the running statistics, for instance bn::update().
  using Change = std::function<void(RunningStatistics&)>;

  /// Commits the transaction, the state last. In place: locks the file, reads it again and applies
  /// `change` to what it holds now, so that no other process's update is lost. Throws Error: system
  /// where the lock cannot be had in time and where the path leads to another file by now; input
  /// where gamma, beta, eps or the conventions have been changed since the state was read; nothing
  /// has been renamed then.
  void commit(std::size_t channels, const Change& change);

 private:
  StateUpdate(Transaction& transaction, const State& state)
      : transaction_(transaction), state_(state) {}

  void read_again(const InputFile& locked, const OutputFile& output);

  Transaction& transaction_;
  State state_;  ///< as it was read, until the commit
  bool in_place_ = false;
  std::chrono::duration<double> lock_timeout_{0};
};

}  // namespace bn::io
