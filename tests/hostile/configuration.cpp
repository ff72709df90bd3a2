#include "configuration.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>

#include "oracle.hpp"
#include "values.hpp"

namespace hostile {
namespace {

using bn::Dtype;
using bn::View;
using data::Random;

Dtype any_floating(Random& random) { return data::kFloating[random.below(3)]; }

// Integers less often: there are many of them.
Dtype any_dtype(Random& random) {
  return random.below(3) == 0 ? data::kDtypes[random.below(std::size(data::kDtypes))]
                              : any_floating(random);
}

// A power of two of values, so that the mean has few digits.
View simple_view(Random& random) {
  return {std::size_t{2} << random.below(3), 1 + random.below(2),
          std::size_t{1} << random.below(3)};
}

// Mostly tiny; now and then longer than what is worked on at a time, of runs and across channels.
View any_view(Random& random, bool training) {
  View view{1 + random.below(8), 1 + random.below(3), 1 + random.below(3)};
  switch (random.below(400)) {
    case 0:
      view = {1 + random.below(2), 1, 1020 + random.below(50)};
      break;
    case 1:
      view = {1020 + random.below(50), 1 + random.below(2), 1};
      break;
    case 2:  // more channels than are remembered at a time
      view = {2 + random.below(2), 65 + random.below(20), 1};
      break;
    default:
      if (random.below(3) == 0) view = {1 + random.below(24), 1 + random.below(5), 1};
      if (random.below(8) == 0)
        view = {1 + random.below(2), 1 + random.below(3), 1 + random.below(40)};
      if (random.below(30) == 0) view = {2 + random.below(3), 15 + random.below(20), 1};
  }
  if (training && view.m() < 2) view.outer = 2;
  return view;
}

// Below, no expression draws two numbers at once: compilers would draw them in different orders.

// An eps that makes var + eps the square of a number of few bits, where a double can be it: then
// inv_std is a fraction, and ties are not rare.
double eps_of_square(Random& random, const mpq_class& var) {
  const double rounded = oracle::nearest(var);
  if (!std::isfinite(rounded)) return 1e-5;
  int exponent = rounded == 0 ? random.between(-500, 500) : std::ilogb(std::sqrt(rounded));
  exponent += random.between(0, 2);
  const int odd_root = random.below(2) == 0 ? 1 : 1 + 2 * random.between(0, 4);
  const mpq_class root(std::ldexp(odd_root, exponent));
  const mpq_class rest = root * root - var;
  const double eps = oracle::nearest(rest);
  return eps > 0 && std::isfinite(eps) && mpq_class(eps) == rest ? eps : 1e-5;
}

double any_eps(Random& random, const mpq_class& var) {
  constexpr double kOrdinary[] = {1e-5, 1e-3, 1e-12};
  constexpr double kRare[] = {5e-324, 1e-310, 1e-290, 1e-100, 1, 1e100, 1e308};
  switch (random.below(6)) {
    case 0:
    case 1:
      return eps_of_square(random, var);
    case 2:
      return kRare[random.below(std::size(kRare))];
    case 3:
      return std::fabs(any_double(random));
    case 4: {
      const double near = std::ldexp(oracle::nearest(var), random.between(-70, 70));
      return near > 0 && std::isfinite(near) ? near : 1e-5;
    }
    default:
      return kOrdinary[random.below(std::size(kOrdinary))];
  }
}

double any_running_mean(Random& random, const std::vector<mpq_class>& x) {
  const double element = oracle::nearest(x[random.below(x.size())]);
  switch (random.below(6)) {
    case 0:
      return random.below(2) == 0 ? 0.0 : -0.0;
    case 1:
      return element;
    case 2: {
      const int bits = random.between(1, 52);
      return element * (1 + std::ldexp(random.normal(), -bits));
    }
    case 3:
      return any_double(random);
    case 4:
      return random.between(-3, 3);
    default:
      return oracle::nearest(oracle::statistics(x).mean);
  }
}

double any_running_var(Random& random, const std::vector<mpq_class>& x) {
  switch (random.below(5)) {
    case 0:
      return random.below(2) == 0 ? 0.0 : 1.7e308;
    case 1:
      return std::fabs(any_double(random));
    case 2:
      return oracle::nearest(oracle::statistics(x).var);
    case 3:
      return random.between(0, 4);
    default:
      return 0.5 + random.unit();
  }
}

double finite_or(double value, double otherwise) {
  return std::isfinite(value) ? value : otherwise;
}

// A gamma that takes `unscaled`, a result for gamma = 1, to where rounding is hard: to the ends of
// the range, among subnormal values, to a bit more than the dtype has.
double aimed_gamma(Random& random, double unscaled, Dtype dtype) {
  if (unscaled == 0 || !std::isfinite(unscaled)) return 1;
  const Format f = format(dtype);
  int target = random.between(f.lowest, f.highest);
  switch (random.below(4)) {
    case 0:
      target = f.highest + random.between(-1, 1);
      break;
    case 1:
      target = f.lowest + random.between(-2, 4);
      break;
    case 2:
      target = random.between(-5, 5);
      break;
    default:
      break;
  }
  const int digits = std::min(f.digits + random.between(0, 1), 53);
  const int exponent = target - std::ilogb(unscaled);
  double gamma = odd(random, digits, exponent);
  switch (random.below(4)) {
    case 0:
      gamma = std::ldexp(2 - std::ldexp(1, 1 - digits), exponent);  // all bits set
      break;
    case 1:
      gamma = odd(random, random.between(1, 8), exponent);
      break;
    default:
      break;
  }
  return either(random, finite_or(gamma, 1));
}

// y and dx: of some element, for gamma = 1 and beta = 0.
double any_gamma(Random& random, const std::function<double()>& y, Dtype y_dtype,
                 const std::function<double()>& dx, Dtype dx_dtype) {
  switch (random.below(7)) {
    case 0:
      return 1;
    case 1:
      return any_double(random);
    case 2: {
      constexpr double kRare[] = {0.0, -0.0, 1e300, -1e300, 1e-300, 5e-324};
      return kRare[random.below(std::size(kRare))];
    }
    case 3:
      return random.normal();
    case 4:
    case 5:
      return aimed_gamma(random, y(), y_dtype);
    default:
      return aimed_gamma(random, dx(), dx_dtype);
  }
}

// `y`: what beta is added to for one of the elements, nearly.
double any_beta(Random& random, double y, Dtype dtype) {
  const Format f = format(dtype);
  const bool usable = y != 0 && std::isfinite(y);
  switch (usable ? random.below(8) : random.below(5)) {
    case 0:
      return 0.0;
    case 1:
      return -0.0;
    case 2:
      return any_double(random);
    case 3:
      return random.normal();
    case 4:
      return 0.5 * random.between(-9, 9);
    case 5: {  // all of it, or all but its last bits
      const int bits = random.between(std::min(f.digits, 52), 52);
      return finite_or(-y * (1 + std::ldexp(random.between(-2, 2), -bits)), -y);
    }
    case 6:  // half a unit in the last place
      return std::ldexp(1 + 2 * random.between(-2, 1),
                        std::max(std::ilogb(y) - f.digits, f.lowest - 1));
    default: {  // beside it by many digits
      const int shift = random.between(-130, 130);
      return finite_or(std::ldexp(either(random, y), shift), 1);
    }
  }
}

void set_parameters(Random& random, Configuration& c, bool simple) {
  const std::size_t for_eps = random.below(c.view.channel);
  for (std::size_t i = 0; i < c.view.channel; ++i) {
    const auto x = c.x.channel(c.view, i);
    c.running_mean.push_back(finite_or(any_running_mean(random, x), 1));
    c.running_var.push_back(finite_or(any_running_var(random, x), 1));
  }
  const mpq_class var = c.training ? oracle::statistics(c.x.channel(c.view, for_eps)).var
                                   : mpq_class(c.running_var[for_eps]);
  c.eps = simple ? eps_of_square(random, var) : any_eps(random, var);
  for (std::size_t i = 0; i < c.view.channel; ++i) {
    const auto x = c.x.channel(c.view, i);
    const auto dy = c.dy.channel(c.view, i);
    const oracle::Centre centre =
        c.training ? oracle::of_batch(x, c.eps)
                   : oracle::of_running(c.running_mean[i], c.running_var[i], c.eps);
    const std::size_t element = random.below(x.size());
    const auto y = [&](double gamma) {
      return oracle::y(Dtype::float64, x[element], centre, gamma, 0).value;
    };
    const auto dx = [&] {
      const oracle::Gradients gradients =
          c.training ? oracle::gradients_train(Dtype::float64, x, dy, 1, c.eps)
                     : oracle::gradients_test(Dtype::float64, x, dy, c.running_mean[i],
                                              c.running_var[i], 1, c.eps);
      return gradients.dx[element].value;
    };
    c.gamma.push_back(any_gamma(
        random, [&] { return y(1); }, c.y_dtype, dx, c.dx_dtype));
    c.beta.push_back(any_beta(random, y(c.gamma[i]), c.y_dtype));
  }
}

// NaN and infinities, which test mode has to keep in their places.
void spoil(Random& random, data::Array& array) {
  if (!bn::is_floating(array.dtype())) return;
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr double kAll[] = {kInfinity, -kInfinity, std::numeric_limits<double>::quiet_NaN()};
  for (int i = 0; i < 2; ++i) {
    const double value = kAll[random.below(3)];
    array.set(random.below(array.size()), value);
  }
}

void print(std::ostream& out, const char* name, const data::Array& array) {
  out << name << ": " << bn::name(array.dtype());
  for (std::size_t i = 0; i < array.size(); ++i) {
    out << ' ';
    if (bn::is_floating(array.dtype())) {
      out << array.get(i);
    } else {
      out << array.exact(i);
    }
  }
  out << '\n';
}

void print(std::ostream& out, const char* name, const std::vector<double>& values) {
  out << name << ':';
  for (const double value : values) out << ' ' << value;
  out << '\n';
}

}  // namespace

Configuration make(std::uint64_t seed, std::uint64_t number) {
  Random of_seed(seed);
  Random random(of_seed.next() + number);
  const bool training = random.below(2) == 0;
  const bool simple = random.below(5) == 0;  // where ties are frequent
  const View view = simple ? simple_view(random) : any_view(random, training);
  Configuration c{.view = view,
                  .x = data::Array(any_dtype(random), view.size()),
                  .dy = data::Array(any_dtype(random), view.size()),
                  .training = training,
                  .y_dtype = any_floating(random),
                  .dx_dtype = any_floating(random)};
  for (std::size_t i = 0; i < view.channel; ++i) {
    const auto positions = c.x.positions(view, i);
    if (simple) {
      fill_simply(random, c.x, positions);
      fill_simply(random, c.dy, positions);
      continue;
    }
    fill(random, c.x, positions);
    if (random.below(5) == 0) {
      fill_with_line(random, c.x, c.dy, positions);
    } else {
      fill(random, c.dy, positions);
    }
  }
  set_parameters(random, c, simple);
  if (!training && random.below(40) == 0) spoil(random, random.below(2) == 0 ? c.x : c.dy);
  if (random.below(3) == 0) {
    if (c.x.dtype() == c.y_dtype) c.y_over = Over::x;
    if (c.x.dtype() == c.dx_dtype) c.dx_over = Over::x;
    if (c.dy.dtype() == c.dx_dtype && random.below(2) == 0) c.dx_over = Over::dy;
  }
  c.cached = training && random.below(2) == 0;
  c.copies = random.below(8) == 0;
  c.many_tiles = random.below(50) == 0;
  return c;
}

std::string text(const Configuration& c) {
  std::ostringstream out;
  out << std::hexfloat;
  out << "mode: " << (c.training ? "train" : "test") << (c.cached ? ", sums given to backward" : "")
      << (c.copies ? ", copying" : "") << (c.many_tiles ? ", many tiles" : "") << '\n';
  out << "view: (" << c.view.outer << ", " << c.view.channel << ", " << c.view.inner << ")\n";
  print(out, "x", c.x);
  print(out, "dy", c.dy);
  out << "y: " << bn::name(c.y_dtype) << (c.y_over == Over::x ? " over x" : "") << '\n';
  out << "dx: " << bn::name(c.dx_dtype)
      << (c.dx_over == Over::x    ? " over x"
          : c.dx_over == Over::dy ? " over dy"
                                  : "")
      << '\n';
  print(out, "gamma", c.gamma);
  print(out, "beta", c.beta);
  if (!c.training) {
    print(out, "running_mean", c.running_mean);
    print(out, "running_var", c.running_var);
  }
  print(out, "eps", {c.eps});
  return out.str();
}

}  // namespace hostile
