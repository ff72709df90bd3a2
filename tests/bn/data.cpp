#include "data.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "oracle.hpp"

namespace data {
namespace {

using bn::Dtype;

// Exponents of a floating dtype: of the smallest subnormal value and of the largest power of two.
struct Exponents {
  int digits, lowest, highest;
};
Exponents exponents(Dtype dtype) {
  if (dtype == Dtype::float16) return {11, -24, 15};
  if (dtype == Dtype::float32) return {24, -149, 127};
  return {53, -1074, 1023};
}

double largest(Dtype dtype) {
  const Exponents e = exponents(dtype);
  return std::ldexp(2 - std::ldexp(1, 1 - e.digits), e.highest);
}

// A value with a random significand and this exponent.
double with_exponent(Random& random, Dtype dtype, int exponent) {
  const int digits = exponents(dtype).digits;
  const std::uint64_t significand = (random.next() >> (65 - digits)) | std::uint64_t{1}
                                                                           << (digits - 1);
  const double magnitude = std::ldexp(static_cast<double>(significand), exponent - digits + 1);
  return random.below(2) == 0 ? magnitude : -magnitude;
}

double floating(Random& random, Dtype dtype, Kind kind, std::uint64_t variant, std::size_t i,
                std::size_t c, std::size_t size) {
  const Exponents e = exponents(dtype);
  const bool half = dtype == Dtype::float16;
  switch (kind) {
    case Kind::normal:
      return 3 + 2 * random.normal();
    case Kind::far_mean:
      if (half) return 1000 + random.normal();
      if (dtype == Dtype::float32) return 1e5 + 0.1 * random.normal();
      return 1e8 + random.normal();
    case Kind::outlier_first:
      if (i == 0) return half ? 6e4 : dtype == Dtype::float32 ? 1e7 : 1e8;
      return random.normal();
    case Kind::small_integers:
      return static_cast<double>(random.between(-7, 7));
    case Kind::constant: {
      constexpr double kConstants[] = {0.1, 100, 1e7, 1e30};
      const double constant = kConstants[(variant + c) % 4];
      return half ? std::min(constant, 6e4) : constant;
    }
    case Kind::alternating:
      return (i % 2 == 0 ? 1 : -1) * (1 + 1e-3 * random.unit());
    case Kind::drifting: {
      const auto stage = static_cast<int>(i / 90 % 12);
      if (stage == 4) return 0;
      const int rise = stage < 6 ? stage : 12 - stage;
      return with_exponent(random, dtype, (half ? 2 : 9) * (rise - 3) - random.between(0, 3));
    }
    case Kind::mixed:
      return i % 700 == 5 ? with_exponent(random, dtype, half ? -20 : -40) : random.normal();
    case Kind::window_edge: {
      const int spread = static_cast<int>((dtype == Dtype::float64 ? 17 : 21) + variant % 3);
      const int top = half ? 8 : 40;
      // Both ends are there, in every place of a vector.
      const int exponent = i % 17 == 3   ? top
                           : i % 19 == 5 ? top - spread
                                         : random.between(top - spread, top);
      return with_exponent(random, dtype, std::max(exponent, e.lowest + e.digits));
    }
    case Kind::huge_and_tiny:
      return i == size / 2 ? largest(dtype) / 4
                           : with_exponent(random, dtype, e.lowest + e.digits + 3);
    case Kind::cancellation: {
      const double huge = half ? 6e4 : 1e30;
      return i % 3 == 0 ? huge : i % 3 == 1 ? 1 : -huge;
    }
    case Kind::denormals:
      return std::ldexp(static_cast<double>(random.between(-1000, 1000)), e.lowest);
    case Kind::whole_range:
      return with_exponent(random, dtype, random.between(e.lowest, e.highest));
    case Kind::extremes:
      switch (random.below(4)) {
        case 0:
          return largest(dtype);
        case 1:
          return -largest(dtype);
        case 2:
          return std::ldexp(1, e.lowest);
        default:
          return 1;
      }
    case Kind::zeros:
      return i % 2 == 0 ? 0.0 : -0.0;
  }
  return 0;
}

std::int64_t integer(Random& random, Dtype dtype, Kind kind, std::uint64_t variant, std::size_t i,
                     std::size_t c, std::size_t size) {
  const IntegerRange range = integer_range(dtype);
  const auto lowest = range.lowest;
  const auto highest = static_cast<std::int64_t>(range.highest);  // uint64: -1, all its bits
  const std::int64_t far = static_cast<std::int64_t>(range.highest / 2);  // 2^62 for int64
  switch (kind) {
    case Kind::normal:
      return static_cast<std::int64_t>(std::max(0.0, 60 + 10 * random.normal()));
    case Kind::far_mean:
      // Unsigned, as the values of uint64 lie beyond those of int64 here.
      return static_cast<std::int64_t>(static_cast<std::uint64_t>(far) + random.below(9));
    case Kind::outlier_first:
      return i == 0 ? highest : static_cast<std::int64_t>(random.below(9));
    case Kind::small_integers:
    case Kind::denormals:
      return static_cast<std::int64_t>(random.below(8));
    case Kind::constant:
      return (variant + c) % 2 == 0 ? highest : lowest + 1;
    case Kind::alternating:
    case Kind::cancellation:
      return i % 2 == 0 ? highest : lowest + 1;
    case Kind::drifting:
      return static_cast<std::int64_t>((i / 90 % 5) * (range.highest / 5));
    case Kind::mixed:
    case Kind::window_edge:
      return random.below(3) == 0 ? static_cast<std::int64_t>(random.below(3)) : far;
    case Kind::huge_and_tiny:
      return i == size / 2 ? lowest : 1;
    case Kind::whole_range: {
      const auto bits = random.next();
      return dtype == Dtype::int64 || dtype == Dtype::uint64
                 ? static_cast<std::int64_t>(bits)
                 : lowest + static_cast<std::int64_t>(
                                bits % (range.highest - static_cast<std::uint64_t>(lowest)));
    }
    case Kind::extremes:
      return random.below(2) == 0 ? lowest : highest;
    case Kind::zeros:
      return 0;
  }
  return 0;
}

template <class T>
void put(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

Moved move(const bn::View& view, const Array& array, bn::View target,
           std::size_t (*position)(const bn::View&, std::size_t o, std::size_t c, std::size_t i)) {
  Moved moved{target, Array(array.dtype(), array.size()), std::vector<std::size_t>(array.size())};
  const std::size_t item = bn::item_size(array.dtype());
  for (std::size_t o = 0, k = 0; o < view.outer; ++o) {
    for (std::size_t c = 0; c < view.channel; ++c) {
      for (std::size_t i = 0; i < view.inner; ++i, ++k) {
        const std::size_t to = position(view, o, c, i);
        std::memcpy(moved.array.at(to), array.at(k), item);
        moved.from[to] = k;
      }
    }
  }
  return moved;
}

}  // namespace

std::uint64_t Random::next() {
  std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

int Random::between(int low, int high) {
  return low + static_cast<int>(below(static_cast<std::size_t>(high - low) + 1));
}

double Random::normal() {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += unit();
  return sum;
}

Array::Array(Dtype dtype, std::size_t size)
    : dtype_(dtype), item_(bn::item_size(dtype)), size_(size), bytes_(size * item_) {}

void Array::set(std::size_t i, double value) {
  switch (dtype_) {
    case Dtype::float16:
      return put(at(i), oracle::half_bits(value));
    case Dtype::float32:
      return put(at(i), static_cast<float>(value));
    case Dtype::float64:
      return put(at(i), value);
    default: {
      const IntegerRange range = integer_range(dtype_);
      const double bounded = std::clamp(value, static_cast<double>(range.lowest),
                                        std::min(static_cast<double>(range.highest), 0x1p62));
      set_integer(i, static_cast<std::int64_t>(bounded));
    }
  }
}

void Array::set_integer(std::size_t i, std::int64_t value) {
  if (bn::is_floating(dtype_)) return set(i, static_cast<double>(value));
  std::memcpy(at(i), &value, item_);  // little-endian, as every machine this runs on
}

double Array::get(std::size_t i) const {
  if (dtype_ == Dtype::float16) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, at(i), sizeof bits);
    return oracle::half_value(bits);
  }
  if (dtype_ == Dtype::float32) {
    float value = 0;
    std::memcpy(&value, at(i), sizeof value);
    return static_cast<double>(value);
  }
  double value = 0;
  std::memcpy(&value, at(i), sizeof value);
  return value;
}

mpq_class Array::exact(std::size_t i) const { return oracle::value(dtype_, at(i)); }

std::vector<std::size_t> Array::positions(const bn::View& view, std::size_t c) const {
  std::vector<std::size_t> result;
  for (std::size_t o = 0; o < view.outer; ++o) {
    for (std::size_t i = 0; i < view.inner; ++i) {
      result.push_back((o * view.channel + c) * view.inner + i);
    }
  }
  return result;
}

std::vector<mpq_class> Array::channel(const bn::View& view, std::size_t c) const {
  std::vector<mpq_class> result;
  for (const std::size_t position : positions(view, c)) result.push_back(exact(position));
  return result;
}

IntegerRange integer_range(Dtype dtype) {
  const auto bits = static_cast<unsigned>(8 * bn::item_size(dtype));
  if (dtype >= Dtype::uint8) return {0, ~std::uint64_t{0} >> (64 - bits)};
  return {static_cast<std::int64_t>(~std::uint64_t{0} << (bits - 1)),
          ~std::uint64_t{0} >> (65 - bits)};
}

std::string name(Kind kind) {
  constexpr const char* kNames[] = {
      "normal",       "far mean",  "outlier first", "small integers", "constant",
      "alternating",  "drifting",  "mixed",         "window edge",    "huge and tiny",
      "cancellation", "denormals", "whole range",   "extremes",       "zeros"};
  return kNames[static_cast<std::size_t>(kind)];
}

Array make(Dtype dtype, const bn::View& view, Kind kind, std::uint64_t variant) {
  Random random(1000 * static_cast<std::uint64_t>(kind) + 100 * static_cast<unsigned>(dtype) +
                variant);
  Array array(dtype, view.size());
  for (std::size_t o = 0, k = 0; o < view.outer; ++o) {
    for (std::size_t c = 0; c < view.channel; ++c) {
      for (std::size_t i = 0; i < view.inner; ++i, ++k) {
        const std::size_t of_channel = o * view.inner + i;
        if (bn::is_floating(dtype)) {
          array.set(k, floating(random, dtype, kind, variant, of_channel, c, view.m()));
        } else {
          array.set_integer(k, integer(random, dtype, kind, variant, of_channel, c, view.m()));
        }
      }
    }
  }
  return array;
}

bool has_statistics(Dtype dtype, Kind kind) {
  return dtype != Dtype::float64 ||
         (kind != Kind::huge_and_tiny && kind != Kind::whole_range && kind != Kind::extremes);
}

bn::Rows ArraySource::load(const bn::View& view, const bn::Tile& tile, std::byte* scratch) {
  const std::size_t item = bn::item_size(array_.dtype());
  if (access_ == Access::in_place) {
    return {array_.at(tile.position(view, 0)), view.channel * view.inner * item};
  }
  const std::size_t row = tile.row_size();
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    const std::size_t position = tile.position(view, r);
    if (access_ == Access::sequential) {
      if (position != expected_) throw std::logic_error("a stream is read out of order");
      expected_ += row;
    }
    std::memcpy(scratch + r * row * item, array_.at(position), row * item);
  }
  return {scratch, row * item};
}

bn::MutableRows ArraySink::place(const bn::View& view, const bn::Tile& tile, std::byte* scratch) {
  const std::size_t item = bn::item_size(array_.dtype());
  if (access_ == Access::in_place) {
    return {array_.at(tile.position(view, 0)), view.channel * view.inner * item};
  }
  return {scratch, tile.row_size() * item};
}

void ArraySink::store(const bn::View& view, const bn::Tile& tile, bn::MutableRows rows) {
  if (access_ == Access::in_place) return;
  const std::size_t item = bn::item_size(array_.dtype());
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    const std::size_t position = tile.position(view, r);
    if (access_ == Access::sequential) {
      if (position != expected_) throw std::logic_error("a stream is written out of order");
      expected_ += tile.row_size();
    }
    std::memcpy(array_.at(position), rows.data + r * rows.stride, tile.row_size() * item);
  }
}

Moved channels_last(const bn::View& view, const Array& array) {
  return move(view, array, {view.m(), view.channel, 1},
              [](const bn::View& v, std::size_t o, std::size_t c, std::size_t i) {
                return (o * v.inner + i) * v.channel + c;
              });
}

Moved reversed(const bn::View& view, const Array& array) {
  return move(view, array, {view.inner, view.channel, view.outer},
              [](const bn::View& v, std::size_t o, std::size_t c, std::size_t i) {
                return (i * v.channel + c) * v.outer + o;
              });
}

}  // namespace data
