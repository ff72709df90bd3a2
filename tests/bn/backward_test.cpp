#include "bn/backward.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

#include "bn/error.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;
using data::Array;
using data::Kind;
using support::Layer;

namespace {

struct Run {
  Array dx;
  bn::BackwardResult result;
};

Run train(const View& view, const Array& x, const Array& dy, Dtype dx_dtype, const Layer& layer,
          const bn::Sums* batch = nullptr) {
  Run run{Array(dx_dtype, x.size()), {}};
  data::ArraySource x_source(x);
  data::ArraySource dy_source(dy);
  data::ArraySink sink(run.dx);
  run.result = bn::backward_train(view, x_source, dy_source, batch, layer.gamma, layer.eps, &sink,
                                  {}, bn::Checksum::of_x);
  return run;
}

Run test(const View& view, const Array& x, const Array& dy, Dtype dx_dtype, const Layer& layer) {
  Run run{Array(dx_dtype, x.size()), {}};
  data::ArraySource x_source(x);
  data::ArraySource dy_source(dy);
  data::ArraySink sink(run.dx);
  run.result = bn::backward_test(view, x_source, dy_source, layer.running_mean, layer.running_var,
                                 layer.gamma, layer.eps, &sink, {}, bn::Checksum::of_x);
  return run;
}

enum class Mode { train, test };

// "", or the first gradient that is not the exact value rounded once.
std::string differs(const View& view, const Array& x, const Array& dy, const Run& run,
                    const Layer& layer, Mode mode) {
  std::size_t overflows = 0;
  for (std::size_t c = 0; c < view.channel; ++c) {
    const Dtype dtype = run.dx.dtype();
    const oracle::Gradients want =
        mode == Mode::train
            ? oracle::gradients_train(dtype, x.channel(view, c), dy.channel(view, c),
                                      layer.gamma[c], layer.eps)
            : oracle::gradients_test(dtype, x.channel(view, c), dy.channel(view, c),
                                     layer.running_mean[c], layer.running_var[c], layer.gamma[c],
                                     layer.eps);
    if (!support::same_bits(run.result.dbeta[c], want.dbeta)) {
      return support::difference("dbeta", c, run.result.dbeta[c], want.dbeta);
    }
    if (!support::same_bits(run.result.dgamma[c], want.dgamma)) {
      return support::difference("dgamma", c, run.result.dgamma[c], want.dgamma);
    }
    const auto positions = x.positions(view, c);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      const double have = run.dx.get(positions[i]);
      if (std::isinf(want.dx[i].value)) ++overflows;
      if (!support::same_bits(have, want.dx[i].value)) {
        return support::difference("dx", positions[i], have, want.dx[i].value);
      }
    }
  }
  if (run.result.counts.overflows != overflows) return "overflows";
  return "";
}

void check_dtypes(const View& view, Dtype x_dtype, Dtype dy_dtype, Dtype dx_dtype, Mode mode) {
  INFO(bn::name(x_dtype) << ", " << bn::name(dy_dtype) << " -> " << bn::name(dx_dtype) << " "
                         << support::text(view));
  const Array x = data::make(x_dtype, view, Kind::normal, 1);
  const Array dy = data::make(dy_dtype, view, Kind::normal, 2);
  const Layer layer(view.channel);
  const Run run = mode == Mode::train ? train(view, x, dy, dx_dtype, layer)
                                      : test(view, x, dy, dx_dtype, layer);
  REQUIRE(differs(view, x, dy, run, layer, mode) == "");
}

Array array(Dtype dtype, std::initializer_list<double> values) {
  Array result(dtype, values.size());
  std::size_t i = 0;
  for (const double value : values) result.set(i++, value);
  return result;
}

// One channel; running_mean 0.
Layer layer_of(double gamma, double eps, double running_var = 1) {
  Layer layer(1, eps);
  layer.gamma = {gamma};
  layer.running_var = {running_var};
  return layer;
}

View column(const Array& x) { return {x.size(), 1, 1}; }

// "", or which gradient is found to be beyond the range of double, and in which channel.
std::string beyond_range(const bn::BackwardResult& result) {
  std::string found;
  const auto collect = [&](const auto& check) {
    try {
      check();
    } catch (const bn::RangeError& error) {
      found += std::string(error.statistic) + " of channel " + std::to_string(error.channel) + " ";
    }
  };
  collect([&] { result.check_dgamma(); });
  collect([&] { result.check_dbeta(); });
  return found;
}

constexpr View kViews[] = {{2, 3, 1}, {50, 3, 1}, {4, 2, 9}, {2, 2, 37}, {5, 33, 1}};

}  // namespace

TEST_CASE("Gradients in train mode are the exact ones rounded once, for every dtype of x") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Dtype dy_dtype : {Dtype::float32, Dtype::float64, Dtype::int64}) {
      for (const Dtype dx_dtype : data::kFloating) {
        for (const View& view : kViews) {
          check_dtypes(view, x_dtype, dy_dtype, dx_dtype, Mode::train);
        }
      }
    }
  }
}

TEST_CASE("Gradients in train mode are the exact ones rounded once, for any data") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Kind kind : data::kAll) {
      for (const Kind dy_kind :
           {Kind::alternating, Kind::mixed, Kind::denormals, Kind::whole_range}) {
        for (const View& view : {View{30, 2, 1}, View{2, 2, 17}}) {
          INFO(bn::name(x_dtype) << " " << data::name(kind) << ", dy " << data::name(dy_kind) << " "
                                 << support::text(view));
          const Array x = data::make(x_dtype, view, kind, 1);
          const Array dy = data::make(Dtype::float64, view, dy_kind, 2);
          const Layer layer(view.channel);
          for (const Dtype dx_dtype : {Dtype::float32, Dtype::float64}) {
            REQUIRE(differs(view, x, dy, train(view, x, dy, dx_dtype, layer), layer, Mode::train) ==
                    "");
          }
        }
      }
    }
  }
}

TEST_CASE("Dx of an element beside which the mean is small keeps every digit") {
  const Array x = array(Dtype::float32, {1, 1e-35, 0.5});
  const Array dy = array(Dtype::float32, {1, -1, 0});
  const Layer layer = layer_of(1, 1e-5);
  const Run run = train(column(x), x, dy, Dtype::float32, layer);
  REQUIRE(run.dx.get(2) == 0x1.5b449ap-116);  // 1.63e-35
  REQUIRE(differs(column(x), x, dy, run, layer, Mode::train) == "");
}

TEST_CASE("Dx of subnormal gradients that are scaled up keeps every digit") {
  const Array x = array(Dtype::float64, {7, 7, 7});
  const Array dy = array(Dtype::float64, {5e-324, 0, 0});
  const Layer layer = layer_of(1, 1e-100);
  const Run run = train(column(x), x, dy, Dtype::float64, layer);
  REQUIRE(run.dx.get(0) == 0x1.6cebe5ca88622p-909);  // 3.29e-274
  REQUIRE(run.dx.get(1) == -0x1.6cebe5ca88622p-910);
  REQUIRE(run.dx.get(2) == -0x1.6cebe5ca88622p-910);
  REQUIRE(differs(column(x), x, dy, run, layer, Mode::train) == "");
}

TEST_CASE("In test mode dx is right where its scale is beyond the range of double") {
  const Array x = array(Dtype::float64, {0});
  const Array huge = array(Dtype::float64, {1e308});
  Layer layer = layer_of(5e-324, 1e-5, 2);
  Run run = test(column(x), x, huge, Dtype::float32, layer);
  REQUIRE(run.dx.get(0) == 0x1.92c7c8p-52);  // 3.49e-16
  REQUIRE(differs(column(x), x, huge, run, layer, Mode::test) == "");

  const Array tiny = array(Dtype::float64, {1e-300});
  layer = layer_of(1e200, 1e-290, 0);
  run = test(column(x), x, tiny, Dtype::float64, layer);
  REQUIRE(run.dx.get(0) == 9.9999999999999993e+44);
  REQUIRE(differs(column(x), x, tiny, run, layer, Mode::test) == "");
}

TEST_CASE("Dx that is exactly zero is +0, one that rounds to zero keeps its sign") {
  const Array x = array(Dtype::float64, {1, 2, 4});
  const Array dy = array(Dtype::float64, {-0.0, 0.0, -1});
  for (const Dtype dtype : data::kFloating) {
    for (const double gamma : {-1.0, 1.0, -0.0}) {
      const Run run = test(column(x), x, dy, dtype, layer_of(gamma, 1e-5));
      for (const std::size_t i : {0U, 1U}) REQUIRE(support::same_bits(run.dx.get(i), 0.0));
      if (gamma == 0) REQUIRE(support::same_bits(run.dx.get(2), 0.0));
    }
    const Run run = test(column(x), x, dy, dtype, layer_of(5e-324, 1, 3));
    REQUIRE(support::same_bits(run.dx.get(2), -0.0));
    // dy without a slope in x: nothing is left of it in train mode.
    const Array same = array(Dtype::float64, {-3, -3, -3});
    const Run none = train(column(x), x, same, dtype, layer_of(-2, 1e-5));
    for (const std::size_t i : {0U, 1U, 2U}) REQUIRE(support::same_bits(none.dx.get(i), 0.0));
    REQUIRE(support::same_bits(none.result.dgamma[0], 0.0));
  }
}

TEST_CASE("Dx that lies halfway between two values goes to the even one") {
  // var + eps is 4 in both modes; the gradients are fractions of few digits.
  const Array x = array(Dtype::float32, {1, -1, 1, -1});
  for (const auto& [dtype, digits] : {std::pair(Dtype::float16, 11), std::pair(Dtype::float32, 24),
                                      std::pair(Dtype::float64, 52)}) {
    data::Random random(5);
    for (int i = 0; i < 300; ++i) {
      const double gamma = 1 + (1 + 2 * random.between(0, 99)) * std::ldexp(1, -digits);
      const double half = random.below(2) == 0 ? 1 : 1 + std::ldexp(1, -1);
      const Array dy = array(Dtype::float64, {half, 0, 0, half * random.between(0, 3)});
      const Layer layer = layer_of(gamma, 3, 1);
      INFO(bn::name(dtype) << " " << gamma);
      REQUIRE(differs(column(x), x, dy, train(column(x), x, dy, dtype, layer), layer,
                      Mode::train) == "");
      REQUIRE(differs(column(x), x, dy, test(column(x), x, dy, dtype, layer), layer, Mode::test) ==
              "");
    }
  }
}

TEST_CASE(
    "Dx that dy alone makes is exact where the scale is not, on ties and where it underflows") {
  // Sums and the covariance are 0, and so is x beside dy: nothing but the product with dy can be
  // wrong, of which nothing else in the sum says how wrong. dx = gamma * dy / root.
  const Array x = array(Dtype::float64, {1, -1, 0, 0});
  data::Random random(6);
  const auto check = [&](Dtype dtype, double root, double dy, double gamma) {
    const Array both = array(Dtype::float64, {0, 0, dy, -dy});
    const Layer layer = layer_of(gamma, root * root - 0.5, 0.5);
    INFO(bn::name(dtype) << " " << root << " " << dy << " " << gamma);
    for (const Mode mode : {Mode::train, Mode::test}) {
      const Run run = mode == Mode::train ? train(column(x), x, both, dtype, layer)
                                          : test(column(x), x, both, dtype, layer);
      REQUIRE(differs(column(x), x, both, run, layer, mode) == "");
    }
  };
  for (const double root : {3, 7, 11, 13, 49}) {
    for (int i = 0; i < 40; ++i) {
      for (const auto& [dtype, digits] :
           {std::pair(Dtype::float16, 11), std::pair(Dtype::float32, 24)}) {
        const double tie = 1 + std::floor(random.unit() * std::ldexp(1, digits - 1)) * 2;
        check(dtype, root, root, 1 + tie * std::ldexp(1, -digits));
      }
      for (const Dtype dtype : data::kFloating) {
        const double tiny = root * (1 + 2 * i) * 5e-324;
        check(dtype, root, tiny, 0.5);
        check(dtype, root, tiny, 0x1p-10);
      }
    }
  }
}

TEST_CASE("Gradients are exact where the mean is 1e8 deviations away, and 1e15") {
  const View view{60, 2, 20};
  for (const double mean : {1e8, 1e12, 1e15}) {
    data::Random random(7);
    Array x(Dtype::float64, view.size());
    Array dy(Dtype::float64, view.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set(i, mean + random.normal());
      dy.set(i, random.normal());
    }
    const Layer layer(view.channel, 1e-12);
    for (const Dtype dx_dtype : data::kFloating) {
      INFO(mean << " " << bn::name(dx_dtype));
      REQUIRE(differs(view, x, dy, train(view, x, dy, dx_dtype, layer), layer, Mode::train) == "");
    }
  }
}

TEST_CASE("Gradients are exact for integers of eight bytes close to one another") {
  const View view{30, 2, 20};
  for (const std::int64_t start :
       {std::int64_t{1} << 53, (std::int64_t{1} << 62) + 12345, INT64_MIN}) {
    data::Random random(9);
    Array x(Dtype::int64, view.size());
    Array dy(Dtype::float64, view.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set_integer(i, start + static_cast<std::int64_t>(random.below(5)));
      dy.set(i, random.normal());
    }
    const Layer layer(view.channel);
    for (const Dtype dx_dtype : data::kFloating) {
      INFO(start << " " << bn::name(dx_dtype));
      REQUIRE(differs(view, x, dy, train(view, x, dy, dx_dtype, layer), layer, Mode::train) == "");
    }
  }
}

TEST_CASE("Dx is exact where its three terms cancel") {
  // dy is nearly a linear function of x: what the gradient projects away.
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (const View& view : {View{40, 2, 1}, View{4, 2, 25}}) {
      const Array x = data::make(dtype, view, Kind::normal, 1);
      Array dy(dtype, view.size());
      data::Random random(5);
      for (std::size_t i = 0; i < x.size(); ++i) {
        dy.set(i, 0.25 + 0.5 * x.get(i) + 1e-9 * random.normal());
      }
      const Layer layer(view.channel);
      for (const Dtype dx_dtype : {Dtype::float32, Dtype::float64}) {
        REQUIRE(differs(view, x, dy, train(view, x, dy, dx_dtype, layer), layer, Mode::train) ==
                "");
      }
    }
  }
}

TEST_CASE("Gradients in test mode are the exact ones rounded once, for every pair of dtypes") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Dtype dy_dtype : data::kDtypes) {
      for (const Dtype dx_dtype : data::kFloating) {
        for (const View& view : {View{50, 3, 1}, View{2, 2, 37}, View{1, 4, 1}}) {
          check_dtypes(view, x_dtype, dy_dtype, dx_dtype, Mode::test);
        }
      }
    }
  }
}

TEST_CASE("Dgamma and dbeta are exact where they are tiny or huge") {
  const View view{40, 1, 1};
  struct Scales {
    double x, dy, eps;
  };
  for (const auto& [x_scale, dy_scale, eps] :
       {Scales{1, 1e-310, 1e-5}, Scales{1e-150, 1e-170, 1e-300}, Scales{1e-3, 1e-306, 1e-9},
        Scales{1e140, 1e-20, 1e-5}, Scales{1e-3, 1e300, 1e-9}, Scales{1e150, 1e155, 1e-5}}) {
    INFO(x_scale << " " << dy_scale << " " << eps);
    data::Random random(11);
    Array x(Dtype::float64, view.size());
    Array dy(Dtype::float64, view.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set(i, x_scale * random.normal());
      dy.set(i, dy_scale * random.normal());
    }
    const Layer layer(1, eps);
    data::ArraySource x_source(x);
    data::ArraySource dy_source(dy);
    const auto result =
        bn::backward_train(view, x_source, dy_source, nullptr, layer.gamma, eps, nullptr);
    const auto want = oracle::gradients_train(Dtype::float64, x.channel(view, 0),
                                              dy.channel(view, 0), layer.gamma[0], eps);
    REQUIRE(support::same_bits(result.dbeta[0], want.dbeta));
    REQUIRE(support::same_bits(result.dgamma[0], want.dgamma));
  }
}

TEST_CASE("Dx is exact for huge and tiny deviations") {
  const View view{40, 1, 1};
  struct Scales {
    double x, dy, eps;
  };
  for (const auto& [x_scale, dy_scale, eps] :
       {Scales{1e100, 1, 1e-5}, Scales{1e150, 1e-5, 1e-5}, Scales{1e-100, 1, 1e-210},
        Scales{1e-315, 1, 1e-5}, Scales{1e-315, 1e-3, 1e-5}, Scales{1e-140, 1e20, 1e-290}}) {
    INFO(x_scale << " " << dy_scale << " " << eps);
    data::Random random(12);
    Array x(Dtype::float64, view.size());
    Array dy(Dtype::float64, view.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set(i, x_scale * random.normal());
      dy.set(i, dy_scale * random.normal());
    }
    const Layer layer(1, eps);
    REQUIRE(differs(view, x, dy, train(view, x, dy, Dtype::float64, layer), layer, Mode::train) ==
            "");
  }
}

TEST_CASE("Gradients are exact where the mean is next to nothing beside the values") {
  for (const double tiny : {4e-290, 1e-310, 5e-324}) {
    const View view{3, 1, 1};
    Array x(Dtype::float64, 3);
    x.set(0, 1);
    x.set(1, -1);
    x.set(2, tiny);
    Array dy(Dtype::float64, 3);
    dy.set(0, 1e-200);
    const Layer layer(1);
    INFO(tiny);
    REQUIRE(differs(view, x, dy, train(view, x, dy, Dtype::float64, layer), layer, Mode::train) ==
            "");
  }
}

TEST_CASE("Dx is exact where values are huge and gradients tiny") {
  struct Scales {
    double x, dy;
  };
  const View view{4, 1, 1};
  for (const auto& [x_scale, dy_scale] :
       {Scales{1e100, 1e-150}, Scales{1e100, 1e-200}, Scales{1e50, 1e-240}, Scales{1e19, 1e-280},
        Scales{1e120, 1e-70}, Scales{1e150, 1e-10}, Scales{100, 1e-300}, Scales{1e-3, 1e-290}}) {
    Array x(Dtype::float64, 4);
    Array dy(Dtype::float64, 4);
    constexpr double kX[] = {1, 3, -2, 7};
    constexpr double kDy[] = {1, 2, -1, 3};
    for (std::size_t i = 0; i < 4; ++i) {
      x.set(i, kX[i] * x_scale);
      dy.set(i, kDy[i] * dy_scale);
    }
    const Layer layer(1);
    INFO(x_scale << " " << dy_scale);
    REQUIRE(differs(view, x, dy, train(view, x, dy, Dtype::float64, layer), layer, Mode::train) ==
            "");
  }
  for (const Dtype x_dtype : {Dtype::uint8, Dtype::float32, Dtype::int64}) {
    Array x(x_dtype, 4);
    Array dy(Dtype::float64, 4);
    for (std::size_t i = 0; i < 4; ++i) {
      x.set(i, static_cast<double>(10 + i * i * 20));
      dy.set(i, (i % 2 == 0 ? 1.5 : -1) * 1e-303);
    }
    const Layer layer(1);
    INFO(bn::name(x_dtype));
    REQUIRE(differs(view, x, dy, train(view, x, dy, Dtype::float64, layer), layer, Mode::train) ==
            "");
  }
}

TEST_CASE("In test mode NaN and infinity reach their element and their channel, nothing else") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const View& view : {View{30, 3, 1}, View{5, 3, 40}}) {
    for (const Dtype dtype : data::kFloating) {
      const Array x = data::make(dtype, view, Kind::normal, 1);
      const Array dy = data::make(dtype, view, Kind::normal, 2);
      const Layer layer(3);
      const Run clean = test(view, x, dy, dtype, layer);
      Array bad_x = x;
      Array bad_dy = dy;
      bad_dy.set(0, std::nan(""));      // channel 0: everything
      bad_x.set(view.inner, infinity);  // channel 1: dgamma alone
      const Run run = test(view, bad_x, bad_dy, dtype, layer);
      REQUIRE(std::isnan(run.result.dbeta[0]));
      REQUIRE(std::isnan(run.result.dgamma[0]));
      REQUIRE(run.result.dbeta[1] == clean.result.dbeta[1]);
      REQUIRE_FALSE(std::isfinite(run.result.dgamma[1]));
      REQUIRE(run.result.dbeta[2] == clean.result.dbeta[2]);
      REQUIRE(run.result.dgamma[2] == clean.result.dgamma[2]);
      REQUIRE(std::isnan(run.dx.get(0)));
      for (std::size_t i = 1; i < dy.size(); ++i) REQUIRE(run.dx.get(i) == clean.dx.get(i));
      REQUIRE(run.result.counts.overflows == 0);
    }
  }
}

TEST_CASE("In test mode finite dy beside x that are not finite are summed exactly") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Array x = array(Dtype::float64, {nan, nan, nan});
  const Array dy = array(Dtype::float64, {1.7e308, 1.7e308, -1.7e308});
  const Run run = test(column(x), x, dy, Dtype::float64, layer_of(1, 1e-5));
  REQUIRE(run.result.dbeta[0] == 1.7e308);
  REQUIRE(std::isnan(run.result.dgamma[0]));
}

TEST_CASE("The sums of the forward pass give the bits that backward finds for itself") {
  for (const View& view : {View{40, 5, 1}, View{6, 3, 40}}) {
    const Array x = data::make(Dtype::float64, view, Kind::far_mean, 1);
    const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
    const Layer layer(view.channel);
    data::ArraySource source(x);
    const bn::Sums batch = bn::sums(view, source);
    const Run with = train(view, x, dy, Dtype::float64, layer, &batch);
    const Run without = train(view, x, dy, Dtype::float64, layer);
    REQUIRE(with.dx == without.dx);
    REQUIRE(support::same_bits(with.result.dgamma, without.result.dgamma));
    REQUIRE(support::same_bits(with.result.dbeta, without.result.dbeta));
    REQUIRE(with.result.x_checksum == without.result.x_checksum);
  }
}

TEST_CASE("The checksum of x is that of the forward pass, and of no other x") {
  const View view{10, 3, 20};
  Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
  const Layer layer(3);
  Array y(Dtype::float32, x.size());
  data::ArraySource source(x);
  data::ArraySink sink(y);
  const auto forward =
      bn::forward_train(view, source, layer.parameters(), sink, {}, bn::Checksum::of_x);
  REQUIRE(train(view, x, dy, Dtype::float32, layer).result.x_checksum == forward.x_checksum);
  REQUIRE(test(view, x, dy, Dtype::float32, layer).result.x_checksum == forward.x_checksum);
  x.set(77, x.get(77) + 1e-3);
  REQUIRE(train(view, x, dy, Dtype::float32, layer).result.x_checksum != forward.x_checksum);
}

TEST_CASE("A constant channel has finite gradients") {
  const View view{20, 4, 3};
  for (const Dtype dtype : data::kFloating) {
    const Array x = data::make(dtype, view, Kind::constant, 0);
    const Array dy = data::make(dtype, view, Kind::normal, 2);
    const Layer layer(4);
    const Run run = train(view, x, dy, dtype, layer);
    REQUIRE(differs(view, x, dy, run, layer, Mode::train) == "");
    for (const double dgamma : run.result.dgamma) REQUIRE(dgamma == 0);
  }
}

TEST_CASE("An empty batch has gradients of zero, with the forward pass's sums or without") {
  for (const View& view : {View{0, 3, 4}, View{4, 3, 0}}) {
    const Array none(Dtype::float32, 0);
    const Layer layer(3);
    Array y(Dtype::float32, 0);
    data::ArraySource source(none);
    data::ArraySink sink(y);
    const auto forward = bn::forward_train(view, source, layer.parameters(), sink);
    const std::vector<double> zeros(3, 0.0);
    REQUIRE(train(view, none, none, Dtype::float32, layer).result.dgamma == zeros);
    REQUIRE(train(view, none, none, Dtype::float32, layer, &forward.sums).result.dbeta == zeros);
    REQUIRE(test(view, none, none, Dtype::float32, layer).result.dgamma == zeros);
    REQUIRE(test(view, none, none, Dtype::float32, layer).result.dbeta == zeros);
  }
  const Array none(Dtype::float32, 0);
  REQUIRE(train({4, 0, 2}, none, none, Dtype::float32, Layer(0)).result.dgamma.empty());
}

TEST_CASE("One value per channel has no gradient in train mode") {
  const View view{1, 3, 1};
  const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  REQUIRE_THROWS_AS(train(view, x, x, Dtype::float32, Layer(3)), bn::SingleValueError);
}

TEST_CASE("No channels have no gradients, of one value a channel, too") {
  const Array none(Dtype::float32, 0);
  for (const View& view : {View{1, 0, 1}, View{5, 0, 2}}) {
    REQUIRE(train(view, none, none, Dtype::float32, Layer(0)).result.dgamma.empty());
    REQUIRE(test(view, none, none, Dtype::float32, Layer(0)).result.dgamma.empty());
  }
}

TEST_CASE("Sums of another batch or of another shape are refused") {
  const View view{10, 3, 1};
  const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  data::ArraySource source(x);
  bn::Sums batch = bn::sums(view, source);
  batch.count = 9;
  REQUIRE_THROWS_AS(train(view, x, x, Dtype::float32, Layer(3), &batch), std::invalid_argument);
  batch = bn::sums(view, source);
  batch.sum_squares.pop_back();
  REQUIRE_THROWS_AS(train(view, x, x, Dtype::float32, Layer(3), &batch), std::invalid_argument);
}

TEST_CASE("Gradients beyond the range of double are infinite, and an error where they are wanted") {
  const View view{4, 2, 1};
  const double infinity = std::numeric_limits<double>::infinity();
  // Channel 1: x and dy take turns between two values; channel 0 is an ordinary one.
  const auto run = [&](Mode mode, double x, double dy_even, double dy_odd, double gamma = 1,
                       double eps = 1e-5) {
    Array all_x(Dtype::float64, view.size());
    Array all_dy(Dtype::float64, view.size());
    for (std::size_t i = 0; i < view.outer; ++i) {
      all_x.set(2 * i, static_cast<double>(i));
      all_x.set(2 * i + 1, i % 2 == 0 ? x : -x);
      all_dy.set(2 * i + 1, i % 2 == 0 ? dy_even : dy_odd);
    }
    Layer layer(2, eps);
    layer.gamma = {1, gamma};
    const Run done = mode == Mode::train ? train(view, all_x, all_dy, Dtype::float64, layer)
                                         : test(view, all_x, all_dy, Dtype::float64, layer);
    REQUIRE(differs(view, all_x, all_dy, done, layer, mode) == "");
    return done.result;
  };
  const auto none = [](const bn::BackwardResult& result) { return beyond_range(result).empty(); };

  const bn::BackwardResult slope = run(Mode::train, 1, 1e308, -1e308, 0);
  REQUIRE(slope.dgamma[1] == infinity);
  REQUIRE(beyond_range(slope) == "dgamma of channel 1 ");
  const bn::BackwardResult offset = run(Mode::train, 1, -1e308, -1e308);
  REQUIRE(offset.dbeta[1] == -infinity);
  REQUIRE(beyond_range(offset) == "dbeta of channel 1 ");
  REQUIRE(beyond_range(run(Mode::test, 1e200, 1e200, -1e200)) == "dgamma of channel 1 ");
  REQUIRE(beyond_range(run(Mode::test, 1e200, -1e200, 1e200)) == "dgamma of channel 1 ");
  REQUIRE(beyond_range(run(Mode::test, 1e-5, 1e308, 1e308)) == "dbeta of channel 1 ");

  REQUIRE(none(run(Mode::train, 1, 4e307, -4e307, 0)));
  REQUIRE(none(run(Mode::test, 1e150, 1e150, -1e150)));
  // Constants of dx beyond the range, and the variance: nobody asked for them.
  REQUIRE(none(run(Mode::train, 1e160, 1, 2)));
  REQUIRE(none(run(Mode::train, 1e-150, 1, -1, 1e200, 1e-290)));
  REQUIRE(none(run(Mode::train, 1, 1e300, 1e300, 1e10)));
  REQUIRE(none(run(Mode::train, 1, 1e300, -1e300, 1e10)));
}

TEST_CASE("Gradients that are infinite because a value was are no error") {
  const double infinity = std::numeric_limits<double>::infinity();
  const Array x = array(Dtype::float64, {infinity, 1});
  const Array dy = array(Dtype::float64, {1, infinity});
  const Array ones = array(Dtype::float64, {1, 1});
  const Layer layer = layer_of(1, 1e-5);
  const auto of_x = test(column(x), x, ones, Dtype::float64, layer).result;
  REQUIRE(of_x.dgamma[0] == infinity);
  REQUIRE(beyond_range(of_x).empty());
  const auto of_dy = test(column(x), ones, dy, Dtype::float64, layer).result;
  REQUIRE(of_dy.dgamma[0] == infinity);
  REQUIRE(of_dy.dbeta[0] == infinity);
  REQUIRE(beyond_range(of_dy).empty());
}

TEST_CASE("The first channel whose gradient is beyond the range is the one that is named") {
  const View view{2, 4, 1};
  Array x(Dtype::float64, view.size());
  Array dy(Dtype::float64, view.size());
  for (std::size_t c = 0; c < view.channel; ++c) {
    x.set(c, static_cast<double>(c));
    dy.set(c, c == 0 ? 1 : 1.7e308);
    dy.set(c + view.channel, c == 0 ? 1 : 1.7e308);
  }
  const auto result = train(view, x, dy, Dtype::float64, Layer(4)).result;
  REQUIRE(beyond_range(result) == "dbeta of channel 1 ");
}

TEST_CASE("In test mode gradients are exact about a running mean that is far from zero") {
  const View view{30, 3, 3};
  for (const Dtype x_dtype : {Dtype::float32, Dtype::float64, Dtype::int32, Dtype::int64}) {
    Array x(x_dtype, view.size());
    Array dy(Dtype::float64, view.size());
    data::Random random(6);
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set_integer(i, 100000 + random.between(-9, 9));
      dy.set(i, random.normal());
    }
    Layer layer(3);
    layer.running_mean = {100000.1, -99999.25, 100000.5};
    INFO(bn::name(x_dtype));
    REQUIRE(differs(view, x, dy, test(view, x, dy, Dtype::float64, layer), layer, Mode::test) ==
            "");
  }
}

TEST_CASE("Dx beyond the range of its dtype is infinite and counted") {
  const View view{40, 1, 5};
  const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
  for (std::size_t i = 0; i < dy.size(); ++i) dy.set(i, dy.get(i) * 1e4);
  const Layer layer = layer_of(3, 1e-5);
  const Run run = train(view, x, dy, Dtype::float16, layer);
  std::size_t infinite = 0;
  for (std::size_t i = 0; i < dy.size(); ++i) infinite += std::isinf(run.dx.get(i)) ? 1 : 0;
  REQUIRE(infinite > 1);
  REQUIRE(run.result.counts.overflows == infinite);
  REQUIRE(differs(view, x, dy, run, layer, Mode::train) == "");
}

TEST_CASE("Float64 gradients that overflow are infinite, not NaN") {
  const Array x = array(Dtype::float64, {1e-3, -1e-3, 1e-3, -1e-3});
  const Array dy = array(Dtype::float64, {1e307, 0, -1e307, 0});
  const Layer layer = layer_of(1, 1e-5);
  const Run run = train(column(x), x, dy, Dtype::float64, layer);
  REQUIRE(run.dx.get(0) == std::numeric_limits<double>::infinity());
  REQUIRE(run.dx.get(2) == -std::numeric_limits<double>::infinity());
  REQUIRE(run.result.counts.overflows == 2);
  REQUIRE(differs(column(x), x, dy, run, layer, Mode::train) == "");
}

TEST_CASE("Constants of dx beyond the range of double keep nothing from being right") {
  const Array dy = array(Dtype::float64, {0, 1, 0, 0});
  const Layer layer = layer_of(1e20, 1e-290);
  for (const double first : {0.0, 1e-150, 1e-140}) {
    const Array x = array(Dtype::float64, {first, 0, 0, 0});
    INFO(first);
    const Run run = train(column(x), x, dy, Dtype::float64, layer);
    REQUIRE(run.result.counts.overflows == 0);
    REQUIRE(differs(column(x), x, dy, run, layer, Mode::train) == "");
  }
}

TEST_CASE("Of ordinary data few dx are decided by pairs, and none in integers") {
  for (const View& view : {View{20000, 5, 1}, View{10, 10, 1000}}) {
    const Layer layer(view.channel);
    for (const Dtype dtype : data::kFloating) {
      const Array x = data::make(dtype, view, Kind::normal, 1);
      const Array dy = data::make(dtype, view, Kind::normal, 2);
      INFO(bn::name(dtype) << " " << support::text(view));
      for (const Run& run : {train(view, x, dy, dtype, layer), test(view, x, dy, dtype, layer)}) {
        REQUIRE(run.result.counts.exact == 0);
        if (dtype != Dtype::float64) REQUIRE(run.result.counts.closer <= 20);
      }
    }
  }
}

TEST_CASE("Dx may be left out") {
  const View view{40, 3, 5};
  const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  const Array dy = data::make(Dtype::float32, view, Kind::normal, 2);
  const Layer layer(3);
  data::ArraySource x_source(x);
  data::ArraySource dy_source(dy);
  const auto result =
      bn::backward_train(view, x_source, dy_source, nullptr, layer.gamma, layer.eps, nullptr);
  const Run with = train(view, x, dy, Dtype::float32, layer);
  REQUIRE(support::same_bits(result.dgamma, with.result.dgamma));
  REQUIRE(support::same_bits(result.dbeta, with.result.dbeta));
}

TEST_CASE("Gradients that are 0 because gamma or dy is are no hard work") {
  for (const View& view : {View{2000, 5, 1}, View{10, 10, 100}}) {
    for (const Dtype dtype : data::kFloating) {
      const Array x = data::make(dtype, view, Kind::normal, 1);
      const Array none(dtype, view.size());
      const Array dy = data::make(dtype, view, Kind::normal, 2);
      Layer layer(view.channel);
      INFO(bn::name(dtype) << " " << support::text(view));
      const Run dead = train(view, x, none, dtype, layer);
      const Run dead_test = test(view, x, none, dtype, layer);
      layer.gamma.assign(view.channel, 0.0);
      for (const Run& run :
           {dead, dead_test, train(view, x, dy, dtype, layer), test(view, x, dy, dtype, layer)}) {
        REQUIRE(run.result.counts.closer + run.result.counts.exact == 0);
      }
    }
  }
}

TEST_CASE("Sums that no values have are refused where dx would come from them") {
  const Array x = array(Dtype::float64, {1, 2, 1.5});
  bn::Sums batch{3, {bn::Dyadic(4.5)}, {bn::Dyadic(1.0)}};
  REQUIRE_THROWS_AS(train(column(x), x, x, Dtype::float64, layer_of(1, 1e-5), &batch),
                    std::invalid_argument);
}
