// The same bits however the work is cut: threads, blocking, access, layout, order.
#include "bn/passes/passes.hpp"

#include <atomic>
#include <cmath>
#include <limits>
#include <string>

#include "bn/error.hpp"
#include "bn/passes/blocking.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;
using data::Access;
using data::Array;
using data::Kind;
using support::Layer;

namespace {

struct Results {
  Array y;
  Array dx;
  bn::ForwardResult forward;
  bn::BackwardResult backward;
};

struct How {
  unsigned threads = 1;
  Access source = Access::in_place;
  Access sink = Access::in_place;
  bn::Machine machine = bn::this_machine();
};

Results run(const View& view, const Array& x, const Array& dy, Dtype dtype, const How& how) {
  const Layer layer(view.channel);
  const bn::Execution execution{.threads = how.threads, .machine = how.machine};
  Results results{Array(dtype, x.size()), Array(dtype, x.size()), {}, {}};
  data::ArraySource x_source(x, how.source);
  data::ArraySource dy_source(dy, how.source);
  data::ArraySink y_sink(results.y, how.sink);
  data::ArraySink dx_sink(results.dx, how.sink);
  results.forward =
      bn::forward_train(view, x_source, layer.parameters(), y_sink, execution, bn::Checksum::of_x);
  results.backward = bn::backward_train(view, x_source, dy_source, nullptr, layer.gamma, layer.eps,
                                        &dx_sink, execution, bn::Checksum::of_x);
  return results;
}

// "" or what differs
std::string differs(const Results& a, const Results& b) {
  if (!(a.y == b.y)) return "y";
  if (!(a.dx == b.dx)) return "dx";
  if (!(a.forward.sums == b.forward.sums)) return "sums";
  if (!support::same_bits(a.forward.statistics.mean, b.forward.statistics.mean)) return "mean";
  if (!support::same_bits(a.forward.statistics.var, b.forward.statistics.var)) return "var";
  if (!support::same_bits(a.backward.dgamma, b.backward.dgamma)) return "dgamma";
  if (!support::same_bits(a.backward.dbeta, b.backward.dbeta)) return "dbeta";
  return "";
}

std::string checksums_differ(const Results& a, const Results& b) {
  const bool same = a.forward.x_checksum == b.forward.x_checksum &&
                    a.forward.x_checksum == a.backward.x_checksum &&
                    b.forward.x_checksum == b.backward.x_checksum;
  return same ? "" : "checksum";
}

// Large enough for several threads, groups and tiles; on a machine whose cores have caches of 2 MiB
// or more some are resident and some are read twice.
constexpr View kLarge[] = {{64, 100, 100}, {20000, 40, 1}, {2, 3, 130000},
                           {9000, 1, 80},  {150, 3000, 1}, {500, 90, 9}};

}  // namespace

TEST_CASE("The views of these tests are large enough for threads and both kinds of blocking") {
  bn::Machine machine;
  machine.core_cache = std::size_t{2} << 20;
  bool resident = false;
  bool read_twice = false;
  for (const View& view : kLarge) {
    const bn::Blocking blocking = bn::make_blocking(view, 4, 4, true, 3, machine);
    REQUIRE(blocking.threads > 1);
    (blocking.resident ? resident : read_twice) = true;
  }
  REQUIRE(resident);
  REQUIRE(read_twice);
}

TEST_CASE("Any number of threads and any machine gives the same bits") {
  for (const View& view : kLarge) {
    for (const Dtype dtype : {Dtype::float32, Dtype::float16}) {
      const Array x = data::make(dtype, view, Kind::mixed, 1);
      const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
      const Results want = run(view, x, dy, Dtype::float32, {});
      const auto check = [&](const How& how) {
        INFO(support::text(view) << " " << how.threads << " " << support::text(how.machine));
        const Results have = run(view, x, dy, Dtype::float32, how);
        REQUIRE(differs(have, want) == "");
        REQUIRE(checksums_differ(have, want) == "");
      };
      for (const unsigned threads : {2U, 3U, 8U, 64U}) check({.threads = threads});
      for (const bn::Machine& machine : support::machines()) {
        check(
            {.threads = 0, .source = Access::copying, .sink = Access::copying, .machine = machine});
      }
    }
  }
}

TEST_CASE("Every thread's overflows are counted") {
  for (const View& view : kLarge) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    Layer layer(view.channel);
    std::size_t overflows = 0;
    for (std::size_t c = 0; c < view.channel; c += 10) {
      layer.gamma[c] *= 1e300;
      overflows += view.m();
    }
    for (const unsigned threads : {1U, 2U, 8U}) {
      data::ArraySource source(x);
      Array y(Dtype::float32, x.size());
      data::ArraySink sink(y);
      const bn::ForwardResult result =
          bn::forward_train(view, source, layer.parameters(), sink, {.threads = threads});
      INFO(support::text(view) << " " << threads);
      REQUIRE(result.counts.overflows == overflows);
    }
  }
}

TEST_CASE("Memory, files and streams of results give the same bits") {
  for (const View& view : {View{64, 100, 100}, View{2, 3, 130000}, View{5, 7, 3}}) {
    const Array x = data::make(Dtype::float64, view, Kind::normal, 1);
    const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
    const Results want = run(view, x, dy, Dtype::float32, {});
    for (const unsigned threads : {1U, 3U}) {
      for (const Access source : {Access::in_place, Access::copying}) {
        for (const Access sink : {Access::in_place, Access::copying}) {
          const Results have = run(view, x, dy, Dtype::float32, {threads, source, sink});
          REQUIRE(differs(have, want) == "");
          REQUIRE(checksums_differ(have, want) == "");
        }
      }
      const Layer layer(view.channel);
      Array y(Dtype::float32, x.size());
      data::ArraySource source(x, Access::copying);
      data::ArraySink stream(y, Access::sequential);
      (void)bn::forward_train(view, source, layer.parameters(), stream, {.threads = threads});
      REQUIRE(y == want.y);
    }
  }
}

TEST_CASE("A stream is summed by one thread, in its order") {
  for (const View& view : kLarge) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    data::ArraySource memory(x);
    const bn::Sums want = bn::sums(view, memory);
    for (const unsigned threads : {1U, 3U, 8U}) {
      data::ArraySource stream(x, Access::sequential);
      REQUIRE(bn::sums(view, stream, {.threads = threads}) == want);
    }
  }
}

TEST_CASE("In test mode streams in and out give the bits of memory") {
  for (const View& view : kLarge) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    const Layer layer(view.channel);
    Array want(Dtype::float32, x.size());
    const auto test = [&](Array& y, Access from, Access to, unsigned threads) {
      data::ArraySource source(x, from);
      data::ArraySink sink(y, to);
      return bn::forward_test(view, source, layer.running_mean, layer.running_var,
                              layer.parameters(), sink, {.threads = threads}, bn::Checksum::of_x)
          .x_checksum;
    };
    const std::uint64_t checksum = test(want, Access::in_place, Access::in_place, 1);
    for (const unsigned threads : {1U, 3U}) {
      for (const Access from : {Access::in_place, Access::copying, Access::sequential}) {
        for (const Access to : {Access::in_place, Access::copying, Access::sequential}) {
          Array y(Dtype::float32, x.size());
          REQUIRE(test(y, from, to, threads) == checksum);
          REQUIRE(y == want);
        }
      }
    }
  }
}

TEST_CASE("The layout of the same values does not change a bit") {
  for (const View& view : {View{64, 30, 100}, View{40, 5, 7}, View{3, 4, 1025}, View{30, 60, 1}}) {
    for (const Dtype dtype : data::kDtypes) {
      const Kind kind = bn::is_floating(dtype) ? Kind::mixed : Kind::whole_range;
      const Array x = data::make(dtype, view, kind, 1);
      const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
      const Results want = run(view, x, dy, Dtype::float64, {});
      for (const auto move : {data::channels_last, data::reversed}) {
        INFO(bn::name(dtype) << " " << support::text(view));
        const data::Moved moved = move(view, x);
        Results have = run(moved.view, moved.array, move(view, dy).array, Dtype::float64, {2});
        Array y(Dtype::float64, x.size());
        Array dx(Dtype::float64, x.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
          y.set(moved.from[i], have.y.get(i));
          dx.set(moved.from[i], have.dx.get(i));
        }
        have.y = y;
        have.dx = dx;
        REQUIRE(differs(have, want) == "");
      }
    }
  }
}

TEST_CASE("A permuted batch has the same statistics and its own results permuted") {
  for (const View& view : {View{64, 10, 100}, View{3000, 20, 1}}) {
    for (const Dtype dtype : data::kFloating) {
      const Array x = data::make(dtype, view, Kind::mixed, 1);
      const Array dy = data::make(dtype, view, Kind::normal, 2);
      const Results want = run(view, x, dy, Dtype::float64, {});
      std::vector<std::size_t> order(view.outer);
      for (std::size_t o = 0; o < order.size(); ++o) order[o] = o;
      data::Random random(3);
      for (std::size_t o = order.size(); o > 1; --o)
        std::swap(order[o - 1], order[random.below(o)]);
      const std::size_t row = view.channel * view.inner;
      const auto permuted = [&](const Array& array) {
        Array result(array.dtype(), array.size());
        const std::size_t item = bn::item_size(array.dtype());
        for (std::size_t o = 0; o < order.size(); ++o) {
          std::copy_n(array.at(order[o] * row), row * item, result.at(o * row));
        }
        return result;
      };
      Results have = run(view, permuted(x), permuted(dy), Dtype::float64, {3});
      REQUIRE(have.y == permuted(want.y));
      REQUIRE(have.dx == permuted(want.dx));
      have.y = want.y;
      have.dx = want.dx;
      REQUIRE(differs(have, want) == "");
    }
  }
}

TEST_CASE("Results may take the place of x or of dy") {
  for (const View& view : {View{64, 100, 100}, View{2, 3, 130000}, View{20, 30, 1}}) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
    const Results want = run(view, x, dy, Dtype::float32, {});
    const Layer layer(view.channel);
    for (const unsigned threads : {1U, 3U}) {
      const bn::Execution execution{.threads = threads};
      Array y = x;
      data::ArraySource y_source(y);
      data::ArraySink y_sink(y);
      REQUIRE(bn::forward_train(view, y_source, layer.parameters(), y_sink, execution,
                                bn::Checksum::of_x)
                  .x_checksum == want.forward.x_checksum);
      REQUIRE(y == want.y);
      for (const bool over_x : {false, true}) {
        Array x_copy = x;
        Array dy_copy = dy;
        data::ArraySource x_source(x_copy);
        data::ArraySource dy_source(dy_copy);
        data::ArraySink dx_sink(over_x ? x_copy : dy_copy);
        (void)bn::backward_train(view, x_source, dy_source, nullptr, layer.gamma, layer.eps,
                                 &dx_sink, execution);
        REQUIRE((over_x ? x_copy : dy_copy) == want.dx);
      }
    }
  }
}

TEST_CASE("The first value that is not finite is named, of x before dy, whatever the threads") {
  for (const View& view : {View{64, 100, 100}, View{20000, 40, 1}, View{2, 3, 130000},
                           View{3, 4, 5}, View{40, 30, 1}}) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
    data::Random random(5);
    for (int repeat = 0; repeat < 6; ++repeat) {
      Array bad_x = x;
      Array bad_dy = dy;
      std::size_t first = view.size();
      const bool in_x = repeat % 2 == 0;
      for (int i = 0; i < 4; ++i) {
        const std::size_t position = random.below(view.size());
        const bool nan = random.below(2) == 0;
        (in_x ? bad_x : bad_dy)
            .set(position, nan ? std::nan("") : -std::numeric_limits<double>::infinity());
        first = std::min(first, position);
      }
      if (in_x) bad_dy.set(0, std::nan(""));  // earlier, but of dy
      for (const unsigned threads : {1U, 2U, 3U, 8U, 64U}) {
        for (const Access access : {Access::in_place, Access::copying}) {
          INFO(support::text(view) << " " << threads << " " << first);
          try {
            (void)run(view, in_x ? bad_x : x, bad_dy, Dtype::float32, {threads, access, access});
            FAIL("no error");
          } catch (const bn::NonFiniteError& error) {
            REQUIRE(error.operand == (in_x ? bn::Operand::x : bn::Operand::dy));
            REQUIRE(error.position == first);
            const double value = (in_x ? bad_x : bad_dy).get(first);
            REQUIRE(std::isnan(error.value) == std::isnan(value));
          }
        }
      }
    }
  }
}

TEST_CASE("In the gradients, too, x is looked at before dy and the first position named") {
  const View view{300, 40, 60};
  const Array x = data::make(Dtype::float64, view, Kind::normal, 1);
  Array bad_x = x;
  Array bad_dy = data::make(Dtype::float32, view, Kind::normal, 2);
  bad_x.set(500000, std::nan(""));
  bad_x.set(600000, std::nan(""));
  bad_dy.set(3, std::nan(""));
  bad_dy.set(2, std::nan(""));
  const Layer layer(view.channel);
  data::ArraySource x_source(x);
  data::ArraySource bad_x_source(bad_x);
  data::ArraySource bad_dy_source(bad_dy);
  const bn::Sums batch = bn::sums(view, x_source);
  for (const unsigned threads : {1U, 2U, 8U}) {
    for (const bn::Sums* sums : {static_cast<const bn::Sums*>(nullptr), &batch}) {
      for (const bool in_x : {true, false}) {
        try {
          (void)bn::backward_train(view, in_x ? bad_x_source : x_source, bad_dy_source, sums,
                                   layer.gamma, layer.eps, nullptr, {.threads = threads});
          FAIL("no error");
        } catch (const bn::NonFiniteError& error) {
          REQUIRE(error.operand == (in_x ? bn::Operand::x : bn::Operand::dy));
          REQUIRE(error.position == (in_x ? 500000 : 2));
        }
      }
    }
  }
}

namespace {

// Results for which there has to be room before they are placed; made once.
class ReservedSink : public data::ArraySink {
 public:
  explicit ReservedSink(Array& array, Access access) : data::ArraySink(array, access) {}
  void reserve() override { ++reserved; }
  [[nodiscard]] bn::MutableRows place(const View& view, const bn::Tile& tile,
                                      std::byte* scratch) override {
    if (reserved != 1) placed_too_soon = true;
    return data::ArraySink::place(view, tile, scratch);
  }

  std::atomic<int> reserved{0};
  std::atomic<bool> placed_too_soon{false};
};

}  // namespace

TEST_CASE("Room for the results is made once, before any of them is placed") {
  for (const View& view : {View{64, 100, 100}, View{2, 3, 130000}, View{150, 3000, 1}}) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    const Layer layer(view.channel);
    for (const unsigned threads : {1U, 3U}) {
      for (const Access access : {Access::in_place, Access::copying, Access::sequential}) {
        for (const bool training : {true, false}) {
          INFO(support::text(view) << " " << threads << " " << training);
          Array y(Dtype::float32, x.size());
          data::ArraySource source(x, Access::copying);
          ReservedSink sink(y, access);
          if (training) {
            (void)bn::forward_train(view, source, layer.parameters(), sink, {.threads = threads});
          } else {
            (void)bn::forward_test(view, source, layer.running_mean, layer.running_var,
                                   layer.parameters(), sink, {.threads = threads});
          }
          REQUIRE(sink.reserved == 1);
          REQUIRE_FALSE(sink.placed_too_soon);
        }
      }
    }
  }
}

TEST_CASE("Progress ends at its total, which is every byte that is read") {
  for (const View& view : {View{64, 100, 100}, View{2, 3, 130000}}) {
    const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
    Array y(Dtype::float32, x.size());
    const Layer layer(view.channel);
    for (const unsigned threads : {1U, 3U}) {
      std::atomic<std::size_t> most{0};
      std::atomic<std::size_t> in_all{0};
      data::ArraySource source(x, Access::copying);
      data::ArraySink sink(y, Access::copying);
      const bn::Execution execution{.threads = threads,
                                    .progress = [&](std::size_t done, std::size_t total) {
                                      std::size_t seen = most;
                                      while (seen < done && !most.compare_exchange_weak(seen, done))
                                        ;
                                      in_all = total;
                                    }};
      (void)bn::forward_train(view, source, layer.parameters(), sink, execution);
      REQUIRE(most == in_all);
      REQUIRE((most == view.size() * 4 || most == view.size() * 8));
    }
  }
}
