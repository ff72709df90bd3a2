#include "bn/backward.hpp"

#include <cmath>
#include <limits>

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
  if (run.result.overflows != overflows) return "overflows";
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

constexpr View kViews[] = {{2, 3, 1}, {50, 3, 1}, {4, 2, 9}, {2, 2, 37}, {5, 33, 1}};

}  // namespace

TEST_CASE("Gradients in train mode are within the stated bounds for every dtype of x") {
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

TEST_CASE("Gradients in train mode are within the stated bounds for hostile data") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Kind kind :
         {Kind::far_mean, Kind::outlier_first, Kind::small_integers, Kind::constant,
          Kind::alternating, Kind::mixed, Kind::window_edge, Kind::denormals, Kind::zeros}) {
      for (const Kind dy_kind : {Kind::alternating, Kind::outlier_first, Kind::mixed}) {
        for (const View& view : {View{60, 2, 1}, View{3, 2, 17}}) {
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

TEST_CASE("Gradients keep their bounds where the mean is 1e8 deviations away, and beyond") {
  const View view{60, 2, 20};
  for (const double mean : {1e8, 1e12}) {
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

TEST_CASE("Gradients keep their bounds for integers of eight bytes close to one another") {
  const View view{30, 2, 20};
  for (const std::int64_t start : {std::int64_t{1} << 53, (std::int64_t{1} << 62) + 12345}) {
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

TEST_CASE("Dx keeps its bound where its three terms cancel") {
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

TEST_CASE("Gradients in test mode are within the stated bounds for every pair of dtypes") {
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

TEST_CASE("Tiny and huge gradients keep the bounds of dgamma") {
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

TEST_CASE("Huge and tiny deviations keep the bound of dx") {
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

TEST_CASE("Gradients keep their bounds where the mean is next to nothing beside the values") {
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

TEST_CASE("Dx keeps its bound where values are huge and gradients tiny") {
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
      REQUIRE(run.result.overflows == 0);
    }
  }
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

TEST_CASE("Gradients beyond the range of double are an error that names them") {
  const View view{10, 2, 1};
  const Array x = data::make(Dtype::float64, view, Kind::normal, 1);
  Array dy(Dtype::float64, view.size());
  for (std::size_t i = 1; i < dy.size(); i += 2) dy.set(i, 1.7e308);
  try {
    (void)train(view, x, dy, Dtype::float64, Layer(2));
    FAIL("no error");
  } catch (const bn::RangeError& error) {
    REQUIRE(std::string(error.statistic) == "dbeta");
    REQUIRE(error.channel == 1);
  }
}

TEST_CASE("Each constant of a channel beyond the range of double is an error that names it") {
  const View view{4, 2, 1};
  // Channel 1: x and dy take turns between two values. Returns what the error names, or "".
  const auto refused = [&](double x, double dy_even, double dy_odd, double gamma, double eps) {
    Array all_x(Dtype::float64, view.size());
    Array all_dy(Dtype::float64, view.size());
    for (std::size_t i = 0; i < view.outer; ++i) {
      all_x.set(2 * i, static_cast<double>(i));
      all_x.set(2 * i + 1, i % 2 == 0 ? x : -x);
      all_dy.set(2 * i + 1, i % 2 == 0 ? dy_even : dy_odd);
    }
    Layer layer(2, eps);
    layer.gamma = {1, gamma};
    try {
      (void)train(view, all_x, all_dy, Dtype::float64, layer);
    } catch (const bn::RangeError& error) {
      REQUIRE(error.channel == 1);
      return std::string(error.statistic);
    }
    return std::string();
  };
  constexpr const char* kOfDx = "gamma * inv_std * dbeta or gamma * inv_std^2 * dgamma";
  REQUIRE(refused(1e160, 0, 0, 1, 1e-5) == "var");
  REQUIRE(refused(1e150, 0, 0, 1, 1e-5).empty());
  REQUIRE(refused(1e-150, 0, 0, 1e200, 1e-290) == "gamma * inv_std");
  REQUIRE(refused(1e-150, 0, 0, 1e100, 1e-290).empty());
  REQUIRE(refused(1, 1e308, -1e308, 0, 1e-5) == "dgamma");
  REQUIRE(refused(1, 4e307, -4e307, 0, 1e-5).empty());
  // dy without a slope: the offset alone is infinite. dy that sums up to 0: the slope alone.
  REQUIRE(refused(1, 1e300, 1e300, 1e10, 1e-5) == kOfDx);
  REQUIRE(refused(1, 1e297, 1e297, 1e10, 1e-5).empty());
  REQUIRE(refused(1, 1e300, -1e300, 1e10, 1e-5) == kOfDx);
  REQUIRE(refused(1, 1e297, -1e297, 1e10, 1e-5).empty());
}

TEST_CASE("In test mode, too, gradients beyond the range of double are an error that names them") {
  const View view{4, 2, 1};
  const auto refused = [&](double x, double dy) {
    Array all_x(Dtype::float64, view.size());
    Array all_dy(Dtype::float64, view.size());
    for (std::size_t i = 1; i < view.size(); i += 2) {
      all_x.set(i, x);
      all_dy.set(i, dy);
    }
    try {
      (void)test(view, all_x, all_dy, Dtype::float64, Layer(2));
    } catch (const bn::RangeError& error) {
      REQUIRE(error.channel == 1);
      return std::string(error.statistic);
    }
    return std::string();
  };
  REQUIRE(refused(1, 1e308) == "dbeta");
  REQUIRE(refused(1e200, 1e200) == "dgamma");
  REQUIRE(refused(1e200, -1e200) == "dgamma");
  REQUIRE(refused(1e150, 1e150).empty());
}

TEST_CASE("In test mode gradients keep their bounds about a running mean that is far from zero") {
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
  Layer layer(1);
  layer.gamma = {3};
  const Run run = train(view, x, dy, Dtype::float16, layer);
  std::size_t infinite = 0;
  for (std::size_t i = 0; i < dy.size(); ++i) infinite += std::isinf(run.dx.get(i)) ? 1 : 0;
  REQUIRE(run.result.overflows == infinite);
}

TEST_CASE("Float64 gradients that overflow are infinite, not NaN") {
  const View view{4, 1, 1};
  Array x(Dtype::float64, 4);
  for (std::size_t i = 0; i < 4; ++i) x.set(i, i % 2 == 0 ? 1e-3 : -1e-3);
  Array dy(Dtype::float64, 4);
  dy.set(0, 1e307);
  dy.set(2, -1e307);
  const Run run = train(view, x, dy, Dtype::float64, Layer(1));
  REQUIRE(run.dx.get(0) == std::numeric_limits<double>::infinity());
  REQUIRE(run.dx.get(2) == -std::numeric_limits<double>::infinity());
  REQUIRE(run.result.overflows == 2);
}

TEST_CASE(
    "Constants of dx beyond the range of double are an error, but not for a constant channel") {
  const View view{4, 1, 1};
  Array x(Dtype::float64, 4);
  Array dy(Dtype::float64, 4);
  dy.set(1, 1);
  Layer layer(1, 1e-290);
  layer.gamma.assign(1, 1e20);
  const Run run = train(view, x, dy, Dtype::float64, layer);
  for (std::size_t i = 0; i < 4; ++i) REQUIRE(std::isfinite(run.dx.get(i)));
  x.set(0, 1e-150);
  REQUIRE(differs(view, x, dy, train(view, x, dy, Dtype::float64, layer), layer, Mode::train) ==
          "");
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
