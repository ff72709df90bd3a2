// Memory that is used again and again.
#pragma once

#include <cstddef>
#include <memory>

namespace bn {

class Buffer {
 public:
  /// At least so many bytes, aligned for every dtype. What was in it is lost if it has to grow.
  std::byte* get(std::size_t bytes) {
    if (size_ < bytes) {
      bytes_ = std::make_unique_for_overwrite<std::byte[]>(bytes);
      size_ = bytes;
    }
    return bytes_.get();
  }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
};

}  // namespace bn
