#include "io/files/transaction.hpp"

#include <stdexcept>
#include <utility>

#include "io/error.hpp"
#include "io/files/signals.hpp"

namespace bn::io {

void Transaction::protect(const std::string& path, const std::string& flag) {
  if (path == "-") return;  // standard input, not a file that an output could be
  protect_named(path, flag + " " + printable(path));
}

void Transaction::protect_named(const std::string& path, const std::string& name) {
  protected_.push_back(resolve_target(path));
  claims_.push_back({.name = name, .target = &protected_.back()});
}

OutputFile& Transaction::add_output(const std::string& path, const std::string& flag,
                                    std::optional<FileKind> kind) {
  OutputFile& file = open(path, flag, kind);
  outputs_.push_back(&file);
  return file;
}

OutputFile& Transaction::add_last_output(const std::string& path, const std::string& flag,
                                         std::optional<FileKind> kind) {
  if (last_ != nullptr) throw std::logic_error("a transaction has one last output");
  last_ = &open(path, flag, kind);
  return *last_;
}

OutputFile& Transaction::open(const std::string& path, const std::string& flag,
                              std::optional<FileKind> kind) {
  Target target = resolve_target(path);
  std::string name = flag + " " + printable(path);
  for (const Claim& claim : claims_) {
    if (!target.same_file(*claim.target)) continue;
    throw Error(ErrorKind::usage,
                claim.name + " and " + name + " are the same file; every output needs its own");
  }
  OutputFile& file = files_.emplace_back(std::move(target),
                                         kind ? options_.existing : OutputFile::Existing::replace,
                                         kind.value_or(FileKind::other));
  claims_.push_back({.name = std::move(name), .target = &file.target()});
  return file;
}

void Transaction::commit() {
  finish_outputs();
  rename_outputs(nullptr);
}

void Transaction::commit(const std::function<void(OutputFile&)>& write_last) {
  if (last_ == nullptr) throw std::logic_error("a transaction without a last output");
  finish_outputs();
  write_last(*last_);
  last_->finish(true);
  rename_outputs(last_);
}

void Transaction::finish_outputs() {
  // All before the first is renamed: what has been written directly cannot be taken back, so it has
  // to be known to have arrived before anything else becomes visible.
  for (OutputFile* output : outputs_) output->finish(options_.sync);
}

// No signal comes between the renames: the process ends with everything old or everything new.
void Transaction::rename_outputs(OutputFile* last) {
  const SignalHold hold;
  for (OutputFile* output : outputs_) output->prepare_commit();
  if (last != nullptr) last->prepare_commit();
  for (OutputFile* output : outputs_) output->commit();
  if (options_.sync) {
    for (OutputFile* output : outputs_) output->sync_name();
  }
  if (last == nullptr) return;
  last->commit();
  last->sync_name();
}

}  // namespace bn::io
