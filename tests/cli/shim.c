/* Stands between bn and the C library, by LD_PRELOAD, to be an unkind system:
 *
 *   SHIM_SHORT=N          reads and writes move at most N bytes at a time
 *   SHIM_TRUNCATE=PATH    cuts this file to half its size before the read numbered SHIM_AT (from 1)
 *   SHIM_GROW=PATH        appends a byte to it then
 *   SHIM_REWRITE=PATH     changes its last byte then, and the time of its modification
 *   SHIM_LOG=PATH         a letter is appended to this file for every fsync ("s") and thread ("t")
 *   SHIM_NO_STRERROR=1    the C library breaks its promise to have a text for every error
 *   SHIM_PLANT=VICTIM     puts a symbolic link to VICTIM at the name of the first SHIM_AT files that are
 *                         about to be created with O_EXCL or named ".bn-...", just before
 *   SHIM_NO_TMPFILE=1     there are no files without a name
 *   SHIM_NO_LINK=1        such a file gets no name by its descriptor, as on Linux before 6.10 for ordinary
 *                         users; =2: nor by /proc
 *   SHIM_NO_THREADS=1     threads cannot be started
 *   SHIM_FALLOCATE=ERRNO  fallocate fails with this error
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static long setting(const char* name) {
  const char* text = getenv(name);
  return text ? atol(text) : 0;
}

static void log_letter(const char* letter) {
  const char* path = getenv("SHIM_LOG");
  if (!path) return;
  int before = errno;  // a call that succeeds leaves it alone, though it may not have to
  int log = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
  if (log < 0 || REAL(write)(log, letter, 1) != 1 || close(log)) abort();
  errno = before;
}

static size_t at_most(size_t size) {
  long limit = setting("SHIM_SHORT");
  return limit > 0 && size > (size_t)limit ? (size_t)limit : size;
}

static void before_read(int fd) {
  static atomic_long reads;
  const char* truncate_path = getenv("SHIM_TRUNCATE");
  const char* grow_path = getenv("SHIM_GROW");
  const char* rewrite_path = getenv("SHIM_REWRITE");
  const char* path = truncate_path ? truncate_path : grow_path ? grow_path : rewrite_path;
  struct stat target, mine;
  if (!path || stat(path, &target) || fstat(fd, &mine) || target.st_ino != mine.st_ino) return;
  if (atomic_fetch_add(&reads, 1) + 1 != setting("SHIM_AT")) return;
  if (truncate_path) {
    if (truncate(path, target.st_size / 2)) abort();
  } else if (rewrite_path) {
    // The clock of a file system may stand still between two writes.
    struct timespec times[2] = {target.st_mtim, target.st_mtim};
    times[1].tv_sec += 1;
    char last;
    int other = REAL(open)(path, O_RDWR);
    if (other < 0 || REAL(pread)(other, &last, 1, target.st_size - 1) != 1) abort();
    last ^= 1;
    if (REAL(pwrite)(other, &last, 1, target.st_size - 1) != 1 || futimens(other, times) || close(other)) abort();
  } else {
    int other = REAL(open)(path, O_WRONLY | O_APPEND);
    if (other < 0 || REAL(write)(other, "x", 1) != 1 || close(other)) abort();
  }
}

ssize_t read(int fd, void* data, size_t size) {
  before_read(fd);
  return REAL(read)(fd, data, at_most(size));
}

ssize_t pread(int fd, void* data, size_t size, off_t offset) {
  before_read(fd);
  return REAL(pread)(fd, data, at_most(size), offset);
}

ssize_t pread64(int fd, void* data, size_t size, off64_t offset) {
  before_read(fd);
  return REAL(pread64)(fd, data, at_most(size), offset);
}

ssize_t write(int fd, const void* data, size_t size) { return REAL(write)(fd, data, at_most(size)); }

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  return REAL(pwrite)(fd, data, at_most(size), offset);
}

ssize_t pwrite64(int fd, const void* data, size_t size, off64_t offset) {
  return REAL(pwrite64)(fd, data, at_most(size), offset);
}

static void plant(int directory, const char* path) {
  static atomic_long planted;
  const char* victim = getenv("SHIM_PLANT");
  if (!victim || atomic_fetch_add(&planted, 1) >= setting("SHIM_AT")) return;
  if (symlinkat(victim, directory, path)) abort();
}

static void before_open(int directory, const char* path, int flags) {
  if ((flags & O_CREAT) && (flags & O_EXCL)) plant(directory, path);
}

// O_TMPFILE contains O_DIRECTORY, which alone makes nothing.
static int is_tmpfile(int flags) { return (flags & O_TMPFILE) == O_TMPFILE; }

int linkat(int from_directory, const char* from, int to_directory, const char* to, int flags) {
  long refused = setting("SHIM_NO_LINK");
  if ((refused >= 1 && (flags & AT_EMPTY_PATH)) || (refused >= 2 && (flags & AT_SYMLINK_FOLLOW))) {
    errno = ENOENT;
    return -1;
  }
  if (strncmp(to, ".bn-", 4) == 0) plant(to_directory, to);
  return REAL(linkat)(from_directory, from, to_directory, to, flags);
}

// The mode that follows `flags`, where they say that there is one.
#define MODE_AFTER(flags)                       \
  mode_t mode = 0;                              \
  if ((flags) & O_CREAT || is_tmpfile(flags)) { \
    va_list more;                               \
    va_start(more, flags);                      \
    mode = va_arg(more, mode_t);                \
    va_end(more);                               \
  }

#define OPENAT(name)                                          \
  int name(int directory, const char* path, int flags, ...) { \
    MODE_AFTER(flags)                                         \
    before_open(directory, path, flags);                      \
    if (is_tmpfile(flags) && setting("SHIM_NO_TMPFILE")) {    \
      errno = EOPNOTSUPP;                                     \
      return -1;                                              \
    }                                                         \
    return REAL(name)(directory, path, flags, mode);          \
  }

#define OPEN(name)                             \
  int name(const char* path, int flags, ...) { \
    MODE_AFTER(flags)                          \
    before_open(AT_FDCWD, path, flags);        \
    return REAL(name)(path, flags, mode);      \
  }

OPENAT(openat)
OPENAT(openat64)
OPEN(open)
OPEN(open64)

#define FALLOCATE(name, offset_type)                                       \
  int name(int fd, int mode, offset_type offset, offset_type size) {       \
    int error = (int)setting("SHIM_FALLOCATE");                            \
    if (!error) return REAL(name)(fd, mode, offset, size);                 \
    errno = error;                                                         \
    return -1;                                                             \
  }

FALLOCATE(fallocate, off_t)
FALLOCATE(fallocate64, off64_t)

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*work)(void*), void* argument) {
  if (setting("SHIM_NO_THREADS")) return EAGAIN;
  log_letter("t");
  return REAL(pthread_create)(thread, attributes, work, argument);
}

int fsync(int fd) {
  log_letter("s");
  return REAL(fsync)(fd);
}

char* strerror(int error) { return setting("SHIM_NO_STRERROR") ? NULL : REAL(strerror)(error); }

char* strerror_r(int error, char* buffer, size_t size) {
  return setting("SHIM_NO_STRERROR") ? NULL : REAL(strerror_r)(error, buffer, size);
}

char* strerror_l(int error, locale_t locale) {
  return setting("SHIM_NO_STRERROR") ? NULL : REAL(strerror_l)(error, locale);
}
