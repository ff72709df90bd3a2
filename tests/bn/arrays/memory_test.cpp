// xtensor arrays, through bn.hpp as users call it.
#include "bn/arrays/memory.hpp"

#include <vector>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>

#include "bn/bn.hpp"
#include "bn/error.hpp"
#include "catch.hpp"
#include "support.hpp"

using support::Layer;

namespace {

using Sum = decltype(std::declval<xt::xarray<float>&>() + std::declval<xt::xarray<float>&>());

static_assert(bn::HasMemory<xt::xarray<float>>);
static_assert(bn::HasMemory<const xt::xarray<double>>);
static_assert(bn::HasMemory<xt::xtensor<std::int8_t, 2>>);
static_assert(bn::HasMemory<decltype(xt::view(std::declval<xt::xarray<float>&>(), xt::all()))>);
static_assert(!bn::HasMemory<Sum>, "lazy expressions have no memory to work on");
static_assert(!bn::HasMemory<const Sum>);
static_assert(!bn::HasMemory<std::vector<float>>);

template <class T>
xt::xarray<T> noise(const std::vector<std::size_t>& shape, std::uint64_t seed) {
  xt::xarray<T> result = xt::xarray<T>::from_shape(shape);
  data::Random random(seed);
  for (T& value : result.storage()) value = static_cast<T>(3 + 2 * random.normal());
  return result;
}

const std::vector<std::size_t> kShape{4, 3, 5, 6};

// Element (n, h, w, c) of the first is element (n, c, h, w) of the second, to the bit.
bool same_moved(const xt::xarray<float>& nhwc, const xt::xarray<float>& nchw) {
  for (std::size_t n = 0; n < 4; ++n)
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t h = 0; h < 5; ++h)
        for (std::size_t w = 0; w < 6; ++w)
          if (nhwc(n, h, w, c) != nchw(n, c, h, w)) return false;
  return true;
}

struct Both {
  xt::xarray<float> y, dx;
  std::vector<double> dgamma;
};

template <class X, class Dy, class Out>
Both run(const X& x, const Dy& dy, std::ptrdiff_t axis, const Layer& layer, Out& y, Out& dx) {
  const auto forward = bn::forward(x, axis, {layer.gamma, layer.beta, layer.eps}, y);
  const auto backward = bn::backward(x, dy, axis, &forward.sums, layer.gamma, layer.eps, dx);
  return {xt::xarray<float>(y), xt::xarray<float>(dx), backward.dgamma};
}

Both reference() {
  const auto x = noise<float>(kShape, 1);
  const auto dy = noise<float>(kShape, 2);
  xt::xarray<float> y = xt::empty_like(x);
  xt::xarray<float> dx = xt::empty_like(x);
  return run(x, dy, 1, Layer(3), y, dx);
}

}  // namespace

TEST_CASE("An xtensor of fixed rank, adapted memory and a column-major array give the same bits") {
  const Both want = reference();
  const Layer layer(3);
  const auto x = noise<float>(kShape, 1);
  const auto dy = noise<float>(kShape, 2);

  const xt::xtensor<float, 4> x_tensor = x;
  const xt::xtensor<float, 4> dy_tensor = dy;
  xt::xtensor<float, 4> y_tensor = xt::empty_like(x_tensor);
  xt::xtensor<float, 4> dx_tensor = xt::empty_like(x_tensor);
  const Both of_tensor = run(x_tensor, dy_tensor, 1, layer, y_tensor, dx_tensor);
  REQUIRE((of_tensor.y == want.y));
  REQUIRE((of_tensor.dx == want.dx));

  std::vector<float> y_memory(x.size());
  std::vector<float> dx_memory(x.size());
  const auto x_adapted = xt::adapt(x.data(), x.size(), xt::no_ownership(), kShape);
  auto y_adapted = xt::adapt(y_memory.data(), x.size(), xt::no_ownership(), kShape);
  auto dx_adapted = xt::adapt(dx_memory.data(), x.size(), xt::no_ownership(), kShape);
  const Both adapted = run(x_adapted, dy, 1, layer, y_adapted, dx_adapted);
  REQUIRE((adapted.y == want.y));
  REQUIRE((adapted.dx == want.dx));
  REQUIRE((adapted.dgamma == want.dgamma));

  const xt::xarray<float, xt::layout_type::column_major> x_fortran = x;
  const xt::xarray<float, xt::layout_type::column_major> dy_fortran = dy;
  xt::xarray<float, xt::layout_type::column_major> y_fortran = xt::empty_like(x_fortran);
  xt::xarray<float, xt::layout_type::column_major> dx_fortran = xt::empty_like(x_fortran);
  const Both fortran = run(x_fortran, dy_fortran, 1, layer, y_fortran, dx_fortran);
  REQUIRE((fortran.y == want.y));
  REQUIRE((fortran.dx == want.dx));
  REQUIRE((fortran.dgamma == want.dgamma));

  // One of them in another order than the rest.
  xt::xarray<float> y_c = xt::empty_like(x);
  const auto forward = bn::forward(x_fortran, 1, {layer.gamma, layer.beta, layer.eps}, y_c);
  REQUIRE((y_c == want.y));
  REQUIRE(forward.counts.overflows == 0);
}

TEST_CASE("Moving the axis gives the same bits") {
  const Both want = reference();
  const Layer layer(3);
  const xt::xarray<float> x = xt::transpose(noise<float>(kShape, 1), {0, 2, 3, 1});
  const xt::xarray<float> dy = xt::transpose(noise<float>(kShape, 2), {0, 2, 3, 1});
  xt::xarray<float> y = xt::empty_like(x);
  xt::xarray<float> dx = xt::empty_like(x);
  for (const std::ptrdiff_t axis : {3, -1}) {
    const Both moved = run(x, dy, axis, layer, y, dx);
    REQUIRE(same_moved(moved.y, want.y));
    REQUIRE(same_moved(moved.dx, want.dx));
    REQUIRE((moved.dgamma == want.dgamma));
  }
  // A transposed view of the first layout, its memory where it is.
  xt::xarray<float> x_nchw = noise<float>(kShape, 1);
  xt::xarray<float> y_nchw = xt::empty_like(x_nchw);
  auto x_view = xt::transpose(x_nchw, {0, 2, 3, 1});
  auto y_view = xt::transpose(y_nchw, {0, 2, 3, 1});
  (void)bn::forward(x_view, -1, {layer.gamma, layer.beta, layer.eps}, y_view);
  REQUIRE((y_nchw == want.y));
}

TEST_CASE("Strided and reversed views are read and written where they are, nothing beside them") {
  const Both want = reference();
  const Layer layer(3);
  const auto values = noise<float>(kShape, 1);
  xt::xarray<float> room = xt::ones<float>({8, 4, 5, 12}) * -77.0F;
  auto x = xt::view(room, xt::range(0, 8, 2), xt::range(1, 4), xt::all(), xt::range(11, -13, -2));
  x = values;
  xt::xarray<float> y_room = xt::ones<float>({8, 4, 5, 12}) * -77.0F;
  auto y = xt::view(y_room, xt::range(7, -9, -2), xt::range(0, 3), xt::all(), xt::range(1, 12, 2));
  const xt::xarray<float> room_before = room;
  (void)bn::forward(x, 1, {layer.gamma, layer.beta, layer.eps}, y);
  REQUIRE((room == room_before));
  REQUIRE((xt::xarray<float>(y) == want.y));
  std::size_t untouched = 0;
  for (const float value : y_room.storage()) untouched += value == -77.0F ? 1 : 0;
  REQUIRE(untouched == y_room.size() - y.size());
}

TEST_CASE("Y may be x itself, also as a view") {
  const Both want = reference();
  const Layer layer(3);
  auto x = noise<float>(kShape, 1);
  (void)bn::forward(x, 1, {layer.gamma, layer.beta, layer.eps}, x);
  REQUIRE((x == want.y));

  xt::xarray<float> room = xt::zeros<float>({4, 6, 5, 6});
  auto every_second = xt::view(room, xt::all(), xt::range(0, 6, 2));
  every_second = noise<float>(kShape, 1);
  (void)bn::forward(every_second, 1, {layer.gamma, layer.beta, layer.eps}, every_second);
  REQUIRE((xt::xarray<float>(every_second) == want.y));
}

TEST_CASE("Overflows are counted also where y takes the place of x, and dx that of x or dy") {
  const Layer layer(3);
  auto x = noise<float>(kShape, 1);
  auto dy = noise<float>(kShape, 2);
  const std::vector<double> gamma(3, 2e38);
  xt::xarray<float> y = xt::empty_like(x);
  const auto forward = bn::forward(x, 1, {gamma, layer.beta, layer.eps}, y);
  REQUIRE(forward.counts.overflows > 0);
  xt::xarray<float> in_place = x;
  REQUIRE(bn::forward(in_place, 1, {gamma, layer.beta, layer.eps}, in_place).counts.overflows ==
          forward.counts.overflows);

  dy = dy * 10;
  const auto differentiate = [&](xt::xarray<float>& of_x, xt::xarray<float>& of_dy, auto& dx) {
    return bn::backward(of_x, of_dy, 1, &forward.sums, gamma, layer.eps, dx).counts.overflows;
  };
  xt::xarray<float> dx = xt::empty_like(x);
  const std::size_t overflows = differentiate(x, dy, dx);
  REQUIRE(overflows > 0);
  in_place = dy;
  REQUIRE(differentiate(x, in_place, in_place) == overflows);
  REQUIRE(differentiate(x, dy, x) == overflows);
}

TEST_CASE("Results too many for the caches are those that fit them") {
  // Rows that begin anywhere in a vector.
  const std::vector<std::size_t> shape{1001, 3, 333};
  bn::Execution small_caches;
  small_caches.machine.last_cache = std::size_t{1} << 20;
  bn::Execution large_caches;
  large_caches.machine.last_cache = std::size_t{64} << 20;
  const Layer layer(3);
  const bn::RunningStatistics running{layer.running_mean, layer.running_var, 0};
  const xt::xarray<float> x = noise<float>(shape, 1);
  xt::xarray<float> y = xt::empty<float>(shape);
  (void)bn::forward(x, 1, running, layer.parameters(), y, large_caches);
  xt::xarray<float> y_past_caches = xt::empty<float>(shape);
  (void)bn::forward(x, 1, running, layer.parameters(), y_past_caches, small_caches);
  REQUIRE((y_past_caches == y));
}

TEST_CASE("Only what is aligned and too large for the caches is written past them") {
  std::vector<std::byte> room(64);
  bn::Machine machine;
  machine.last_cache = std::size_t{16} << 20;
  const auto non_temporal = [&](std::size_t rows, std::size_t offset) {
    const bn::Strided memory{room.data() + offset, bn::Dtype::float32, {rows, 1000}, {1000, 1}};
    const bn::View view{rows, 1000, 1};
    return bn::StridedArray(memory, bn::Order::c, machine)
        .place(view, {{0, 1}, {0, 1}, {0, 1}}, nullptr)
        .non_temporal;
  };
  constexpr std::size_t kFit = (std::size_t{32} << 20) / 4000;  // rows in two last caches
  REQUIRE(non_temporal(kFit + 1, 0));
  REQUIRE(non_temporal(kFit + 1, 4));
  REQUIRE_FALSE(non_temporal(kFit + 1, 2));
  REQUIRE_FALSE(non_temporal(kFit, 0));
  machine.last_cache = 1000 * 1000 * 4 / 2;  // half of 1000 rows
  REQUIRE_FALSE(non_temporal(1000, 0));
  --machine.last_cache;
  REQUIRE(non_temporal(1000, 0));
}

TEST_CASE("Arrays of different dtypes go together") {
  const Layer layer(3);
  const xt::xarray<std::int16_t> x = noise<std::int16_t>(kShape, 1);
  const xt::xarray<double> dy = noise<double>(kShape, 2);
  xt::xarray<double> y = xt::empty<double>(kShape);
  xt::xarray<float> dx = xt::empty<float>(kShape);
  const auto forward = bn::forward(x, 1, {layer.gamma, layer.beta, layer.eps}, y);
  (void)bn::backward(x, dy, 1, &forward.sums, layer.gamma, layer.eps, dx);
  xt::xarray<double> y_of_double = xt::empty<double>(kShape);
  (void)bn::forward(xt::xarray<double>(x), 1, {layer.gamma, layer.beta, layer.eps}, y_of_double);
  REQUIRE((y == y_of_double));
}

TEST_CASE("Arrays of different shapes, a rank below 2 and a wrong axis are refused") {
  const Layer layer(3);
  const bn::Parameters parameters = layer.parameters();
  const auto x = noise<float>(kShape, 1);
  xt::xarray<float> y = xt::empty<float>({4, 3, 6, 5});
  REQUIRE_THROWS_AS(bn::forward(x, 1, parameters, y), std::invalid_argument);
  y = xt::empty<float>({4, 3, 30});
  REQUIRE_THROWS_AS(bn::forward(x, 1, parameters, y), std::invalid_argument);
  y = xt::empty<float>(kShape);
  REQUIRE_THROWS_AS(bn::forward(x, 4, parameters, y), std::invalid_argument);
  REQUIRE_THROWS_AS(bn::forward(x, -5, parameters, y), std::invalid_argument);
  REQUIRE_THROWS_AS(bn::forward(x, 0, parameters, y), std::invalid_argument);  // 4 channels
  REQUIRE_NOTHROW(bn::forward(x, -3, parameters, y));
  const xt::xarray<float> flat = xt::ones<float>({6});
  xt::xarray<float> flat_y = xt::empty<float>({6});
  REQUIRE_THROWS_AS(bn::forward(flat, 0, parameters, flat_y), std::invalid_argument);
  const bn::RunningStatistics running{layer.running_mean, layer.running_var, 0};
  xt::xarray<float> dx = xt::empty<float>({4, 3});
  REQUIRE_THROWS_AS(bn::backward(x, x, 1, running, layer.gamma, layer.eps, dx),
                    std::invalid_argument);
  xt::xarray<float> dy = noise<float>({4, 3, 5, 7}, 2);
  dx = xt::empty<float>(kShape);
  REQUIRE_THROWS_AS(bn::backward(x, dy, 1, nullptr, layer.gamma, layer.eps, dx),
                    std::invalid_argument);
}

TEST_CASE("Strided memory is gathered and scattered in either order") {
  // Every second element of (3, 4) in C order: strides of 8 and 2.
  std::vector<float> room(24);
  for (std::size_t i = 0; i < room.size(); ++i) room[i] = static_cast<float>(i);
  const bn::Strided memory{
      reinterpret_cast<std::byte*>(room.data()), bn::Dtype::float32, {3, 4}, {8, 2}};
  for (const bn::Order order : {bn::Order::c, bn::Order::fortran}) {
    const bool c = order == bn::Order::c;
    const bn::View view = bn::make_view(memory.shape, 1, order);
    bn::StridedArray array(memory, order);
    REQUIRE(array.copies());
    std::vector<float> gathered(12);
    (void)array.load(view, support::whole(view), reinterpret_cast<std::byte*>(gathered.data()));
    for (std::size_t i = 0; i < 12; ++i) {
      const std::size_t row = c ? i / 4 : i % 3;
      const std::size_t column = c ? i % 4 : i / 3;
      REQUIRE(gathered[i] == room[8 * row + 2 * column]);
    }
    for (float& value : gathered) value = -value;
    const bn::MutableRows rows =
        array.place(view, support::whole(view), reinterpret_cast<std::byte*>(gathered.data()));
    array.store(view, support::whole(view), rows);
    for (std::size_t i = 0; i < room.size(); ++i) {
      const float sign = i % 2 == 0 && c ? -1.0F : 1.0F;
      REQUIRE(room[i] == sign * static_cast<float>(i));
    }
  }
}

TEST_CASE("Memory is contiguous in the order that its strides say, whatever dimensions of one") {
  bn::Strided memory;
  memory.shape = {2, 3, 4};
  memory.strides = {12, 4, 1};
  REQUIRE(memory.contiguous(bn::Order::c));
  REQUIRE_FALSE(memory.contiguous(bn::Order::fortran));
  memory.strides = {1, 2, 6};
  REQUIRE(memory.contiguous(bn::Order::fortran));
  memory.shape = {1, 3, 1};
  memory.strides = {0, 1, 0};
  REQUIRE(memory.contiguous(bn::Order::c));
  REQUIRE(memory.contiguous(bn::Order::fortran));
  memory.shape = {2, 3};
  memory.strides = {6, 2};
  REQUIRE_FALSE(memory.contiguous(bn::Order::c));
}
