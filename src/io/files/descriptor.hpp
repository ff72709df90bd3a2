// File descriptors: owned, and read and written to the last byte.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace bn::io {

/// Owns one descriptor, or none (-1).
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  /// Closes it; returns 0 or the error number, which a writer must not ignore.
  [[nodiscard]] int close();

 private:
  int fd_ = -1;
};

/// Calls `call` (which returns -1 and sets errno as system calls do) until no signal interrupts it.
template <class Call>
auto uninterrupted(Call call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

/// Reads until `bytes` is full or the file ends; waits where the descriptor does not block. Returns
/// the number of bytes read; throws Error (system), `file` naming the file.
std::size_t read_fully(int fd, std::span<std::byte> bytes, std::string_view file);
std::size_t pread_fully(int fd, std::span<std::byte> bytes, std::uint64_t offset,
                        std::string_view file);

/// Writes all of it, or throws Error (system).
void write_fully(int fd, std::span<const std::byte> bytes, std::string_view file);
void pwrite_fully(int fd, std::span<const std::byte> bytes, std::uint64_t offset,
                  std::string_view file);

}  // namespace bn::io
