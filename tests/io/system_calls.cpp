#include "system_calls.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <utility>

using namespace bn::io::test;

// The linker's names for the C library's functions, or for those of a sanitizer before them.
extern "C" {
int __real_fallocate(int fd, int mode, off_t offset, off_t size);
int __real_flock(int fd, int operation);
int __real_fsync(int fd);
ssize_t __real_getrandom(void* buffer, size_t size, unsigned flags);
int __real_linkat(int from_directory, const char* from, int to_directory, const char* to,
                  int flags);
int __real_open(const char* path, int flags, ...);
int __real_openat(int directory, const char* path, int flags, ...);
ssize_t __real_pread(int fd, void* data, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void* data, size_t size, off_t offset);
int __real_renameat(int from_directory, const char* from, int to_directory, const char* to);
int __real_renameat2(int from_directory, const char* from, int to_directory, const char* to,
                     unsigned flags);
}

namespace {

int fails_with(int error) {
  errno = error;
  return -1;
}

// O_TMPFILE contains O_DIRECTORY, which alone makes nothing.
bool is_unnamed(int flags) { return (flags & O_TMPFILE) == O_TMPFILE; }

bool has_mode(int flags) { return (flags & O_CREAT) != 0 || is_unnamed(flags); }

}  // namespace

// What the linker puts in the place of those without __wrap_.
extern "C" {

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size) {
  if (error_of_fallocate != 0) return fails_with(error_of_fallocate);
  return __real_fallocate(fd, mode, offset, size);
}

int __wrap_flock(int fd, int operation) {
  if (at_flock) std::exchange(at_flock, nullptr)();
  const int error = std::exchange(error_of_flock, 0);
  return error != 0 ? fails_with(error) : __real_flock(fd, operation);
}

int __wrap_fsync(int fd) {
  struct stat status {};
  ::fstat(fd, &status);
  calls.emplace_back(S_ISDIR(status.st_mode) ? "sync directory" : "sync file");
  return __real_fsync(fd);
}

ssize_t __wrap_getrandom(void* buffer, size_t size, unsigned flags) {
  if (error_of_getrandom != 0) return fails_with(error_of_getrandom);
  if (predictable == 0) return __real_getrandom(buffer, size, flags);
  std::memset(buffer, predictable--, size);
  return static_cast<ssize_t>(size);
}

int __wrap_linkat(int from_directory, const char* from, int to_directory, const char* to,
                  int flags) {
  if ((no_name_by_descriptor && (flags & AT_EMPTY_PATH) != 0) ||
      (no_name_by_proc && (flags & AT_SYMLINK_FOLLOW) != 0)) {
    return fails_with(ENOENT);
  }
  return __real_linkat(from_directory, from, to_directory, to, flags);
}

int __wrap_open(const char* path, int flags, ...) {
  if (!has_mode(flags)) return __real_open(path, flags);
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  if (without_unnamed_files && is_unnamed(flags)) return fails_with(EOPNOTSUPP);
  return __real_open(path, flags, mode);
}

int __wrap_openat(int directory, const char* path, int flags, ...) {
  if (!has_mode(flags)) return __real_openat(directory, path, flags);
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  if (without_unnamed_files && is_unnamed(flags)) return fails_with(EOPNOTSUPP);
  return __real_openat(directory, path, flags, mode);
}

ssize_t __wrap_pread(int fd, void* data, size_t size, off_t offset) {
  if (before_pread) before_pread();
  return __real_pread(fd, data, std::min(size, at_most), offset);
}

ssize_t __wrap_pwrite(int fd, const void* data, size_t size, off_t offset) {
  return __real_pwrite(fd, data, std::min(size, at_most), offset);
}

int __wrap_renameat(int from_directory, const char* from, int to_directory, const char* to) {
  calls.push_back("rename to " + std::string(to));
  if (at_rename) std::exchange(at_rename, nullptr)();
  return __real_renameat(from_directory, from, to_directory, to);
}

int __wrap_renameat2(int from_directory, const char* from, int to_directory, const char* to,
                     unsigned flags) {
  if (error_of_renameat2 != 0) return fails_with(error_of_renameat2);
  return __real_renameat2(from_directory, from, to_directory, to, flags);
}
}
