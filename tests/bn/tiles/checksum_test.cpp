#include "bn/tiles/checksum.hpp"

#include "bn/passes/blocking.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::View;
using data::Array;

namespace {

std::uint64_t checksum(const View& view, const Array& x, const bn::Tile& tile) {
  const std::size_t item = bn::item_size(x.dtype());
  return bn::checksum(view, tile, x.dtype(),
                      {x.at(tile.position(view, 0)), view.channel * view.inner * item});
}

std::uint64_t checksum(const View& view, const Array& x) {
  return checksum(view, x, support::whole(view));
}

}  // namespace

TEST_CASE("Any tiles in any order have the checksum of the whole") {
  data::Random random(1);
  for (const bn::Dtype dtype : data::kDtypes) {
    for (const View& view : {View{6, 5, 40}, View{50, 40, 1}, View{1, 1, 700}}) {
      const Array x = data::make(dtype, view, data::Kind::whole_range, 1);
      for (const std::size_t elements : {2U, 50U, 750U}) {
        const auto tiling = bn::Tiling::contiguous(view, elements);
        std::uint64_t total = 0;
        const std::size_t first = random.below(tiling.count());
        for (std::size_t i = 0; i < tiling.count(); ++i) {
          total += checksum(view, x, tiling.tile((first + i) % tiling.count()));
        }
        REQUIRE(total == checksum(view, x));
      }
    }
  }
}

TEST_CASE("Exchanging any two different values, or changing one, changes the checksum") {
  data::Random random(2);
  for (const bn::Dtype dtype : data::kDtypes) {
    const View view{10, 3, 20};
    Array x = data::make(dtype, view, data::Kind::whole_range, 1);
    const std::size_t item = bn::item_size(dtype);
    const std::uint64_t before = checksum(view, x);
    for (int repeat = 0; repeat < 2000; ++repeat) {
      std::byte* a = x.at(random.below(x.size()));
      std::byte* b = x.at(random.below(x.size()));
      const bool different = !std::equal(a, a + item, b);
      std::swap_ranges(a, a + (a == b ? 0 : item), b);
      REQUIRE((checksum(view, x) != before) == different);
      std::swap_ranges(a, a + (a == b ? 0 : item), b);

      std::byte& changed = a[random.below(item)];
      changed ^= std::byte{1} << static_cast<int>(random.below(8));
      const std::uint64_t after = checksum(view, x);
      REQUIRE(after != before);
      x = data::make(dtype, view, data::Kind::whole_range, 1);
    }
  }
}
