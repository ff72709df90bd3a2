// All outputs of one run: every one of them appears, or none.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <string>
#include <vector>

#include "io/files/output_file.hpp"

namespace bn::io {

/// Collects the outputs of a run and makes them visible together, at the very end. Destroyed
/// without commit(), or by an exception, it leaves every file as it was.
///
/// Not promised: several files replaced in one instant (a kill between two renames leaves the first
/// replaced and the last output old, so that running again is right); that other hard links of a
/// replaced file see the new content.
class Transaction {
 public:
  struct Options {
    bool sync = false;  ///< fsync all outputs; the last one always is
    /// What outputs of a known kind may replace.
    OutputFile::Existing existing = OutputFile::Existing::own_kind;
  };

  explicit Transaction(const Options& options) : options_(options) {}
  Transaction() : Transaction(Options{}) {}

  /// No output may be this file, which the run reads. `flag` names it in messages, here and below:
  /// "--state".
  void protect(const std::string& path, const std::string& flag);
  /// The same for what is no flag's value: "gamma.npy (gamma of --state state.json)".
  void protect_named(const std::string& path, const std::string& name);

  /// An output, "-" being standard output. `kind`: what it is going to be; an output without one
  /// replaces anything. Throws Error: usage where it is another output or a protected file, or
  /// would replace what it may not; system as OutputFile. The reference stays valid.
  OutputFile& add_output(const std::string& path, const std::string& flag,
                         std::optional<FileKind> kind = std::nullopt);

  /// The one output that is renamed after all others, because it says that they are there. It is
  /// written at the commit, if at all. Throws as add_output().
  OutputFile& add_last_output(const std::string& path, const std::string& flag,
                              std::optional<FileKind> kind = std::nullopt);

  /// Finishes and renames all outputs; the last one is not written.
  void commit();

  /// The same, and then the last one. `write_last` is called once all others are known to have
  /// arrived and while none has its name yet; what it throws leaves every file as it was.
  void commit(const std::function<void(OutputFile&)>& write_last);

 private:
  /// A file of this run that no other output may be.
  struct Claim {
    std::string name;  ///< "--state state.json"
    const Target* target;
  };

  OutputFile& open(const std::string& path, const std::string& flag, std::optional<FileKind> kind);
  void finish_outputs();
  void rename_outputs(OutputFile* last);

  Options options_;
  std::vector<Claim> claims_;
  std::list<Target> protected_;
  std::list<OutputFile> files_;
  std::vector<OutputFile*> outputs_;  ///< files_ but the last output, in the order they were added
  OutputFile* last_ = nullptr;
};

}  // namespace bn::io
