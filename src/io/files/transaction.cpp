#include "io/files/transaction.hpp"

#include <stdexcept>
#include <utility>

#include "io/error.hpp"

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
  rename_outputs();
  sync_directories();
}

void Transaction::commit(const std::function<void(OutputFile&)>& write_last) {
  if (last_ == nullptr) throw std::logic_error("a transaction without a last output");
  finish_outputs();
  write_last(*last_);
  last_->finish(true);
  rename_outputs();
  sync_directories();
  last_->commit();
  last_->sync_directory();
}

void Transaction::finish_outputs() {
  // What has been written directly cannot be taken back, so it has to be known to have arrived
  // before anything else becomes visible.
  for (const bool direct : {true, false}) {
    for (OutputFile* output : outputs_) {
      if (output->sequential() == direct) output->finish(options_.sync);
    }
  }
}

void Transaction::rename_outputs() {
  for (OutputFile* output : outputs_) output->commit();
}

void Transaction::sync_directories() {
  if (!options_.sync) return;
  for (OutputFile* output : outputs_) output->sync_directory();
}

}  // namespace bn::io
