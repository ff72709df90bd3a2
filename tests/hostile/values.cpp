#include "values.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace hostile {
namespace {

using bn::Dtype;
using data::Random;

double largest(const Format& f) { return std::ldexp(2 - std::ldexp(1, 1 - f.digits), f.highest); }

// The scale of a channel: mostly an ordinary one.
int any_exponent(Random& random, const Format& f) {
  switch (random.below(6)) {
    case 0:
      return random.between(f.lowest, f.highest);
    case 1:
      return f.highest - random.between(0, 3);
    case 2:
      return f.lowest + random.between(0, f.digits + 3);
    default:
      return random.between(-9, 9);
  }
}

using Values = std::vector<double>;

Values ordinary(Random& random, const Format& f, std::size_t m) {
  const double scale = std::ldexp(1, any_exponent(random, f));
  const double mean = random.below(2) == 0 ? 0 : 3.0 * random.between(-30, 30);
  Values values(m);
  for (double& value : values) value = scale * (mean + random.normal());
  return values;
}

// Magnitudes of one to three sizes that have nothing to do with each other, or each of its own.
Values far_apart(Random& random, const Format& f, std::size_t m) {
  int exponents[3];
  for (int& exponent : exponents) exponent = any_exponent(random, f);
  const bool all = random.below(3) == 0;
  Values values(m);
  for (double& value : values) {
    const int exponent = all ? random.between(f.lowest, f.highest) : exponents[random.below(3)];
    value = either(random, odd(random, f.digits, exponent));
  }
  return values;
}

Values outlier(Random& random, const Format& f, std::size_t m) {
  Values values = ordinary(random, f, m);
  double& one = values[random.below(m)];
  one = std::ldexp(one, random.between(10, 300));
  return values;
}

// A mean that is up to 2^digits deviations away; at the end all values are the same but for their
// last bits.
Values far_mean(Random& random, const Format& f, std::size_t m) {
  const double mean = either(random, odd(random, f.digits, any_exponent(random, f)));
  const double deviation = std::ldexp(mean, -random.between(4, f.digits));
  Values values(m);
  for (double& value : values) value = mean + deviation * random.normal();
  return values;
}

Values near_constant(Random& random, const Format& f, std::size_t m) {
  const double constant = either(random, odd(random, f.digits, any_exponent(random, f)));
  const double unit = std::ldexp(1, std::max(std::ilogb(constant) - f.digits + 1, f.lowest));
  const int most = random.between(0, 2);
  Values values(m);
  for (double& value : values) value = constant + unit * random.between(-most, most);
  return values;
}

// a, -a, ... and values beside which the mean is not small at all.
Values cancelling(Random& random, const Format& f, std::size_t m) {
  const double large = odd(random, f.digits, any_exponent(random, f));
  const int tiny = any_exponent(random, f);
  Values values(m);
  for (std::size_t i = 0; i < m; ++i) {
    values[i] = i < m / 2 / 2 * 2 ? (i % 2 == 0 ? large : -large)
                                  : std::ldexp(random.normal(), std::min(tiny, f.highest - 4));
  }
  return values;
}

// The last value is the mean of all, as nearly as it can be; the first is next to nothing.
Values own_mean(Random& random, const Format& f, std::size_t m) {
  Values values = ordinary(random, f, m);
  for (double& value : values) value = std::ldexp(value, -4);  // room for their sum
  values[0] = std::ldexp(values[0], -random.between(1, 200));
  double sum = 0;
  for (std::size_t i = 0; i + 1 < m; ++i) sum += values[i];
  if (m > 1) values[m - 1] = sum / static_cast<double>(m - 1);
  return values;
}

Values binary(Random& random, const Format& f, std::size_t m) {
  const int exponent = any_exponent(random, f);
  const double low = random.below(2) == 0 ? 0 : odd(random, random.between(1, 4), exponent);
  const double high = random.below(2) == 0 ? -low : odd(random, random.between(1, 4), exponent);
  const bool alternating = random.below(2) == 0;
  Values values(m);
  for (std::size_t i = 0; i < m; ++i) {
    values[i] = (alternating ? i % 2 : random.below(2)) == 0 ? low : high;
  }
  return values;
}

Values rectified(Random& random, const Format& f, std::size_t m) {
  Values values = ordinary(random, f, m);
  for (double& value : values) {
    if (value < 0 || random.below(3) == 0) value = random.below(4) == 0 ? -0.0 : 0.0;
  }
  return values;
}

Values multiples(Random& random, std::size_t m, int unit) {
  const int most = random.below(2) == 0 ? 3 : 1000;
  Values values(m);
  for (double& value : values) value = std::ldexp(random.between(-most, most), unit);
  return values;
}

Values extremes(Random& random, const Format& f, std::size_t m) {
  const double all[] = {largest(f), -largest(f), std::ldexp(1, f.lowest), 1, 0};
  const std::size_t first = random.below(3);
  Values values(m);
  for (double& value : values) value = all[first + random.below(3)];
  return values;
}

Values one_of_all(Random& random, const Format& f, std::size_t m) {
  Values values(m, 0.0);
  values[random.below(m)] = either(random, odd(random, f.digits, any_exponent(random, f)));
  return values;
}

Values floating(Random& random, const Format& f, std::size_t m) {
  switch (random.below(13)) {
    case 0:
    case 1:
      return ordinary(random, f, m);
    case 2:
      return far_apart(random, f, m);
    case 3:
      return outlier(random, f, m);
    case 4:
      return far_mean(random, f, m);
    case 5:
      return near_constant(random, f, m);
    case 6:
      return cancelling(random, f, m);
    case 7:
      return own_mean(random, f, m);
    case 8:
      return binary(random, f, m);
    case 9:
      return rectified(random, f, m);
    case 10:
      return multiples(random, m, random.below(2) == 0 ? 0 : f.lowest);
    case 11:
      return extremes(random, f, m);
    default:
      return one_of_all(random, f, m);
  }
}

// Bits of a 64-bit integer that set_integer() cuts to the dtype's size. Unsigned, so that sums
// wrap round.
std::uint64_t any_integer(Random& random, const data::IntegerRange& range) {
  switch (random.below(5)) {
    case 0:
      return static_cast<std::uint64_t>(range.lowest);
    case 1:
      return range.highest;
    case 2:
      return range.highest / 2 + 1;
    case 3:
      return random.below(9);
    default:
      return random.next();
  }
}

void fill_integers(Random& random, data::Array& array, const std::vector<std::size_t>& positions) {
  const data::IntegerRange range = data::integer_range(array.dtype());
  const std::uint64_t base = any_integer(random, range);
  const std::uint64_t other = any_integer(random, range);
  const std::size_t kind = random.below(5);
  const std::size_t spread = 1 + random.below(random.below(2) == 0 ? 5 : 1000);
  for (const std::size_t position : positions) {
    std::uint64_t value = random.next();
    if (kind == 0) value = random.below(9);
    if (kind == 1) value = random.below(2) == 0 ? base : other;
    if (kind == 2) value = base + random.below(spread);
    if (kind == 3) value = base - random.below(spread);
    array.set_integer(position, static_cast<std::int64_t>(value));
  }
}

// As the dtype can hold it: not infinite.
void set_finite(data::Array& array, std::size_t position, double value) {
  const double most = largest(format(array.dtype()));
  array.set(position, std::isnan(value) ? 1 : std::clamp(value, -most, most));
}

}  // namespace

Format format(Dtype dtype) {
  if (dtype == Dtype::float16) return {11, -24, 15};
  if (dtype == Dtype::float32) return {24, -149, 127};
  return {53, -1074, 1023};
}

double odd(Random& random, int digits, int exponent) {
  const std::uint64_t top = std::uint64_t{1} << (digits - 1);
  const std::uint64_t significand = top | (random.next() % top) | 1;
  return std::ldexp(static_cast<double>(significand), exponent - digits + 1);
}

double either(Random& random, double magnitude) {
  return random.below(2) == 0 ? magnitude : -magnitude;
}

double any_double(Random& random) {
  const Format f = format(Dtype::float64);
  switch (random.below(6)) {
    case 0:
      return either(random, 5e-324);
    case 1:
      return either(random, largest(f));
    case 2:
      return either(random, std::ldexp(1, random.between(f.lowest, f.highest)));
    default:
      return either(random, odd(random, 53, any_exponent(random, f)));
  }
}

void fill(Random& random, data::Array& array, const std::vector<std::size_t>& positions) {
  if (!bn::is_floating(array.dtype())) return fill_integers(random, array, positions);
  const Values values = floating(random, format(array.dtype()), positions.size());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    set_finite(array, positions[i], values[i]);
  }
}

void fill_simply(Random& random, data::Array& array, const std::vector<std::size_t>& positions) {
  const bool in_turn = random.below(2) == 0;
  const int unit = bn::is_floating(array.dtype()) ? random.between(-6, 6) : 0;
  const int low = random.between(0, 3);
  const int high = random.between(-3, 3);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const int value = in_turn ? (i % 2 == 0 ? low : high) : random.between(-3, 3);
    set_finite(array, positions[i], std::ldexp(value, unit));
  }
}

void fill_with_line(Random& random, const data::Array& of, data::Array& array,
                    const std::vector<std::size_t>& positions) {
  const bool simple = random.below(2) == 0;
  const double slope = simple ? random.between(-4, 4) : random.normal();
  const double offset = simple ? random.between(-4, 4) : random.normal();
  const int noise = random.below(2) == 0 ? 0 : random.between(1, 60);
  for (const std::size_t position : positions) {
    double value = slope * of.exact(position).get_d() + offset;
    if (noise != 0) value += std::ldexp(value * random.normal(), -noise);
    set_finite(array, position, value);
  }
}

}  // namespace hostile
