#include "io/files/temporary.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "io/error.hpp"
#include "io/files/signals.hpp"

namespace bn::io {

namespace {

constexpr std::size_t kSlotCount = 16;

// What the signal handler knows of one temporary file. Only `in_use` says whether the rest counts.
struct Slot {
  std::atomic<bool> taken = false;   // belongs to a Temporary
  std::atomic<bool> in_use = false;  // the file may exist
  int directory = -1;
  std::array<char, 24> name{};
};

std::array<Slot, kSlotCount> slots;

extern "C" void remove_temporaries() {
  for (Slot& slot : slots) {
    if (slot.in_use) ::unlinkat(slot.directory, slot.name.data(), 0);
  }
}

std::size_t take_slot() {
  for (std::size_t i = 0; i < kSlotCount; ++i) {
    if (!slots.at(i).taken.exchange(true)) return i;
  }
  throw std::logic_error("too many temporary files at a time");
}

// ".bn-" and 13 letters and digits: 65 random bits, and short enough for every file system.
std::array<char, 24> random_name() {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<unsigned char, 13> random{};
  if (uninterrupted([&] { return ::getrandom(random.data(), random.size(), 0); }) !=
      static_cast<ssize_t>(random.size())) {
    throw system_error("getrandom", "cannot name a temporary file", errno);
  }
  std::array<char, 24> name{'.', 'b', 'n', '-'};
  for (std::size_t i = 0; i < random.size(); ++i) name.at(4 + i) = kLetters[random.at(i) % 32];
  return name;
}

// Gives a file without a name one; returns 0 or the error number.
int link_unnamed(int fd, int directory, const char* name) {
  // For all only since Linux 6.10, for others than root it fails as if there were no such file.
  if (::linkat(fd, "", directory, name, AT_EMPTY_PATH) == 0) return 0;
  if (errno != ENOENT) return errno;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return ::linkat(AT_FDCWD, path.c_str(), directory, name, AT_SYMLINK_FOLLOW) == 0 ? 0 : errno;
}

// A file without a name that can be given one later, or none: the file system may know no such
// thing, and naming it may need /proc.
Descriptor open_unnamed(int directory, mode_t mode) {
  Descriptor file(uninterrupted(
      [&] { return ::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode); }));
  if (file && link_unnamed(file.get(), directory, ".") != EEXIST) return {};
  return file;
}

void fill_closed_standard_descriptors() {
  // O_PATH gives a descriptor on which read() and write() fail with EBADF, as on the closed one.
  // open() takes the lowest free number, so the loop fills 0, 1, 2 in turn.
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) == -1 && ::open("/", O_PATH) != fd) {
      throw system_error("/", "cannot open", errno);
    }
  }
}

}  // namespace

void prepare_process() {
  fill_closed_standard_descriptors();
  ::signal(SIGXFSZ, SIG_IGN);
  catch_ending_signals(remove_temporaries);
}

Temporary::Temporary(int directory, mode_t mode, const std::string& file)
    : directory_(directory), slot_(take_slot()) {
  slots.at(slot_).directory = directory;
  try {
    file_ = open_unnamed(directory, mode);
    if (file_) return;
    const int error = make_named([&](const char* name) {
      file_ = Descriptor(uninterrupted([&] {
        return ::openat(directory, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      }));
      return file_ ? 0 : errno;
    });
    if (error != 0) throw system_error(file, "cannot create a temporary file beside it", error);
  } catch (...) {
    forget();
    throw;
  }
}

Temporary::~Temporary() {
  if (has_name()) ::unlinkat(directory_, slots.at(slot_).name.data(), 0);
  forget();
}

void Temporary::forget() {
  slots.at(slot_).in_use = false;
  slots.at(slot_).taken = false;
}

// Calls `make(name)`, which returns 0 or an error number. A name that is taken was planted or is
// one in 2^65; a few more attempts settle both.
template <class Make>
int Temporary::make_named(Make make) {
  Slot& slot = slots.at(slot_);
  for (int attempt = 0; attempt < 100; ++attempt) {
    slot.name = random_name();
    const SignalHold hold;  // the file is there and known to be, or neither
    const int error = make(slot.name.data());
    slot.in_use = error == 0;
    if (error != EEXIST) return error;
  }
  return EEXIST;
}

int Temporary::flush() const {
  // Closing any of its descriptors asks the file system; the last one would take an unnamed file
  // with it.
  Descriptor copy(::fcntl(fd(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return copy ? copy.close() : errno;
}

bool Temporary::has_name() const { return slots.at(slot_).in_use; }

int Temporary::take_name() {
  if (has_name()) return 0;
  return make_named([&](const char* name) { return link_unnamed(fd(), directory_, name); });
}

int Temporary::rename_to(const std::string& name, bool replace) {
  Slot& slot = slots.at(slot_);
  // A link never replaces.
  if (!replace && !has_name()) return link_unnamed(fd(), directory_, name.c_str());
  if (const int error = take_name(); error != 0) return error;
  if (uninterrupted([&] {
        if (replace) return ::renameat(directory_, slot.name.data(), directory_, name.c_str());
        return ::renameat2(directory_, slot.name.data(), directory_, name.c_str(),
                           RENAME_NOREPLACE);
      }) == 0) {
    slot.in_use = false;
    return 0;
  }
  if (replace || (errno != EINVAL && errno != ENOSYS)) return errno;
  // A file system that knows no RENAME_NOREPLACE: a second name, which never replaces either; the
  // first one goes with this object.
  const int result = uninterrupted(
      [&] { return ::linkat(directory_, slot.name.data(), directory_, name.c_str(), 0); });
  return result == 0 ? 0 : errno;
}

std::string temporary_directory() {
  const char* variable = std::getenv("TMPDIR");
  return variable != nullptr && *variable != '\0' ? variable : "/tmp";
}

Descriptor open_unnamed_file() {
  const std::string directory = temporary_directory();
  Descriptor unnamed(uninterrupted(
      [&] { return ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }));
  if (unnamed) return unnamed;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) {
    throw system_error(directory, "cannot create a temporary file", errno);
  }
  // A file system without O_TMPFILE: a named file, whose name goes away at once.
  const Descriptor parent(
      uninterrupted([&] { return ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC); }));
  if (!parent) throw system_error(directory, "cannot open", errno);
  const Temporary named(parent.get(), 0600, directory);
  Descriptor file(::fcntl(named.fd(), F_DUPFD_CLOEXEC, 3));
  if (!file) throw system_error(directory, "cannot create a temporary file", errno);
  return file;
}

}  // namespace bn::io
