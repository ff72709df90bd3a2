// A header that is accepted can be written and read again, equal, and its sizes add up.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "io/arrays/npy.hpp"
#include "io/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bn::io;
  const std::span<const std::byte> bytes = std::as_bytes(std::span(data, size));
  try {
    const std::size_t offset = npy_data_offset("x", bytes.first(std::min(size, kNpyPrefixSize)));
    const ArrayHeader header = parse_npy_header("x", bytes);
    if (offset > size || !is_addressable(header.shape, header.dtype)) std::abort();
    const std::string written = format_npy_header(header);
    const std::span<const std::byte> again = std::as_bytes(std::span(written));
    if (written.size() % 64 != 0) std::abort();
    if (npy_data_offset("x", again.first(kNpyPrefixSize)) != written.size()) std::abort();
    if (!(parse_npy_header("x", again) == header)) std::abort();
  } catch (const Error&) {
    return 0;  // refused, as most inputs should be
  }
  return 0;
}
