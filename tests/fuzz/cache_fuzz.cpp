// A cache that is accepted can be written and read again, equal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "io/documents/cache.hpp"
#include "io/error.hpp"

namespace {

using namespace bn::io;

void require_same(const Cache& a, const Cache& b) {
  const bool same = a.mode == b.mode && a.axis == b.axis && a.shape == b.shape &&
                    a.dtype == b.dtype && a.order == b.order && a.eps == b.eps &&
                    a.gamma == b.gamma && a.mean == b.mean && a.var == b.var && a.sums == b.sums &&
                    a.x_checksum == b.x_checksum;
  if (!same) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Cache cache;
  try {
    cache = parse_unsealed_cache(text, "c");
  } catch (const Error&) {
    return 0;  // refused, as most inputs should be
  }
  require_same(parse_cache(format_cache(cache), "c"), cache);
  try {
    require_same(parse_cache(text, "c"), cache);
  } catch (const Error&) {
    return 0;  // another checksum
  }
  return 0;
}
