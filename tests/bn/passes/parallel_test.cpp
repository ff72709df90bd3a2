#include "bn/passes/parallel.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <vector>

#include "catch.hpp"

TEST_CASE("Every item is worked on once, whatever the number of threads") {
  for (const unsigned threads : {1U, 2U, 3U, 8U, 64U}) {
    for (const std::size_t items : {0U, 1U, 2U, 7U, 1000U}) {
      std::vector<std::atomic<int>> calls(items);
      std::atomic<bool> in_range{true};
      bn::Team().for_each(threads, items, [&](unsigned thread, std::size_t item) {
        ++calls[item];
        if (thread >= threads) in_range = false;
      });
      for (const auto& count : calls) REQUIRE(count == 1);
      REQUIRE(in_range);
    }
  }
}

TEST_CASE("An exception of any thread is thrown on, and stops the handing out") {
  for (const unsigned threads : {1U, 3U, 8U}) {
    std::atomic<std::size_t> calls{0};
    REQUIRE_THROWS_AS(bn::Team().for_each(threads, 1000000,
                                          [&](unsigned, std::size_t item) {
                                            ++calls;
                                            if (item == 17) throw std::runtime_error("17");
                                          }),
                      std::runtime_error);
    REQUIRE(calls < 1000000);
  }
}

TEST_CASE(
    "One team works through loops of any size and number of threads, also after an exception") {
  bn::Team team;
  for (int repeat = 0; repeat < 200; ++repeat) {
    for (const unsigned threads : {2U, 1U, 5U, 3U}) {
      for (const std::size_t items : {1U, 4U, 100U}) {
        std::atomic<std::size_t> sum{0};
        std::atomic<bool> in_range{true};
        team.for_each(threads, items, [&](unsigned thread, std::size_t item) {
          sum += item;
          if (thread >= threads) in_range = false;
        });
        REQUIRE(sum == items * (items - 1) / 2);
        REQUIRE(in_range);
      }
    }
    REQUIRE_THROWS_AS(
        team.for_each(3, 10, [](unsigned, std::size_t) { throw std::runtime_error("always"); }),
        std::runtime_error);
  }
}

TEST_CASE("Work is done by fewer threads where no more can be started") {
  pthread_attr_t usual;
  pthread_attr_t huge;
  REQUIRE(pthread_getattr_default_np(&usual) == 0);
  REQUIRE(pthread_attr_init(&huge) == 0);
  REQUIRE(pthread_attr_setstacksize(&huge, std::size_t{1} << 50) == 0);  // beyond all memory
  REQUIRE(pthread_setattr_default_np(&huge) == 0);
  std::atomic<std::size_t> sum{0};
  std::atomic<unsigned> highest{0};
  bn::Team().for_each(8, 100, [&](unsigned thread, std::size_t item) {
    sum += item;
    highest = std::max<unsigned>(highest, thread);
  });
  REQUIRE(pthread_setattr_default_np(&usual) == 0);
  REQUIRE(highest == 0);
  REQUIRE(sum == 4950);
}
