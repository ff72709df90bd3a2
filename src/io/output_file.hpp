// One file being written: all of it appears under its name, or nothing.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/cleanup.hpp"
#include "io/descriptor.hpp"

namespace bn::io {

/// Where a path leads, symbolic links followed. Two paths with the same target are one file, also
/// where that file does not exist yet.
struct Target {
  std::string name;            ///< as messages call it
  Descriptor directory;        ///< of a regular or new file
  std::string directory_name;  ///< for messages
  std::string base;            ///< the name in the directory
  dev_t device = 0;            ///< of the file, or of the directory of a new file
  ino_t inode = 0;
  bool exists = false;
  bool direct = false;    ///< no regular file: written as it is, never replaced
  int descriptor = -1;    ///< standard output and its like: this one, nothing to open
  struct stat status {};  ///< where it exists

  [[nodiscard]] bool same_file(const Target& other) const;
};

/// Follows `path`; "-" is standard output. Throws Error (system) for a missing directory, a
/// directory, a loop of links.
[[nodiscard]] Target resolve_target(const std::string& path);

/// The content goes to a temporary file beside the target and gets the target's name at commit().
/// Destroyed without a commit(), it leaves everything as it was. What is no regular file (a pipe, a
/// device, standard output) is written directly and in order instead.
class OutputFile {
 public:
  enum class Existing : std::uint8_t { replace, refuse };

  /// Creates the temporary. Throws Error: system where the directory or the existing file may not
  /// be written, usage where it exists and that is refused.
  explicit OutputFile(Target target, Existing existing = Existing::replace);

  [[nodiscard]] const std::string& name() const { return target_.name; }
  [[nodiscard]] const Target& target() const { return target_; }
  /// True where bytes can only be appended, and have left once they are.
  [[nodiscard]] bool sequential() const { return target_.direct; }

  /// Reserves room for the whole file, where the file system can: "no space" now and not later.
  void allocate(std::uint64_t bytes);
  /// Any thread, any order; not where sequential().
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// One thread.
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text);

  /// Everything is written: sets mode and owner, optionally syncs, closes. Checked, all of it.
  void finish(bool sync);
  /// Renames the finished file; nothing to do where sequential().
  void commit();
  /// Makes a committed name survive a power cut.
  void sync_directory();

 private:
  [[nodiscard]] int fd() const;

  Target target_;
  Existing existing_;
  std::unique_ptr<Temporary> temporary_;
  Descriptor direct_;
  std::uint64_t appended_ = 0;
};

}  // namespace bn::io
