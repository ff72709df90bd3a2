// One file being written: all of it appears under its name, or nothing.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "io/error.hpp"
#include "io/files/descriptor.hpp"
#include "io/files/file_kind.hpp"
#include "io/files/temporary.hpp"

namespace bn::io {

/// Where a path leads, symbolic links followed.
struct Target {
  std::string name;      ///< as messages call it
  std::string path;      ///< with no link at its end
  bool direct = false;   ///< not a regular file: written as it is, never replaced
  int descriptor = -1;   ///< a direct one that is open already: standard output
  Descriptor directory;  ///< of any other
  std::string base;      ///< its name in the directory
  bool exists = false;
  struct stat status {};  ///< of the file, or of the directory of a file that does not exist

  /// The same file, by another name or not; /dev/null is never the same, for all may use it.
  [[nodiscard]] bool same_file(const Target& other) const;
  /// The existing file that `path` leads to as an input, "-" being standard input; false for what
  /// can be both without being read back: a terminal, a socket, /dev/null.
  [[nodiscard]] bool is_input(const std::string& path) const;
  /// The same name in the same directory, whatever file has it.
  [[nodiscard]] bool same_place(const Target& other) const;
};

/// Follows `path`; "-" is standard output. Throws Error (system) for a missing directory, a
/// directory, a loop of links.
[[nodiscard]] Target resolve_target(const std::string& path);

/// The content goes to a temporary file beside the target and gets the target's name at commit().
/// Destroyed without a commit(), it leaves everything as it was. What is not a regular file (a
/// pipe, a device, standard output) is written directly and in order instead.
class OutputFile {
 public:
  /// Which file may be there already and is replaced: any, one that an output of this kind
  /// may_replace(), none.
  enum class Existing : std::uint8_t { replace, own_kind, refuse };

  /// Creates the temporary; `kind` is what the file is going to be. Throws Error: system where the
  /// directory or the existing file may not be written, usage where it exists and is not replaced.
  explicit OutputFile(Target target, Existing existing = Existing::replace,
                      FileKind kind = FileKind::array);

  [[nodiscard]] const std::string& name() const { return target_.name; }
  [[nodiscard]] const Target& target() const { return target_; }
  /// True where bytes can only be appended, and have left once they are.
  [[nodiscard]] bool sequential() const { return target_.direct; }
  [[nodiscard]] bool is_terminal() const;

  /// Reserves room for the whole file, where the file system can: "no space" now and not later.
  void allocate(std::uint64_t bytes);
  /// Any thread, any order; not where sequential().
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);
  /// One thread.
  void append(std::span<const std::byte> bytes);
  void append(std::string_view text);

  /// Everything is written: looks again whether what lies there now may be replaced, sets mode and
  /// owner, optionally syncs. Checked, all of it.
  void finish(bool sync);
  /// What of commit() changes nothing that a user sees but may fail or take long: the finished file
  /// gets a temporary name if it has none, and the file to be replaced is kept in existence until
  /// this object is destroyed, because removing a large one takes long.
  void prepare_commit();
  /// Renames the finished file; nothing to do where sequential().
  void commit();
  /// Makes a committed file and its name survive a power cut.
  void sync_name();

 private:
  [[nodiscard]] int fd() const;
  [[nodiscard]] Error already_exists() const;
  void require_replaceable() const;
  void take_over_owner_and_mode();

  Target target_;
  Existing existing_;
  FileKind kind_;
  std::unique_ptr<Temporary> temporary_;
  Descriptor direct_;
  Descriptor replaced_;
};

}  // namespace bn::io
