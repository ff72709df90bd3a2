#include "io/files/output_file.hpp"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <optional>
#include <utility>

#include "io/error.hpp"

namespace bn::io {

namespace {

constexpr int kMaxLinks = 40;  // as the kernel

// The descriptor that a path like /dev/stdout or /dev/fd/3 stands for. Such a path is not opened:
// where standard output is a file, that would replace the file and not write to it.
std::optional<int> named_descriptor(std::string_view path) {
  if (path == "-" || path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stdin") return STDIN_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (const std::string_view prefix : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(prefix)) continue;
    int number = -1;
    const char* const end = path.data() + path.size();
    const auto result = std::from_chars(path.data() + prefix.size(), end, number);
    if (result.ec == std::errc() && result.ptr == end && number >= 0) return number;
  }
  return std::nullopt;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// The path without symbolic links at its end, whether or not it leads to a file, as far as a
// descriptor's name. Links on the way are left to the kernel.
std::string follow_links(std::string path, const std::string& name) {
  for (int followed = 0;; ++followed) {
    if (named_descriptor(path)) return path;
    std::array<char, PATH_MAX> buffer{};
    const ssize_t length = ::readlink(path.c_str(), buffer.data(), buffer.size());
    if (length < 0) return path;  // not a link, or an error that stat() reports
    if (followed == kMaxLinks) throw system_error(name, "cannot open", ELOOP);
    const std::string_view link(buffer.data(), static_cast<std::size_t>(length));
    path = link.starts_with('/') ? std::string(link) : directory_of(path).append("/").append(link);
  }
}

bool same_inode(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool is_null_device(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(1, 3);
}

Target descriptor_target(int descriptor, const std::string& path) {
  Target target;
  target.name = path == "-" ? "standard output" : printable(path);
  target.direct = true;
  target.descriptor = descriptor;
  target.exists = true;
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags == -1 || (flags & O_PATH) != 0) throw system_error(target.name, "is closed");
  if (::fstat(descriptor, &target.status) != 0) {
    throw system_error(target.name, "cannot examine", errno);
  }
  return target;
}

}  // namespace

bool Target::same_file(const Target& other) const {
  if (exists != other.exists || !same_inode(status, other.status)) return false;
  return exists ? !is_null_device(status) : base == other.base;
}

bool Target::is_input(const std::string& input) const {
  struct stat its {};
  const int result = input == "-" ? ::fstat(STDIN_FILENO, &its) : ::stat(input.c_str(), &its);
  return exists && result == 0 && (S_ISREG(its.st_mode) || S_ISFIFO(its.st_mode)) &&
         same_inode(status, its);
}

bool Target::same_place(const Target& other) const {
  struct stat mine {};
  struct stat theirs {};
  return base == other.base && ::fstat(directory.get(), &mine) == 0 &&
         ::fstat(other.directory.get(), &theirs) == 0 && same_inode(mine, theirs);
}

Target resolve_target(const std::string& path) {
  Target target;
  target.name = printable(path);
  target.path = follow_links(path, target.name);
  if (const std::optional<int> descriptor = named_descriptor(target.path)) {
    return descriptor_target(*descriptor, path);
  }
  target.exists = ::stat(target.path.c_str(), &target.status) == 0;
  if (!target.exists && errno != ENOENT) throw system_error(target.name, "cannot open", errno);
  if (target.exists && S_ISDIR(target.status.st_mode)) {
    throw system_error(target.name, "is a directory");
  }
  target.direct = target.exists && !S_ISREG(target.status.st_mode);
  if (target.direct) {
    // A socket cannot be opened by a name, but may be what standard output is.
    struct stat standard_output {};
    if (::fstat(STDOUT_FILENO, &standard_output) == 0 &&
        same_inode(standard_output, target.status)) {
      target.descriptor = STDOUT_FILENO;
    }
    return target;
  }
  const std::string directory = directory_of(target.path);
  target.base = base_of(target.path);
  target.directory = Descriptor(
      uninterrupted([&] { return ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!target.directory) throw system_error(target.name, "cannot open its directory", errno);
  if (target.base.empty()) throw system_error(target.name, "cannot create", EISDIR);
  if (!target.exists && ::fstat(target.directory.get(), &target.status) != 0) {
    throw system_error(target.name, "cannot examine its directory", errno);
  }
  return target;
}

OutputFile::OutputFile(Target target, Existing existing, FileKind kind)
    : target_(std::move(target)), existing_(existing), kind_(kind) {
  if (target_.direct) {
    direct_ = Descriptor(uninterrupted([&] {
      return target_.descriptor >= 0
                 ? ::fcntl(target_.descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                 : ::open(target_.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
    }));
    if (!direct_) throw system_error(target_.name, "cannot open", errno);
    return;
  }
  if (target_.exists && existing_ == Existing::refuse) throw already_exists();
  require_replaceable();
  // Replacing needs no permission for the file itself, but who has taken it away meant it.
  if (target_.exists &&
      ::faccessat(target_.directory.get(), target_.base.c_str(), W_OK, AT_EACCESS) != 0) {
    throw system_error(target_.name, "cannot write", errno);
  }
  // The umask applies to a new file; a replaced one gets its mode when it is complete.
  temporary_ = std::make_unique<Temporary>(target_.directory.get(), target_.exists ? 0600 : 0666,
                                           target_.name);
}

Error OutputFile::already_exists() const {
  return usage_error(target_.name, "exists already", Cause::already_exists);
}

bool OutputFile::is_terminal() const { return direct_ && ::isatty(direct_.get()) == 1; }

void OutputFile::require_replaceable() const {
  if (existing_ != Existing::own_kind) return;
  const std::optional<FileKind> found =
      file_kind_in(target_.directory.get(), target_.base, target_.name);
  if (found && !may_replace(kind_, *found)) throw irreplaceable(target_.name, *found, kind_);
}

int OutputFile::fd() const { return temporary_ ? temporary_->fd() : direct_.get(); }

void OutputFile::allocate(std::uint64_t bytes) {
  if (sequential() || bytes == 0) return;
  // fallocate, because posix_fallocate writes to every block where the file system does not have
  // such a call.
  const int result =
      uninterrupted([&] { return ::fallocate(fd(), 0, 0, static_cast<off_t>(bytes)); });
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return;
  throw system_error(target_.name, "cannot reserve " + std::to_string(bytes) + " bytes", errno);
}

void OutputFile::write_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  pwrite_fully(fd(), bytes, offset, target_.name);
}

void OutputFile::append(std::span<const std::byte> bytes) {
  write_fully(fd(), bytes, target_.name);
}

void OutputFile::append(std::string_view text) { append(std::as_bytes(std::span(text))); }

void OutputFile::finish(bool sync) {
  // Somebody may have put another file there meanwhile. Later than this, between two renames, it
  // could no longer be refused without leaving half of the outputs new.
  if (temporary_) require_replaceable();
  if (temporary_ && target_.exists) take_over_owner_and_mode();
  const bool syncable = temporary_ != nullptr || S_ISREG(target_.status.st_mode);
  if (sync && syncable && uninterrupted([&] { return ::fsync(fd()); }) != 0) {
    throw system_error(target_.name, "cannot sync", errno);
  }
  const int error = temporary_ ? temporary_->flush() : direct_.close();
  if (error != 0) throw system_error(target_.name, "cannot write", error);
}

void OutputFile::take_over_owner_and_mode() {
  struct stat mine {};
  if (::fstat(fd(), &mine) != 0) throw system_error(target_.name, "cannot examine", errno);
  // As they are now: somebody may have changed them since the run began.
  struct stat old {};
  if (::fstatat(target_.directory.get(), target_.base.c_str(), &old, AT_SYMLINK_NOFOLLOW) != 0) {
    old = target_.status;
  }
  // Only root can always keep the owner; for others the new file is their own.
  if ((mine.st_uid != old.st_uid || mine.st_gid != old.st_gid) &&
      ::fchown(fd(), old.st_uid, old.st_gid) != 0) {
    static_cast<void>(::fchown(fd(), static_cast<uid_t>(-1), old.st_gid));
  }
  if (uninterrupted([&] { return ::fchmod(fd(), old.st_mode & 0777U); }) != 0) {
    throw system_error(target_.name, "cannot set its mode", errno);
  }
}

void OutputFile::prepare_commit() {
  // A file that replaces none is linked to its final name at once. Where files have names from the
  // start, such as on NFS, keeping the old one would make replacing it more than one step.
  if (!temporary_ || temporary_->has_name() || existing_ == Existing::refuse) return;
  replaced_ = Descriptor(
      ::openat(target_.directory.get(), target_.base.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  const int error = temporary_->take_name();
  if (error != 0) throw system_error(target_.name, "cannot name the new file", error);
}

void OutputFile::commit() {
  if (!temporary_) return;
  const int error = temporary_->rename_to(target_.base, existing_ != Existing::refuse);
  if (error == EEXIST && existing_ == Existing::refuse) throw already_exists();
  if (error != 0) throw system_error(target_.name, "cannot rename the new file to it", error);
}

void OutputFile::sync_name() {
  if (!temporary_) return;
  const auto require = [&](bool synced) {
    if (!synced) throw system_error(target_.name, "has been replaced, but cannot be synced", errno);
  };
  // Some file systems (btrfs) take the syncing of a file without a name for needless.
  require(uninterrupted([&] { return ::fsync(fd()); }) == 0);
  const Descriptor directory(uninterrupted(
      [&] { return ::openat(target_.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  // A directory that may be written but not read cannot be synced by anybody.
  if (!directory && errno == EACCES) return;
  require(directory && uninterrupted([&] { return ::fsync(directory.get()); }) == 0);
}

}  // namespace bn::io
