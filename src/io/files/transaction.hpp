// All that one run writes: every output, then the state, or nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "io/documents/state.hpp"
#include "io/files/output_file.hpp"

namespace bn::io {

/// Collects the outputs of a run and makes them visible together, at the very end, the state last.
/// Destroyed without commit(), or by an exception, it leaves every file as it was.
///
/// Not promised: several files replaced in one instant (a kill between two renames leaves the first
/// replaced and the state old, so that running again is right); exactly one update when killed
/// after the state's rename; anything against programs that write the state without locking it;
/// locks on NFS; that other hard links of a replaced file see the new content.
class Transaction {
 public:
  struct Options {
    bool sync = false;  ///< fsync the outputs, too; a state always is
    std::chrono::duration<double> lock_timeout{60};
  };

  explicit Transaction(const Options& options);
  Transaction() : Transaction(Options{}) {}

  /// No output may be this file: the state of a run that does not update it. `flag` names it in
  /// messages, here and below: "--state".
  void protect(const std::string& path, const std::string& flag);

  /// An output, "-" being standard output. Throws Error: usage where it is another output, the
  /// state or a protected file; system as OutputFile. The reference stays valid.
  OutputFile& add_output(const std::string& path, const std::string& flag,
                         OutputFile::Existing existing = OutputFile::Existing::replace);

  /// The file that `state` was read from is going to be updated in place. Throws as add_output().
  void add_state(const State& state, const std::string& flag);
  /// The updated state goes to another file; protect() the one it was read from.
  void add_state(const State& state, const std::string& path, const std::string& flag);

  /// What a run does to the running statistics, for instance bn::update().
  using Change = std::function<void(RunningStatistics&)>;

  /// Finishes and renames all outputs; an added state is not written.
  void commit();

  /// The same, and the state last. In place: locks the file, reads it again and applies `change` to
  /// what it holds now, so that no other process's update is lost. Throws Error: system where the
  /// lock cannot be had in time; input where gamma, beta, eps or the conventions are no longer
  /// those of the state added; nothing has been renamed then. Without an added state: commit().
  void commit(std::size_t channels, const Change& change);

 private:
  struct Entry {
    std::string name;  ///< "--state state.json"
    Target protected_file;
    std::unique_ptr<OutputFile> output;  ///< none for a protected file
  };

  OutputFile& add(const std::string& path, const std::string& flag, OutputFile::Existing existing);
  void finish_outputs();
  void rename_outputs();
  void sync_directories();
  void write_state(State next, std::size_t channels, const Change& change);
  void require_unmoved() const;

  Options options_;
  std::list<Entry> entries_;
  std::optional<State> state_;
  OutputFile* state_file_ = nullptr;
  bool in_place_ = false;
};

}  // namespace bn::io
