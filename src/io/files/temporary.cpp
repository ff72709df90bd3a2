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
#include <string_view>

#include "io/error.hpp"

namespace bn::io {

namespace {

constexpr std::size_t kSlotCount = 16;
constexpr std::array kEndingSignals = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

// What the signal handler knows of one temporary file. Only `in_use` says whether the rest counts.
struct Slot {
  std::atomic<bool> taken = false;   // belongs to a Temporary
  std::atomic<bool> in_use = false;  // the file may exist
  int directory = -1;
  std::array<char, 24> name{};
};

std::array<Slot, kSlotCount> slots;

// The handler may run on one thread while another creates a file. Either the creator sees `ending`
// and does not create, or the handler sees `creating` and waits for the file to be there; both are
// sequentially consistent. The creator's own thread never waits for itself, because it blocks the
// signals meanwhile.
std::atomic<bool> ending = false;
std::atomic<int> creating = 0;

extern "C" void remove_temporaries_and_die(int signal_number) {
  ending = true;
  while (creating != 0) {
  }
  for (Slot& slot : slots) {
    if (slot.in_use) ::unlinkat(slot.directory, slot.name.data(), 0);
  }
  // SA_RESETHAND and SA_NODEFER: the signal now has its default action and is not blocked.
  ::raise(signal_number);
}

// Between construction and destruction the handler waits; never returns once it has run.
class CreatingFile {
 public:
  CreatingFile() {
    sigset_t blocked;
    sigemptyset(&blocked);
    for (const int signal_number : kEndingSignals) sigaddset(&blocked, signal_number);
    ::pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    ++creating;
    if (ending) {
      --creating;
      for (;;) ::pause();
    }
  }
  CreatingFile(const CreatingFile&) = delete;
  CreatingFile& operator=(const CreatingFile&) = delete;
  ~CreatingFile() {
    --creating;
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t before_{};
};

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
  for (const int signal_number : kEndingSignals) {
    struct sigaction before {};
    ::sigaction(signal_number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;
    struct sigaction action {};
    action.sa_handler = remove_temporaries_and_die;
    action.sa_flags = static_cast<int>(SA_RESETHAND) | SA_NODEFER;
    ::sigaction(signal_number, &action, nullptr);
  }
}

Temporary::Temporary(int directory, mode_t mode, const std::string& file)
    : directory_(directory), slot_(take_slot()) {
  Slot& slot = slots.at(slot_);
  try {
    // A name that is taken was planted or is one in 2^65; a few more attempts settle both.
    for (int attempt = 0; attempt < 100; ++attempt) {
      slot.directory = directory;
      slot.name = random_name();
      const CreatingFile critical;
      file_ = Descriptor(uninterrupted([&] {
        return ::openat(directory, slot.name.data(),
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      }));
      if (file_) {
        slot.in_use = true;
        return;
      }
      if (errno != EEXIST) break;
    }
    throw system_error(file, "cannot create a temporary file beside it", errno);
  } catch (...) {
    slot.taken = false;
    throw;
  }
}

Temporary::~Temporary() {
  if (slots.at(slot_).in_use) ::unlinkat(directory_, slots.at(slot_).name.data(), 0);
  forget();
}

void Temporary::forget() {
  slots.at(slot_).in_use = false;
  slots.at(slot_).taken = false;
}

int Temporary::rename_to(const std::string& name, bool replace) {
  Slot& slot = slots.at(slot_);
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
