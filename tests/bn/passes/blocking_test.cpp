#include "bn/passes/blocking.hpp"

#include <string>
#include <vector>

#include "catch.hpp"
#include "support.hpp"

using bn::Tile;
using bn::Tiling;
using bn::View;

namespace {

constexpr View kViews[] = {{1, 1, 1},         {64, 64, 12544},  {200000, 256, 1},   {802816, 64, 1},
                           {32, 512, 49},     {8, 3, 1048576},  {1, 64, 1000000},   {64, 100000, 1},
                           {100000, 7, 1},    {4096, 1, 784},   {1000, 1000000, 1}, {3, 5, 17},
                           {1, 1, 100000000}, {100000000, 1, 1}};

// "" or what is wrong with the tiles: each element in exactly one, each a box as Tile demands.
std::string wrong(const Tiling& tiling) {
  std::vector<int> covered(tiling.view.size());
  for (std::size_t i = 0; i < tiling.count(); ++i) {
    const Tile tile = tiling.tile(i);
    if (tile.size() == 0) return "an empty tile";
    const bool whole_inner = tile.inner.count == tiling.view.inner;
    if (!whole_inner && tile.channel.count > 1) return "rows with gaps";
    for (std::size_t r = 0; r < tile.outer.count; ++r) {
      for (std::size_t k = 0; k < tile.row_size(); ++k) {
        const std::size_t position = tile.position(tiling.view, r) + k;
        if (position >= covered.size() || covered[position]++ != 0) return "not once each";
      }
    }
  }
  for (const int count : covered) {
    if (count != 1) return "not all";
  }
  return "";
}

}  // namespace

TEST_CASE("Contiguous tiles follow one another through all of memory") {
  for (const View& view : {View{6, 5, 40}, View{50, 40, 1}, View{1, 1, 700}, View{3, 2, 90}}) {
    for (const std::size_t elements : {1U, 4U, 50U, 750U, 250000U}) {
      INFO(support::text(view) << " " << elements);
      const Tiling tiling = Tiling::contiguous(view, elements);
      REQUIRE(wrong(tiling) == "");
      std::size_t next = 0;
      for (std::size_t i = 0; i < tiling.count(); ++i) {
        const Tile tile = tiling.tile(i);
        REQUIRE(tile.position(view, 0) == next);
        REQUIRE((tile.outer.count == 1 || tile.row_size() == view.channel * view.inner));
        next += tile.size();
        REQUIRE(tile.size() <= elements);
      }
    }
  }
}

TEST_CASE("No tiles cover an empty view") {
  for (const View& view : {View{0, 3, 4}, View{3, 0, 4}, View{3, 4, 0}}) {
    REQUIRE(Tiling::contiguous(view, 25).count() == 0);
    REQUIRE(bn::make_blocking(view, 4, 4, true, 3, bn::this_machine()).groups.count() == 0);
  }
}

TEST_CASE("Groups cover every element once") {
  for (const View& view : {View{6, 50, 400}, View{500, 40, 1}, View{1, 1, 70000}, View{7, 300, 9},
                           View{3, 10000, 1}}) {
    for (const bool copies : {false, true}) {
      for (const unsigned threads : {1U, 2U, 64U}) {
        for (const bn::Machine& machine : support::machines()) {
          const bn::Blocking blocking = bn::make_blocking(view, 8, 4, copies, threads, machine);
          INFO(support::text(view) << " " << support::text(machine));
          REQUIRE(wrong(blocking.groups) == "");
        }
      }
    }
  }
}

TEST_CASE("Buffers of all threads together stay within 40 MiB, whatever the shape and machine") {
  const auto check = [](const View& view, bool copies, std::size_t element_bytes, unsigned threads,
                        const bn::Machine& machine) {
    INFO(support::text(view) << " " << copies << " " << element_bytes << " " << threads << " "
                             << support::text(machine));
    const bn::Blocking blocking =
        bn::make_blocking(view, element_bytes, 8, copies, threads, machine);
    REQUIRE(blocking.threads >= 1);
    REQUIRE(blocking.threads <= (threads != 0 ? threads : machine.cores));
    const std::size_t limit = (std::size_t{40} << 20) / blocking.threads;
    REQUIRE(blocking.tile_elements * std::max<std::size_t>(element_bytes, 8) <= limit);
    if (blocking.resident) {
      const std::size_t results = copies ? 8 : 0;
      REQUIRE(blocking.groups.tile(0).size() * (element_bytes + results) <= limit);
      REQUIRE(blocking.groups.tile(0).outer.count == view.outer);
      REQUIRE(blocking.groups.tile(0).inner.count == view.inner);
    } else {
      REQUIRE(blocking.groups.channel_step <= 4096);
    }
  };
  for (const View& view : kViews) {
    for (const bool copies : {false, true}) {
      for (const std::size_t element_bytes : {1U, 2U, 4U, 8U, 16U}) {
        for (const unsigned threads : {0U, 1U, 2U, 3U, 8U, 64U, 1000U}) {
          for (const bn::Machine& machine : support::machines()) {
            check(view, copies, element_bytes, threads, machine);
          }
        }
      }
    }
  }
}

TEST_CASE("What is read from files is never cut into short pieces, whatever the machine") {
  constexpr std::size_t kMinRun = std::size_t{64} << 10;
  for (const View& view : kViews) {
    for (const std::size_t element_bytes : {2U, 4U, 8U, 16U}) {
      for (const bn::Machine& machine : support::machines()) {
        INFO(support::text(view) << " " << element_bytes << " " << support::text(machine));
        const bn::Blocking blocking = bn::make_blocking(view, element_bytes, 8, true, 2, machine);
        const std::size_t channels = blocking.groups.channel_step;
        const std::size_t run = channels * view.inner * element_bytes;
        // One thread takes whole rows, which follow one another; 4096 channels are enough for a
        // group.
        REQUIRE((!blocking.resident || run >= kMinRun ||
                 channels >= std::min<std::size_t>(view.channel, 4096)));
      }
    }
  }
}

TEST_CASE("Small arrays are worked on by one thread, large ones by all cores of the machine") {
  for (const bn::Machine& machine : support::machines()) {
    INFO(support::text(machine));
    REQUIRE(bn::make_blocking({128, 100, 1}, 4, 4, true, 8, machine).threads == 1);
    REQUIRE(bn::make_blocking({64, 64, 12544}, 4, 4, true, 8, machine).threads == 8);
    REQUIRE(bn::make_blocking({64, 64, 12544}, 4, 4, true, 0, machine).threads == machine.cores);
  }
}

TEST_CASE("Another thread is worth 512 KiB") {
  constexpr std::size_t kElements = std::size_t{128} << 10;  // 512 KiB of float32
  const auto threads = [](std::size_t elements, unsigned most) {
    return bn::make_blocking({elements, 1, 1}, 4, 4, true, most, bn::Machine{}).threads;
  };
  REQUIRE(threads(0, 8) == 1);
  REQUIRE(threads(2 * kElements - 1, 8) == 1);
  REQUIRE(threads(2 * kElements, 8) == 2);
  REQUIRE(threads(3 * kElements - 1, 8) == 2);
  REQUIRE(threads(3 * kElements, 8) == 3);
  REQUIRE(threads(3 * kElements, 2) == 2);
}

TEST_CASE("Tiles fit half of a core's cache, which counts as 256 KiB to 2 MiB of cache") {
  // One thread and a large array of bytes: nothing else makes them smaller.
  const auto tile = [](std::size_t core_cache, std::size_t element_bytes,
                       std::size_t result_bytes) {
    bn::Machine machine;
    machine.core_cache = core_cache;
    return bn::make_blocking({std::size_t{1} << 30, 1, 1}, element_bytes, result_bytes, true, 1,
                             machine)
        .tile_elements;
  };
  constexpr std::size_t kKiB = 1024;
  REQUIRE(tile(0, 1, 1) == 256 * kKiB);  // not reported: as 512 KiB
  REQUIRE(tile(1, 1, 1) == 128 * kKiB);
  REQUIRE(tile(256 * kKiB, 1, 1) == 128 * kKiB);
  REQUIRE(tile(258 * kKiB, 1, 1) == 129 * kKiB);
  REQUIRE(tile(2048 * kKiB, 1, 1) == 1024 * kKiB);
  REQUIRE(tile(2050 * kKiB, 1, 1) == 1024 * kKiB);
  REQUIRE(tile(65536 * kKiB, 1, 1) == 1024 * kKiB);
  // The wider of what is read and what is written counts.
  REQUIRE(tile(2048 * kKiB, 1, 8) == 128 * kKiB);
  REQUIRE(tile(2048 * kKiB, 16, 8) == 64 * kKiB);
}

TEST_CASE("Where results are wider than what they are made of, groups have room for them, too") {
  // Groups of 16 channels of 64 KiB: 1 MiB of float32, 2 MiB of float64 results.
  bn::Machine machine;
  machine.core_cache = std::size_t{2} << 20;
  const auto resident = [&](std::size_t result_bytes, bool copies) {
    return bn::make_blocking({16, 512, 1024}, 4, result_bytes, copies, 2, machine).resident;
  };
  REQUIRE(resident(0, true));
  REQUIRE(resident(4, true));
  REQUIRE_FALSE(resident(8, true));
  REQUIRE(resident(8, false));  // in memory they need no buffer
}

TEST_CASE("Channel groups stay resident in half of a core's cache, of 1 MiB at most") {
  // 512 channels of 64 KiB of x in float32: 16 values a row, so that one group is as long a piece
  // as a file wants.
  const View view{16, 512, 1024};
  const auto resident = [&](std::size_t core_cache) {
    bn::Machine machine;
    machine.core_cache = core_cache;
    return bn::make_blocking(view, 4, 4, true, 2, machine).resident;
  };
  // One group: 16 channels of 64 KiB are runs of 64 KiB, together 1 MiB.
  REQUIRE(resident(std::size_t{2} << 20));
  REQUIRE(resident(std::size_t{64} << 20));
  REQUIRE_FALSE(resident((std::size_t{2} << 20) - 1));
  REQUIRE_FALSE(resident(0));
}
