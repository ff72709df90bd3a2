// A part that is accepted can be written and read again, equal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/documents/part.hpp"
#include "io/error.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bn::io;
  bn::Sums sums;
  try {
    sums = parse_part({reinterpret_cast<const char*>(data), size}, "p");
  } catch (const Error&) {
    return 0;  // refused, as most inputs should be
  }
  if (!(parse_part(format_part(sums), "p") == sums)) std::abort();
  return 0;
}
