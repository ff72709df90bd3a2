#include "io/files/descriptor.hpp"

#include <poll.h>
#include <unistd.h>

#include "io/error.hpp"

namespace bn::io {

namespace {

// Waits until a descriptor that does not block is ready, so that nobody has to care whether its
// other users made it so.
void wait_for(int fd, short events) {
  pollfd request{.fd = fd, .events = events, .revents = 0};
  uninterrupted([&] { return ::poll(&request, 1, -1); });
}

// Calls `transfer(done)`, which returns the bytes moved beyond the first `done`, until `size` are
// or it returns 0.
template <class Transfer>
std::size_t transfer_fully(int fd, short events, std::size_t size, std::string_view file,
                           std::string_view action, Transfer transfer) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t moved = uninterrupted([&] { return transfer(done); });
    if (moved == 0) break;
    if (moved > 0) {
      done += static_cast<std::size_t>(moved);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      wait_for(fd, events);
    } else {
      throw system_error(file, action, errno);
    }
  }
  return done;
}

void require_all(std::size_t written, std::size_t size, std::string_view file) {
  if (written < size) throw system_error(file, "cannot write: nothing was taken");
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

Descriptor::~Descriptor() { static_cast<void>(close()); }

int Descriptor::close() {
  if (fd_ < 0) return 0;
  // Linux has released the descriptor whatever close() says, so it is never called again; EINTR
  // means that it only did not wait.
  const int result = ::close(std::exchange(fd_, -1));
  return result == 0 || errno == EINTR ? 0 : errno;
}

std::size_t read_fully(int fd, std::span<std::byte> bytes, std::string_view file) {
  return transfer_fully(fd, POLLIN, bytes.size(), file, "cannot read", [&](std::size_t done) {
    return ::read(fd, bytes.data() + done, bytes.size() - done);
  });
}

std::size_t pread_fully(int fd, std::span<std::byte> bytes, std::uint64_t offset,
                        std::string_view file) {
  return transfer_fully(fd, POLLIN, bytes.size(), file, "cannot read", [&](std::size_t done) {
    return ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
  });
}

void write_fully(int fd, std::span<const std::byte> bytes, std::string_view file) {
  const std::size_t written = transfer_fully(
      fd, POLLOUT, bytes.size(), file, "cannot write",
      [&](std::size_t done) { return ::write(fd, bytes.data() + done, bytes.size() - done); });
  require_all(written, bytes.size(), file);
}

void pwrite_fully(int fd, std::span<const std::byte> bytes, std::uint64_t offset,
                  std::string_view file) {
  const std::size_t written =
      transfer_fully(fd, POLLOUT, bytes.size(), file, "cannot write", [&](std::size_t done) {
        return ::pwrite(fd, bytes.data() + done, bytes.size() - done,
                        static_cast<off_t>(offset + done));
      });
  require_all(written, bytes.size(), file);
}

}  // namespace bn::io
