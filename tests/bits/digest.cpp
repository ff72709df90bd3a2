// Prints a digest of the bits of all results for many shapes and dtypes: one line each. The lines
// have to be those of digest.txt, whatever compiler, instruction set or architecture ran this.
//
// Needs the library and nothing else, so that it can be built for any machine.

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "bn/backward.hpp"
#include "bn/forward.hpp"
#include "bn/kernels/kernels.hpp"

namespace {

using bn::Dtype;
using bn::View;

// SplitMix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15U;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

struct Format {
  int significand, exponent;  // bits
};
Format format(Dtype dtype) {
  return dtype == Dtype::float16   ? Format{10, 5}
         : dtype == Dtype::float32 ? Format{23, 8}
                                   : Format{52, 11};
}

// Values are made of bits, so that no arithmetic of the machine takes part: magnitudes in
// [2^-spread, 2), some zeros and, with `far`, some values a hundred powers of two away.
std::vector<std::byte> make(Dtype dtype, std::size_t n, int spread, bool far, std::uint64_t seed) {
  const std::size_t item = bn::item_size(dtype);
  std::vector<std::byte> bytes(n * item);
  Random random(seed);
  for (std::size_t i = 0; i < n; ++i) {
    std::uint64_t bits = random.next();
    if (bn::is_floating(dtype)) {
      const Format f = format(dtype);
      const int bias = (1 << (f.exponent - 1)) - 1;
      const auto choice = random.next();
      auto field =
          static_cast<std::uint64_t>(bias) - choice % static_cast<std::uint64_t>(spread + 1);
      if (far && (choice >> 32) % 97 == 0) field = 1 + (choice >> 40 & 1);
      const std::uint64_t sign = bits >> 63;
      bits = (bits & ((std::uint64_t{1} << f.significand) - 1)) | field << f.significand |
             sign << (f.significand + f.exponent);
      if ((choice >> 48) % 31 == 0) bits = 0;
    }
    std::memcpy(bytes.data() + i * item, &bits, item);
  }
  return bytes;
}

class Array : public bn::Source, public bn::Sink {
 public:
  Array(Dtype dtype, std::vector<std::byte> bytes) : dtype_(dtype), bytes_(std::move(bytes)) {}

  [[nodiscard]] Dtype dtype() const override { return dtype_; }
  [[nodiscard]] bool sequential() const override { return false; }
  [[nodiscard]] bool copies() const override { return false; }
  [[nodiscard]] bn::Rows load(const View& view, const bn::Tile& tile, std::byte*) override {
    return {at(view, tile), stride(view)};
  }
  [[nodiscard]] bn::MutableRows place(const View& view, const bn::Tile& tile, std::byte*) override {
    return {at(view, tile), stride(view)};
  }
  void store(const View&, const bn::Tile&, bn::MutableRows) override {}

  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::byte* at(const View& view, const bn::Tile& tile) {
    return bytes_.data() + tile.position(view, 0) * bn::item_size(dtype_);
  }
  [[nodiscard]] std::size_t stride(const View& view) const {
    return view.channel * view.inner * bn::item_size(dtype_);
  }

  Dtype dtype_;
  std::vector<std::byte> bytes_;
};

// FNV-1a.
class Digest {
 public:
  void add(const void* data, std::size_t n) {
    const auto* bytes = static_cast<const unsigned char*>(data);
    for (std::size_t i = 0; i < n; ++i) value_ = (value_ ^ bytes[i]) * 0x100000001b3U;
  }
  void add(const std::vector<double>& values) {
    add(values.data(), values.size() * sizeof(double));
  }
  void add(const std::vector<std::byte>& bytes) { add(bytes.data(), bytes.size()); }
  void add(const bn::Dyadic& value) {
    const std::string text = value.to_string();
    add(text.data(), text.size() + 1);
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

void print(const View& view, Dtype x_dtype, Dtype dy_dtype, Dtype dtype, int spread, bool far) {
  Array x(x_dtype, make(x_dtype, view.size(), spread, far, 1 + view.size()));
  Array dy(dy_dtype, make(dy_dtype, view.size(), spread, far, 2 + view.size()));
  Array y(dtype, std::vector<std::byte>(view.size() * bn::item_size(dtype)));
  Array dx = y;
  std::vector<double> gamma(view.channel);
  std::vector<double> beta(view.channel);
  for (std::size_t c = 0; c < view.channel; ++c) {
    gamma[c] = 1.0 / static_cast<double>(c + 1);
    beta[c] = 0.1 * static_cast<double>(c % 7) - 0.3;
  }
  const double eps = 1e-5;
  const bn::Execution execution{.threads = 2};

  Digest digest;
  const auto forward =
      bn::forward_train(view, x, {gamma, beta, eps}, y, execution, bn::Checksum::of_x);
  digest.add(y.bytes());
  digest.add(forward.statistics.mean);
  digest.add(forward.statistics.var);
  if (view.m() > 1) digest.add(forward.statistics.var_unbiased);
  for (std::size_t c = 0; c < view.channel; ++c) {
    digest.add(forward.sums.sum[c]);
    digest.add(forward.sums.sum_squares[c]);
  }
  digest.add(&forward.x_checksum, sizeof forward.x_checksum);
  digest.add(&forward.counts.overflows, sizeof forward.counts.overflows);

  const auto backward = bn::backward_train(view, x, dy, &forward.sums, gamma, eps, &dx, execution);
  digest.add(dx.bytes());
  digest.add(backward.dgamma);
  digest.add(backward.dbeta);

  const auto& mean = forward.statistics.mean;
  const auto& var = forward.statistics.var;
  (void)bn::forward_test(view, x, mean, var, {gamma, beta, eps}, y, execution);
  digest.add(y.bytes());
  const auto test = bn::backward_test(view, x, dy, mean, var, gamma, eps, &dx, execution);
  digest.add(dx.bytes());
  digest.add(test.dgamma);

  std::printf("%016" PRIx64 " (%zu, %zu, %zu) %.*s %.*s -> %.*s, 2^-%d%s\n", digest.value(),
              view.outer, view.channel, view.inner, static_cast<int>(bn::name(x_dtype).size()),
              bn::name(x_dtype).data(), static_cast<int>(bn::name(dy_dtype).size()),
              bn::name(dy_dtype).data(), static_cast<int>(bn::name(dtype).size()),
              bn::name(dtype).data(), spread, far ? " and far" : "");
}

}  // namespace

int main() {
  std::fprintf(stderr, "instruction set: %s\n", bn::kernels::table().instruction_set);
  const View views[] = {{2, 3, 1},     {40, 7, 1},   {33, 17, 1},   {9, 513, 1},
                        {129, 100, 1}, {6, 3, 9},    {3, 2, 49},    {5, 4, 257},
                        {2, 3, 1025},  {1, 2, 4097}, {1000, 16, 1}, {8, 8, 400}};
  for (const View& view : views) {
    for (int d = 0; d <= static_cast<int>(Dtype::uint64); ++d) {
      const auto dtype = static_cast<Dtype>(d);
      const Dtype same = bn::is_floating(dtype) ? dtype : Dtype::float64;
      print(view, dtype, same, same, 8, false);
      print(view, dtype, Dtype::float32, Dtype::float32, 12, false);
    }
    for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
      for (const int spread : {17, 18, 19, 21, 22, 23, 60}) {
        print(view, dtype, dtype, dtype, spread, false);
      }
      print(view, dtype, dtype, Dtype::float64, 8, true);
      print(view, dtype, Dtype::float64, Dtype::float16, 8, true);
    }
  }
  // Large enough for two threads.
  print({300, 40, 30}, Dtype::float32, Dtype::float32, Dtype::float32, 12, true);
  print({9000, 32, 1}, Dtype::float64, Dtype::float64, Dtype::float64, 12, false);
}
