#include "bn/forward.hpp"

#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <string>
#include <tuple>
#include <utility>

#include "bn/arrays/elements.hpp"
#include "bn/error.hpp"
#include "catch.hpp"
#include "support.hpp"

using bn::Dtype;
using bn::View;
using data::Array;
using data::Kind;
using support::Layer;

namespace {

enum class Mode { train, test };

struct Run {
  Array y;
  bn::ForwardResult result;
};

Run train(const View& view, const Array& x, Dtype y_dtype, const Layer& layer) {
  Run run{Array(y_dtype, x.size()), {}};
  data::ArraySource source(x);
  data::ArraySink sink(run.y);
  run.result = bn::forward_train(view, source, layer.parameters(), sink);
  return run;
}

Run test(const View& view, const Array& x, Dtype y_dtype, const Layer& layer) {
  Run run{Array(y_dtype, x.size()), {}};
  data::ArraySource source(x);
  data::ArraySink sink(run.y);
  run.result = bn::forward_test(view, source, layer.running_mean, layer.running_var,
                                layer.parameters(), sink);
  return run;
}

std::string statistics_differ(const View& view, const Array& x, const bn::Statistics& have) {
  for (std::size_t c = 0; c < view.channel; ++c) {
    const oracle::Statistics want = oracle::statistics(x.channel(view, c));
    for (const auto& [name, value, exact] :
         {std::tuple("mean", have.mean[c], want.mean), std::tuple("var", have.var[c], want.var),
          std::tuple("var_unbiased", have.var_unbiased[c], want.var_unbiased)}) {
      if (!support::same_bits(value, oracle::nearest(exact))) {
        return support::difference(name, c, value, oracle::nearest(exact));
      }
    }
  }
  return "";
}

// "", or the first element that is not the exact value rounded once; and so for the statistics.
std::string differs(const View& view, const Array& x, const Run& run, const Layer& layer,
                    Mode mode) {
  std::size_t overflows = 0;
  for (std::size_t c = 0; c < view.channel; ++c) {
    const auto values = x.channel(view, c);
    const oracle::Centre centre =
        mode == Mode::train
            ? oracle::of_batch(values, layer.eps)
            : oracle::of_running(layer.running_mean[c], layer.running_var[c], layer.eps);
    const auto positions = x.positions(view, c);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double want =
          oracle::y(run.y.dtype(), values[i], centre, layer.gamma[c], layer.beta[c]).value;
      const double have = run.y.get(positions[i]);
      if (std::isinf(want)) ++overflows;
      if (!support::same_bits(have, want)) {
        return support::difference("y", positions[i], have, want);
      }
    }
  }
  if (run.result.counts.overflows != overflows) return "overflows";
  return mode == Mode::train ? statistics_differ(view, x, run.result.statistics) : "";
}

constexpr View kViews[] = {{2, 3, 1}, {50, 3, 1}, {4, 2, 9}, {3, 4, 16}, {2, 2, 37}, {5, 33, 1}};

Array array(Dtype dtype, std::initializer_list<double> values) {
  Array result(dtype, values.size());
  std::size_t i = 0;
  for (const double value : values) result.set(i++, value);
  return result;
}

// One channel; running_mean 0.
Layer layer_of(double gamma, double beta, double eps, double running_var = 1) {
  Layer layer(1, eps);
  layer.gamma = {gamma};
  layer.beta = {beta};
  layer.running_var = {running_var};
  return layer;
}

View column(const Array& x) { return {x.size(), 1, 1}; }

}  // namespace

TEST_CASE(
    "Y in train mode is the exact value rounded once, for every pair of dtypes and any data") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Dtype y_dtype : data::kFloating) {
      for (const Kind kind : data::kAll) {
        std::uint64_t variant = 0;
        for (const View& view : kViews) {
          INFO(bn::name(x_dtype) << " " << data::name(kind) << " -> " << bn::name(y_dtype) << " "
                                 << support::text(view));
          const Array x = data::make(x_dtype, view, kind, ++variant);
          const Layer layer(view.channel);
          REQUIRE(differs(view, x, train(view, x, y_dtype, layer), layer, Mode::train) == "");
        }
      }
    }
  }
}

TEST_CASE("Y in test mode is the exact value rounded once, for every pair of dtypes and any data") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Dtype y_dtype : data::kFloating) {
      for (const Kind kind : data::kAll) {
        std::uint64_t variant = 0;
        for (const View& view : kViews) {
          INFO(bn::name(x_dtype) << " " << data::name(kind) << " -> " << bn::name(y_dtype) << " "
                                 << support::text(view));
          const Array x = data::make(x_dtype, view, kind, ++variant);
          const Layer layer(view.channel);
          REQUIRE(differs(view, x, test(view, x, y_dtype, layer), layer, Mode::test) == "");
        }
      }
    }
  }
}

TEST_CASE("Every value of float16 gives the exact y rounded once, in every dtype and both modes") {
  Array x(Dtype::float16, 2 * 0x7c00);
  for (std::uint16_t bits = 0; bits < 0x7c00; ++bits) {
    x.set(2U * bits, oracle::half_value(bits));
    x.set(2U * bits + 1, -oracle::half_value(bits));
  }
  for (const View& view : {View{1, 1, x.size()}, View{x.size() / 31, 31, 1}}) {
    const Layer layer(view.channel);
    for (const Dtype y_dtype : data::kFloating) {
      INFO(bn::name(y_dtype) << " " << support::text(view));
      REQUIRE(differs(view, x, train(view, x, y_dtype, layer), layer, Mode::train) == "");
      REQUIRE(differs(view, x, test(view, x, y_dtype, layer), layer, Mode::test) == "");
    }
  }
}

TEST_CASE("Elements beside which the mean is small keep every digit") {
  // y[2] is what is left of 0.5 less the mean: a third of 1e-35, and the same of dx.
  const Array x = array(Dtype::float32, {1, 1e-35, 0.5});
  const Layer layer = layer_of(1, 0, 1e-5);
  const Run run = train(column(x), x, Dtype::float32, layer);
  REQUIRE(run.y.get(2) == -0x1.5b49fp-117);  // -8.16e-36
  REQUIRE(differs(column(x), x, run, layer, Mode::train) == "");
}

TEST_CASE("Tiny values between huge ones that cancel keep every digit") {
  const Array x = array(Dtype::float64, {1e150, -1e150, 1e-310, 3e-310, 1.1e-310});
  for (const double gamma : {1e300, 1.0, 1e-10}) {
    for (const double eps : {1e-5, 5e-324, 1e308}) {
      const Layer layer = layer_of(gamma, 0, eps);
      INFO(gamma << " " << eps);
      const Run run = train(column(x), x, Dtype::float64, layer);
      REQUIRE(differs(column(x), x, run, layer, Mode::train) == "");
    }
  }
}

TEST_CASE("In test mode y is right where a step on the way to it is beyond the range of double") {
  const Array tiny = array(Dtype::float64, {1e-20, 0});
  Layer layer = layer_of(1e300, 0, 1e-20, 0);
  Run run = test(column(tiny), tiny, Dtype::float64, layer);
  REQUIRE(run.y.get(0) == 1.0000000000000001e+290);
  REQUIRE(support::same_bits(run.y.get(1), 0.0));
  REQUIRE(differs(column(tiny), tiny, run, layer, Mode::test) == "");

  const Array one = array(Dtype::float64, {1, -1});
  layer = layer_of(1, 0, 1.7e308, 1.7e308);
  run = test(column(one), one, Dtype::float64, layer);
  REQUIRE(run.y.get(0) == 5.4232614454664044e-155);
  REQUIRE(differs(column(one), one, run, layer, Mode::test) == "");

  const Array huge = array(Dtype::float64, {1.7e308, -1.7e308});
  layer = layer_of(0.25, 0, 1e-5, 1);
  layer.running_mean = {-1.7e308};
  run = test(column(huge), huge, Dtype::float64, layer);
  REQUIRE(run.y.get(0) == 8.4999575003187466e+307);
  REQUIRE(support::same_bits(run.y.get(1), 0.0));
  REQUIRE(run.result.counts.overflows == 0);
  layer.gamma = {1};
  run = test(column(huge), huge, Dtype::float64, layer);
  REQUIRE(run.y.get(0) == std::numeric_limits<double>::infinity());
  REQUIRE(run.result.counts.overflows == 1);
}

TEST_CASE("In test mode y is exact about a running mean that is far from zero") {
  const View view{30, 3, 2};
  struct Case {
    Dtype dtype;
    std::int64_t centre;
    double fraction;  // of the running mean
  };
  for (const auto& [dtype, centre, fraction] :
       {Case{Dtype::float32, 1 << 20, 0.3}, Case{Dtype::float64, std::int64_t{1} << 40, 0.3},
        Case{Dtype::int32, 1 << 30, 0.7}, Case{Dtype::int64, std::int64_t{1} << 40, 0.3},
        Case{Dtype::int64, -(std::int64_t{1} << 40), 0.5},
        Case{Dtype::int64, std::int64_t{1} << 62, 0}, Case{Dtype::uint64, INT64_MAX - 1023, 0},
        Case{Dtype::uint64, std::int64_t{1} << 51, 0.5}}) {
    data::Random random(8);
    Array x(dtype, view.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      x.set_integer(i, centre + random.between(-9, 9));
    }
    Layer layer(3);
    layer.beta.assign(3, 0.0);  // nothing hides the digits of x_hat
    layer.running_mean.assign(3, static_cast<double>(centre) + fraction);
    layer.running_mean[1] -= 4;
    for (const Dtype y_dtype : data::kFloating) {
      INFO(bn::name(dtype) << " " << centre << " " << bn::name(y_dtype));
      REQUIRE(differs(view, x, test(view, x, y_dtype, layer), layer, Mode::test) == "");
    }
  }
}

TEST_CASE("Y is exact where the mean is 1e8 deviations away, and 1e15") {
  const View view{100, 2, 20};
  for (const double mean : {1e8, 1e11, 1e15}) {
    for (const double eps : {1e-5, 1e-12}) {
      data::Random random(7);
      Array x(Dtype::float64, view.size());
      for (std::size_t i = 0; i < x.size(); ++i) x.set(i, mean + random.normal());
      Layer layer(view.channel, eps);
      layer.beta.assign(view.channel, 0.0);  // nothing hides the digits of x_hat
      for (const Dtype y_dtype : data::kFloating) {
        INFO(mean << " " << eps << " " << bn::name(y_dtype));
        REQUIRE(differs(view, x, train(view, x, y_dtype, layer), layer, Mode::train) == "");
      }
    }
  }
}

TEST_CASE("Y is exact where values, deviations or gamma are tiny or huge") {
  const View view{60, 2, 3};
  struct Scales {
    double mean, deviation, gamma, eps;
  };
  for (const auto& [mean, deviation, gamma, eps] :
       {Scales{1e-315, 1e-316, 1, 1e-5}, Scales{1e-300, 1e-305, 1e290, 1e-5},
        Scales{1e-140, 1e-148, 1, 1e-290}, Scales{1e150, 1e142, 1, 1e-5},
        Scales{1e153, 1e153, 1, 1e-5}, Scales{1e100, 1e100, 1e-150, 1e-5},
        Scales{0, 1e-320, 1e300, 1e-5}, Scales{1e149, 1e150, 1e-165, 1e-5},
        Scales{1e149, 1e150, 1e-300, 1e-5}}) {
    INFO(mean << " " << deviation << " " << gamma << " " << eps);
    data::Random random(13);
    Array x(Dtype::float64, view.size());
    for (std::size_t i = 0; i < x.size(); ++i) x.set(i, mean + deviation * random.normal());
    Layer layer(view.channel, eps);
    layer.gamma.assign(view.channel, gamma);
    layer.beta.assign(view.channel, 0.0);
    const Run run = train(view, x, Dtype::float64, layer);
    REQUIRE(differs(view, x, run, layer, Mode::train) == "");
  }
}

TEST_CASE("Y is exact where the mean is less than any double") {
  const View view{4, 1, 1};
  Array x(Dtype::float64, 4);
  x.set(0, 5e-324);
  Layer layer(1);
  layer.gamma.assign(1, 1.0);
  layer.beta.assign(1, 0.0);
  const Run run = train(view, x, Dtype::float64, layer);
  REQUIRE(differs(view, x, run, layer, Mode::train) == "");
}

TEST_CASE("Y is exact for integers of eight bytes that are close to one another") {
  const View view{50, 2, 20};
  for (const Dtype x_dtype : {Dtype::int64, Dtype::uint64}) {
    for (const std::int64_t start :
         {std::int64_t{1} << 40, std::int64_t{1} << 53, (std::int64_t{1} << 62) + 12345,
          std::int64_t{-1} << 62, INT64_MAX - 1000000, INT64_MIN}) {
      if (x_dtype == Dtype::uint64 && start < 0) continue;
      for (const std::size_t spread : {3U, 1000U, 1000000U}) {
        data::Random random(spread);
        Array x(x_dtype, view.size());
        for (std::size_t i = 0; i < x.size(); ++i) {
          x.set_integer(i, start + static_cast<std::int64_t>(random.below(spread)));
        }
        Layer layer(view.channel);
        layer.beta.assign(view.channel, 0.0);
        for (const Dtype y_dtype : data::kFloating) {
          INFO(bn::name(x_dtype) << " " << start << " " << spread << " " << bn::name(y_dtype));
          REQUIRE(differs(view, x, train(view, x, y_dtype, layer), layer, Mode::train) == "");
        }
      }
    }
  }
}

TEST_CASE("Y is exact where gamma * x_hat and beta cancel") {
  const View view{40, 3, 7};
  for (const Dtype dtype : data::kFloating) {
    const Array x = data::make(dtype, view, Kind::normal, 4);
    Layer layer(view.channel);
    layer.gamma = {1000, 3, -5};
    layer.beta = {-1000, 3, 4.999};
    REQUIRE(differs(view, x, train(view, x, dtype, layer), layer, Mode::train) == "");
  }
}

TEST_CASE("A constant channel gives beta exactly") {
  for (const Dtype x_dtype : data::kDtypes) {
    for (const Dtype y_dtype : data::kFloating) {
      for (const View& view : kViews) {
        for (std::uint64_t variant = 0; variant < 4; ++variant) {
          INFO(bn::name(x_dtype) << " " << bn::name(y_dtype) << " " << support::text(view) << " "
                                 << variant);
          const Array x = data::make(x_dtype, view, Kind::constant, variant);
          const Layer layer(view.channel);
          const Run run = train(view, x, y_dtype, layer);
          Array beta(y_dtype, x.size());
          for (std::size_t i = 0; i < x.size(); ++i) {
            beta.set(i, layer.beta[i / view.inner % view.channel]);
          }
          REQUIRE(run.y == beta);
          for (const double var : run.result.statistics.var) REQUIRE(var == 0);
        }
      }
    }
  }
}

TEST_CASE("Where gamma * (x - mean) is zero y is beta itself, its sign included") {
  const Array x = array(Dtype::float64, {0.1, 0.1, 0.1});
  const Array some = array(Dtype::float64, {1, 2, 4});
  for (const Dtype dtype : data::kFloating) {
    for (const double beta : {-0.0, 0.0, 0.5, -1e-10}) {
      INFO(bn::name(dtype) << " " << beta);
      const Array want = array(dtype, {beta, beta, beta});
      REQUIRE(train(column(x), x, dtype, layer_of(3, beta, 1e-5)).y == want);
      REQUIRE(train(column(x), x, dtype, layer_of(-3, beta, 5e-324)).y == want);
      for (const double zero : {0.0, -0.0}) {
        REQUIRE(train(column(some), some, dtype, layer_of(zero, beta, 1e-5)).y == want);
        REQUIRE(test(column(some), some, dtype, layer_of(zero, beta, 1e-5)).y == want);
      }
      Layer layer = layer_of(3, beta, 1e-5);
      layer.running_mean = {0.1};
      REQUIRE(test(column(x), x, dtype, layer).y == want);
    }
  }
}

TEST_CASE("A sum that is zero is +0, one that rounds to zero keeps its sign") {
  // running_var + eps = 4, so that y = gamma * x / 2 + beta.
  const Array x = array(Dtype::float64, {2, -2, 1, -1});
  for (const Dtype dtype : data::kFloating) {
    const auto y = [&](double gamma, double beta) {
      return test(column(x), x, dtype, layer_of(gamma, beta, 1, 3)).y;
    };
    REQUIRE(support::same_bits(y(1, -1).get(0), 0.0));
    REQUIRE(support::same_bits(y(-1, -1).get(1), 0.0));
    REQUIRE(support::same_bits(y(1, 1).get(1), 0.0));
    for (const double beta : {0.0, -0.0}) {
      REQUIRE(support::same_bits(y(5e-324, beta).get(2), 0.0));
      REQUIRE(support::same_bits(y(5e-324, beta).get(3), -0.0));
    }
  }
}

TEST_CASE("Ties go to the even neighbour, whatever the root that makes them") {
  // running_var + eps is a square, so that y can lie halfway between two values of the dtype.
  constexpr struct {
    Dtype dtype;
    int digits;
  } kDtypes[] = {{Dtype::float16, 11}, {Dtype::float32, 24}, {Dtype::float64, 53}};
  data::Random random(21);
  for (const auto& [dtype, digits] : kDtypes) {
    for (int i = 0; i < 400; ++i) {
      const double root = 1 + 2 * random.between(0, 3);
      const double unit = std::ldexp(1, -digits);
      // In [1, 2) the last bit of a sum of 1 + k units is 2 units: odd k are ties.
      const double odd = 1 + 2 * random.between(0, 500);
      const Array x = array(Dtype::float64, {root, -root, 2 * root, 3 * root});
      const Layer layer = layer_of(odd * unit, 1, root * root - 0.5, 0.5);
      INFO(bn::name(dtype) << " " << root << " " << odd);
      const Run run = test(column(x), x, dtype, layer);
      REQUIRE(differs(column(x), x, run, layer, Mode::test) == "");
    }
  }
}

TEST_CASE("Binary features with a gamma of one digit too many are ties, whole channels of them") {
  // Half of the values each: the variance is 1/4, and eps = 15/4 makes the root 2.
  for (const View& view : {View{40, 3, 1}, View{2, 3, 20}}) {
    for (const Dtype x_dtype : {Dtype::uint8, Dtype::float32}) {
      Array x(x_dtype, view.size());
      for (std::size_t c = 0; c < view.channel; ++c) {
        std::size_t k = 0;
        for (const std::size_t i : x.positions(view, c)) x.set(i, static_cast<double>(k++ % 2));
      }
      for (const auto& [dtype, digits] :
           {std::pair(Dtype::float16, 11), std::pair(Dtype::float32, 24)}) {
        Layer layer(view.channel, 3.75);
        layer.beta = {0, -0.0, 0};
        layer.gamma = {1 + std::ldexp(1, -digits), -1 - 3 * std::ldexp(1, -digits),
                       2 - std::ldexp(1, -digits)};
        INFO(bn::name(dtype) << " " << support::text(view));
        const Run run = train(view, x, dtype, layer);
        REQUIRE(differs(view, x, run, layer, Mode::train) == "");
        REQUIRE(run.result.counts.exact == view.size());
        REQUIRE(run.result.counts.closer == 0);
      }
    }
  }
}

TEST_CASE("Float16 results are rounded once") {
  // y = x * scale with results across float16's whole range, subnormal ones and ties included.
  const View view{4000, 1, 1};
  Array x(Dtype::float64, view.size());
  data::Random random(3);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const auto bits = static_cast<std::uint16_t>(random.below(0x7bff));
    const double low = oracle::half_value(bits);
    const double high = oracle::half_value(static_cast<std::uint16_t>(bits + 1));
    const double tie = (low + high) / 2;
    const double values[] = {low, tie, std::nextafter(tie, 0), std::nextafter(tie, 1e9)};
    x.set(i, random.below(2) == 0 ? values[i % 4] : -values[i % 4]);
  }
  const Run run = test(view, x, Dtype::float16, layer_of(1, 0, 1, 0));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want =
        x.get(i) == 0 ? 0.0 : oracle::half_value(oracle::half_bits(x.get(i)));  // -0 * 1 + 0 is 0
    if (!support::same_bits(run.y.get(i), want)) ++wrong;
  }
  REQUIRE(wrong == 0);
}

TEST_CASE("Results beyond the range of their dtype are infinite and counted") {
  const View view{100, 2, 3};
  const Array x = data::make(Dtype::float64, view, Kind::normal, 1);
  for (const Dtype dtype : {Dtype::float16, Dtype::float32}) {
    Layer layer(2);
    layer.gamma = {dtype == Dtype::float16 ? 5e4 : 2.5e38, 1};
    const Run run = train(view, x, dtype, layer);
    REQUIRE(differs(view, x, run, layer, Mode::train) == "");
    std::size_t infinite = 0;
    for (std::size_t i = 0; i < x.size(); ++i) infinite += std::isinf(run.y.get(i)) ? 1 : 0;
    REQUIRE(infinite > 10);
    REQUIRE(infinite < 300);
    REQUIRE(run.result.counts.overflows == infinite);
  }
}

TEST_CASE("In test mode NaN and infinity stay in their place and are no overflow") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Dtype dtype : data::kFloating) {
    for (const View& view : {View{5, 3, 1}, View{2, 3, 20}}) {
      Array x = data::make(dtype, view, Kind::normal, 1);
      const Layer layer(3);
      const Run clean = test(view, x, dtype, layer);
      x.set(1, std::nan(""));
      x.set(4, infinity);
      x.set(7, -infinity);
      const Run run = test(view, x, dtype, layer);
      REQUIRE(run.result.counts.overflows == 0);
      REQUIRE(std::isnan(run.y.get(1)));
      REQUIRE(run.y.get(4) == infinity);
      REQUIRE(run.y.get(7) == -infinity);
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (i != 1 && i != 4 && i != 7) REQUIRE(run.y.get(i) == clean.y.get(i));
      }
    }
  }
}

TEST_CASE("Every NaN among the results has the same bits, whatever it came from") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Dtype dtype : data::kFloating) {
    for (const View& view : {View{5, 3, 1}, View{2, 3, 20}}) {
      Array x = data::make(Dtype::float64, view, Kind::normal, 1);
      Layer layer(3);
      layer.gamma[1] = 0;
      x.set(0, std::bit_cast<double>(0x7ff0000000000001));  // signalling
      x.set(2, -std::nan("123"));
      for (std::size_t i = 3; i < x.size(); ++i) x.set(i, infinity);  // of channel 1: times 0
      const Run run = test(view, x, dtype, layer);
      Array nan(dtype, 1);
      bn::set_non_finite(dtype, std::nan(""), nan.at(0));
      std::size_t count = 0;
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (!std::isnan(run.y.get(i))) continue;
        ++count;
        REQUIRE(std::memcmp(run.y.at(i), nan.at(0), bn::item_size(dtype)) == 0);
      }
      REQUIRE(count > 2);
    }
  }
}

TEST_CASE("The result carries the batch's exact sums and statistics") {
  const View view{20, 3, 9};
  const Array x = data::make(Dtype::float32, view, Kind::mixed, 1);
  const Layer layer(3);
  const Run run = train(view, x, Dtype::float32, layer);
  data::ArraySource source(x);
  REQUIRE(run.result.sums == bn::sums(view, source));
  const bn::Statistics want = bn::statistics(run.result.sums);
  REQUIRE(support::same_bits(run.result.statistics.mean, want.mean));
  REQUIRE(support::same_bits(run.result.statistics.var, want.var));
  REQUIRE(support::same_bits(run.result.statistics.var_unbiased, want.var_unbiased));
}

TEST_CASE("An empty batch and no channels give empty results") {
  const Layer layer(3);
  for (const View& view : {View{0, 3, 4}, View{4, 3, 0}}) {
    const Array x(Dtype::float32, 0);
    const Run trained = train(view, x, Dtype::float32, layer);
    REQUIRE(trained.result.sums.count == 0);
    REQUIRE((trained.result.sums.sum == std::vector<bn::Dyadic>(3)));
    REQUIRE((trained.result.sums.sum_squares == std::vector<bn::Dyadic>(3)));
    REQUIRE(test(view, x, Dtype::float32, layer).result.counts.overflows == 0);
  }
  const Layer none(0);
  for (const View& view : {View{4, 0, 4}, View{1, 0, 1}}) {
    const Array x(Dtype::float32, 0);
    REQUIRE(train(view, x, Dtype::float32, none).result.sums.sum.empty());
    REQUIRE(test(view, x, Dtype::float32, none).result.counts.overflows == 0);
  }
}

TEST_CASE("One value per channel is an error in train mode and fine in test mode") {
  const View view{1, 3, 1};
  const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  const Layer layer(3);
  REQUIRE_THROWS_AS(train(view, x, Dtype::float32, layer), bn::SingleValueError);
  const Run run = test(view, x, Dtype::float32, layer);
  REQUIRE(differs(view, x, run, layer, Mode::test) == "");
}

TEST_CASE("A variance beyond the range of double is infinite, and y is exact all the same") {
  const View view{4, 3, 1};
  Array x(Dtype::float64, view.size());
  x.set(1, 1e200);
  x.set(4, -1e200);
  const Layer layer(3);
  for (const Dtype dtype : data::kFloating) {
    const Run run = train(view, x, dtype, layer);
    REQUIRE(run.result.statistics.var[0] == 0);
    REQUIRE(std::isinf(run.result.statistics.var[1]));
    REQUIRE(differs(view, x, run, layer, Mode::train) == "");
  }
}

TEST_CASE("An unbiased variance beyond the range of double keeps nothing from being right") {
  // Of a and -a the variance is a^2, the unbiased one 2 * a^2.
  const Array x = array(Dtype::float64, {1e154, -1e154});
  const Layer layer = layer_of(1, 0.5, 1e-5);
  const Run run = train(column(x), x, Dtype::float64, layer);
  REQUIRE(run.y.get(0) == 1.5);
  REQUIRE(run.y.get(1) == -0.5);
  REQUIRE(std::isfinite(run.result.statistics.var[0]));
  REQUIRE(std::isinf(run.result.statistics.var_unbiased[0]));
  REQUIRE(differs(column(x), x, run, layer, Mode::train) == "");
}

TEST_CASE("A scale beyond the range of double keeps nothing from being right") {
  const View view{4, 2, 1};
  Array x(Dtype::float64, view.size());
  for (std::size_t i = 0; i < x.size(); ++i) x.set(i, 0.1);
  x.set(1, 0.1 + 1e-9);
  Layer layer(2, 1e-10);
  layer.gamma.assign(2, 1e308);  // 1e308 / sqrt(eps) is beyond
  const Run run = train(view, x, Dtype::float64, layer);
  REQUIRE(run.result.counts.overflows == 0);
  REQUIRE(differs(view, x, run, layer, Mode::train) == "");
}

TEST_CASE("Of ordinary data nothing has to be decided in integers, and next to nothing by pairs") {
  for (const View& view : {View{20000, 5, 1}, View{10, 10, 1000}}) {
    const Layer layer(view.channel);
    for (const Dtype dtype : data::kFloating) {
      const Array x = data::make(dtype, view, Kind::normal, 1);
      INFO(bn::name(dtype) << " " << support::text(view));
      for (const Run& run : {train(view, x, dtype, layer), test(view, x, dtype, layer)}) {
        REQUIRE(run.result.counts.exact == 0);
        if (dtype != Dtype::float64) REQUIRE(run.result.counts.closer <= 20);
      }
    }
  }
}

TEST_CASE("Parameters of another shape and an eps that is not positive are refused") {
  const View view{4, 3, 1};
  const Array x = data::make(Dtype::float32, view, Kind::normal, 1);
  Layer layer(3);
  layer.gamma.pop_back();
  REQUIRE_THROWS_AS(train(view, x, Dtype::float32, layer), std::invalid_argument);
  layer = Layer(3);
  layer.beta.push_back(0);
  REQUIRE_THROWS_AS(train(view, x, Dtype::float32, layer), std::invalid_argument);
  for (const double eps : {0.0, -1.0, std::nan("")}) {
    REQUIRE_THROWS_AS(train(view, x, Dtype::float32, Layer(3, eps)), std::invalid_argument);
  }
  layer = Layer(3);
  layer.running_var[1] = -1e-300;
  REQUIRE_THROWS_AS(test(view, x, Dtype::float32, layer), std::invalid_argument);
  layer = Layer(3);
  layer.running_mean.pop_back();
  REQUIRE_THROWS_AS(test(view, x, Dtype::float32, layer), std::invalid_argument);
}

TEST_CASE("Layers that are there but do nothing yet, and channels of one value, are no hard work") {
  for (const View& view : {View{2000, 5, 1}, View{10, 10, 100}}) {
    for (const Dtype x_dtype : {Dtype::float16, Dtype::float32, Dtype::float64, Dtype::int32}) {
      for (const Dtype y_dtype : data::kFloating) {
        const Array x = data::make(x_dtype, view, Kind::small_integers, 1);
        const Array same = data::make(x_dtype, view, Kind::constant, 1);
        for (const double beta : {0.0, 0.5, -0.0}) {
          Layer layer(view.channel);
          layer.beta.assign(view.channel, beta);
          INFO(bn::name(x_dtype) << " -> " << bn::name(y_dtype) << " " << beta);
          const Run constant = train(view, same, y_dtype, layer);
          layer.gamma.assign(view.channel, 0.0);
          for (const Run& run :
               {constant, train(view, x, y_dtype, layer), test(view, x, y_dtype, layer)}) {
            // All results are beta; -0.0 alone has to be looked at for its sign.
            const bool signs = std::signbit(beta);
            REQUIRE(run.result.counts.exact == 0);
            REQUIRE(run.result.counts.closer == (signs ? view.size() : 0));
          }
        }
        // A beta of -0.0 costs nothing where results are not 0.
        Layer layer(view.channel);
        layer.beta.assign(view.channel, -0.0);
        layer.running_mean.assign(view.channel, 0.3);
        REQUIRE(test(view, x, y_dtype, layer).result.counts.closer <= 20);
      }
    }
  }
}
