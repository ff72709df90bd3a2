// bn's library against oneDNN, in memory: the same shapes, layouts, memory and number of threads.
//
//   bench_memory [--small] [--rounds N]
//
// Prints tab-separated lines, times in milliseconds a call (medians over rounds), ratios being
// medians of the ratios of single rounds:
//
//   library  DIRECTION  LAYOUT  SHAPE  BN  ONEDNN         RATIO    ONEDNN'S IMPLEMENTATION
//   threads  DIRECTION  LAYOUT  SHAPE  BN  BN, 1 THREAD   SPEED-UP
#include <omp.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iomanip>
#include <iostream>
#include <memory>
#include <new>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <xtensor/xadapt.hpp>

#include "bn/bn.hpp"

namespace {

constexpr unsigned kThreads = 2;
constexpr float kEps = 1e-5F;

using Milliseconds = std::chrono::duration<double, std::milli>;
using Tag = dnnl::memory::format_tag;

struct Effort {
  int rounds = 7;
  Milliseconds per_round{200};    // at least, for each side
  std::size_t batch_divisor = 1;  // of the first dimension
};

// Cache lines whole, so that neither side pays for where malloc happened to put things.
class Buffer {
 public:
  explicit Buffer(std::size_t size) : size_(size), data_(allocate(size)) {}

  [[nodiscard]] std::span<float> values() { return {data_.get(), size_}; }
  [[nodiscard]] float* data() { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(float* data) const { ::operator delete(data, kAlignment); }
  };
  static float* allocate(std::size_t size) {
    return static_cast<float*>(::operator new(size * sizeof(float), kAlignment));
  }

  std::size_t size_;
  std::unique_ptr<float, Free> data_;
};

// Values about `centre`, triangular within 2 of it, with every bit of the mantissa in use.
void fill(std::span<float> values, float centre, std::uint64_t seed) {
  std::uint64_t state = seed;
  for (float& value : values) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const std::uint64_t bits = state ^ (state >> 29U);
    const auto sum = static_cast<double>((bits >> 32U) + (bits & 0xffffffffU));
    value = static_cast<float>(sum * 0x1p-31 - 2.0) + centre;
  }
}

struct Shape {
  const char* layout;
  std::vector<std::size_t> sizes;  // in memory order
  std::size_t axis;

  [[nodiscard]] std::size_t channels() const { return sizes[axis]; }
  [[nodiscard]] std::size_t size() const {
    std::size_t product = 1;
    for (const std::size_t size : sizes) product *= size;
    return product;
  }
  [[nodiscard]] std::string text() const {
    std::string list;
    for (const std::size_t size : sizes) list += (list.empty() ? "(" : ", ") + std::to_string(size);
    return list + ")";
  }
};

std::vector<Shape> all_shapes(std::size_t batch_divisor) {
  std::vector<Shape> shapes = {
      {"NCHW", {64, 64, 112, 112}, 1}, {"NCHW", {32, 256, 28, 28}, 1}, {"NCHW", {32, 512, 7, 7}, 1},
      {"NHWC", {64, 112, 112, 64}, 3}, {"NHWC", {32, 28, 28, 256}, 3}, {"NHWC", {32, 7, 7, 512}, 3},
      {"NC", {200000, 256}, 1},
  };
  for (Shape& shape : shapes) shape.sizes[0] /= batch_divisor;
  return shapes;
}

// What both sides read and write.
struct Arrays {
  explicit Arrays(const Shape& shape)
      : x(shape.size()), y(shape.size()), dy(shape.size()), dx(shape.size()) {
    fill(x.values(), 0.75F, 1);
    fill(dy.values(), 0.0F, 2);
    fill(y.values(), 0.0F, 3);  // touches the memory
    fill(dx.values(), 0.0F, 4);
    for (std::size_t c = 0; c < shape.channels(); ++c) {
      gamma.push_back(1.0F + static_cast<float>(c % 7) * 0.125F);
      beta.push_back(static_cast<float>(c % 5) * 0.25F);
    }
  }

  Buffer x, y, dy, dx;
  std::vector<float> gamma, beta;
};

auto adapt(Buffer& buffer, const Shape& shape) {
  return xt::adapt(buffer.data(), shape.size(), xt::no_ownership(), shape.sizes);
}

class Bn {
 public:
  Bn(const Shape& shape, Arrays& arrays, unsigned threads)
      : shape_(shape),
        arrays_(arrays),
        gamma_(arrays.gamma.begin(), arrays.gamma.end()),
        beta_(arrays.beta.begin(), arrays.beta.end()) {
    execution_.threads = threads;
  }

  void forward() {
    auto y = adapt(arrays_.y, shape_);
    sums_ =
        bn::forward(adapt(arrays_.x, shape_), axis(), {gamma_, beta_, kEps}, y, execution_).sums;
  }
  /// After forward(), whose sums it takes.
  void backward() {
    auto dx = adapt(arrays_.dx, shape_);
    bn::backward(adapt(arrays_.x, shape_), adapt(arrays_.dy, shape_), axis(), &sums_, gamma_, kEps,
                 dx, execution_);
  }

 private:
  [[nodiscard]] std::ptrdiff_t axis() const { return static_cast<std::ptrdiff_t>(shape_.axis); }

  const Shape& shape_;
  Arrays& arrays_;
  std::vector<double> gamma_, beta_;
  bn::Execution execution_;
  bn::Sums sums_;
};

// One way of telling oneDNN where the values are.
struct Description {
  dnnl::memory::dims dims;  // N, C, H, W
  Tag tag;
};

std::vector<Description> descriptions(const Shape& shape) {
  const dnnl::memory::dims d(shape.sizes.begin(), shape.sizes.end());
  if (d.size() == 2) {
    return {{d, Tag::nc}, {{d[0], d[1], 1, 1}, Tag::nhwc}, {{1, d[1], d[0], 1}, Tag::nhwc}};
  }
  if (shape.axis == 1) return {{d, Tag::nchw}};
  return {{{d[0], d[3], d[1], d[2]}, Tag::nhwc}};
}

// Primitives and all memory made beforehand; a call only executes.
class OneDnn {
 public:
  OneDnn(const Description& description, Arrays& arrays)
      : engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_),
        data_(description.dims, dnnl::memory::data_type::f32, description.tag),
        forward_pd_({dnnl::prop_kind::forward_training, data_, kEps, kFlags}, engine_),
        backward_pd_({dnnl::prop_kind::backward, data_, data_, kEps, kFlags}, engine_, forward_pd_),
        forward_(forward_pd_),
        backward_(backward_pd_),
        scale_shift_(forward_pd_.weights_desc(), engine_),
        diff_scale_shift_(backward_pd_.diff_weights_desc(), engine_),
        mean_(forward_pd_.mean_desc(), engine_),
        variance_(forward_pd_.variance_desc(), engine_),
        x_(data_, engine_, arrays.x.data()),
        y_(data_, engine_, arrays.y.data()),
        dy_(data_, engine_, arrays.dy.data()),
        dx_(data_, engine_, arrays.dx.data()) {
    auto* scale = static_cast<float*>(scale_shift_.get_data_handle());
    std::copy(arrays.gamma.begin(), arrays.gamma.end(), scale);
    std::copy(arrays.beta.begin(), arrays.beta.end(), scale + arrays.gamma.size());
  }

  void forward() {
    forward_.execute(stream_, {{DNNL_ARG_SRC, x_},
                               {DNNL_ARG_DST, y_},
                               {DNNL_ARG_SCALE_SHIFT, scale_shift_},
                               {DNNL_ARG_MEAN, mean_},
                               {DNNL_ARG_VARIANCE, variance_}});
    stream_.wait();
  }
  /// After forward(), whose mean and variance it takes.
  void backward() {
    backward_.execute(stream_, {{DNNL_ARG_SRC, x_},
                                {DNNL_ARG_DIFF_DST, dy_},
                                {DNNL_ARG_DIFF_SRC, dx_},
                                {DNNL_ARG_SCALE_SHIFT, scale_shift_},
                                {DNNL_ARG_DIFF_SCALE_SHIFT, diff_scale_shift_},
                                {DNNL_ARG_MEAN, mean_},
                                {DNNL_ARG_VARIANCE, variance_}});
    stream_.wait();
  }
  [[nodiscard]] std::string forward_implementation() const { return forward_pd_.impl_info_str(); }
  [[nodiscard]] std::string backward_implementation() const { return backward_pd_.impl_info_str(); }

 private:
  static constexpr auto kFlags = dnnl::normalization_flags::use_scale_shift;

  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::memory::desc data_;
  dnnl::batch_normalization_forward::primitive_desc forward_pd_;
  dnnl::batch_normalization_backward::primitive_desc backward_pd_;
  dnnl::batch_normalization_forward forward_;
  dnnl::batch_normalization_backward backward_;
  dnnl::memory scale_shift_, diff_scale_shift_, mean_, variance_, x_, y_, dy_, dx_;
};

using Call = std::function<void()>;

// Calls until `at_least` has passed, after one call that is not timed: the other side had the
// caches and the cores just before.
double milliseconds_a_call(const Call& call, Milliseconds at_least) {
  using Clock = std::chrono::steady_clock;
  call();
  int calls = 0;
  const auto start = Clock::now();
  Milliseconds elapsed{};
  do {
    call();
    ++calls;
    elapsed = Clock::now() - start;
  } while (elapsed < at_least);
  return elapsed.count() / calls;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

struct Comparison {
  double ours;
  double theirs;
  double ratio;  // ours / theirs, the median over rounds
};

// A B A B ...
Comparison compare(const Call& ours, const Call& theirs, const Effort& effort) {
  std::vector<double> our_times;
  std::vector<double> their_times;
  std::vector<double> ratios;
  for (int round = 0; round < effort.rounds; ++round) {
    our_times.push_back(milliseconds_a_call(ours, effort.per_round));
    their_times.push_back(milliseconds_a_call(theirs, effort.per_round));
    ratios.push_back(our_times.back() / their_times.back());
  }
  return {median(our_times), median(their_times), median(ratios)};
}

std::vector<float> sample(std::span<const float> values) {
  constexpr std::size_t kStride = 1009;
  std::vector<float> some;
  for (std::size_t i = 0; i < values.size(); i += kStride) some.push_back(values[i]);
  return some;
}

// A comparison of times means nothing unless both compute the same.
void check_agreement(const char* what, Buffer& result, const Call& ours, const Call& theirs) {
  constexpr float kTolerance = 1e-3F;  // values are about 1; oneDNN's sums are float
  ours();
  const std::vector<float> our_values = sample(result.values());
  theirs();
  const std::vector<float> their_values = sample(result.values());
  for (std::size_t i = 0; i < our_values.size(); ++i) {
    if (!(std::abs(our_values[i] - their_values[i]) <= kTolerance)) {
      throw std::runtime_error(std::string(what) +
                               " of bn and oneDNN differ: " + std::to_string(our_values[i]) + ", " +
                               std::to_string(their_values[i]));
    }
  }
}

// The fastest of oneDNN's primitives for these descriptions of the same values.
template <class Direction>
OneDnn& fastest(std::vector<std::unique_ptr<OneDnn>>& candidates, Direction direction,
                Milliseconds at_least) {
  OneDnn* best = nullptr;
  double best_time = INFINITY;
  for (const auto& candidate : candidates) {
    if (candidates.size() == 1) return *candidate;
    const double time = milliseconds_a_call([&] { direction(*candidate); }, at_least);
    if (time < best_time) best = candidate.get();
    best_time = std::min(best_time, time);
  }
  return *best;
}

std::ostream& begin_line(const char* kind, const char* direction, const Shape& shape,
                         const Comparison& c) {
  return std::cout << kind << '\t' << direction << '\t' << shape.layout << '\t' << shape.text()
                   << '\t' << c.ours << '\t' << c.theirs;
}

void against_onednn(const Shape& shape, const Effort& effort) {
  Arrays arrays(shape);
  Bn ours(shape, arrays, kThreads);
  std::vector<std::unique_ptr<OneDnn>> candidates;
  for (const Description& description : descriptions(shape)) {
    candidates.push_back(std::make_unique<OneDnn>(description, arrays));
    candidates.back()->forward();
  }
  const auto forward = [](auto& side) { side.forward(); };
  const auto backward = [](auto& side) { side.backward(); };

  const auto run = [&](const char* name, auto direction, Buffer& result) -> OneDnn& {
    OneDnn& theirs = fastest(candidates, direction, effort.per_round);
    const Call call_ours = [&] { direction(ours); };
    const Call call_theirs = [&] { direction(theirs); };
    check_agreement(name, result, call_ours, call_theirs);
    const Comparison c = compare(call_ours, call_theirs, effort);
    begin_line("library", name, shape, c) << '\t' << c.ratio << '\t';
    return theirs;
  };
  std::cout << run("forward", forward, arrays.y).forward_implementation() << std::endl;
  std::cout << run("backward", backward, arrays.dx).backward_implementation() << std::endl;
}

void against_one_thread(const Shape& shape, const Effort& effort) {
  Arrays arrays(shape);
  Bn all(shape, arrays, kThreads);
  Bn one(shape, arrays, 1);
  const auto run = [&](const char* name, const Call& with_all, const Call& with_one) {
    const Comparison c = compare(with_all, with_one, effort);
    begin_line("threads", name, shape, c) << '\t' << 1 / c.ratio << std::endl;
  };
  run(
      "forward", [&] { all.forward(); }, [&] { one.forward(); });
  run(
      "backward", [&] { all.backward(); }, [&] { one.backward(); });
}

Effort parse(std::span<char*> arguments) {
  Effort effort;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (argument == "--small") {
      effort = {1, Milliseconds(1), 16};
    } else if (argument == "--rounds" && i + 1 < arguments.size()) {
      const std::string_view number = arguments[++i];
      std::from_chars(number.data(), number.data() + number.size(), effort.rounds);
    } else {
      throw std::invalid_argument("usage: bench_memory [--small] [--rounds N]");
    }
  }
  if (effort.rounds < 1) throw std::invalid_argument("--rounds: at least 1");
  return effort;
}

void run(const Effort& effort) {
  omp_set_num_threads(static_cast<int>(kThreads));  // oneDNN's threads are OpenMP's
  std::cout << std::fixed << std::setprecision(3);
  const std::vector<Shape> shapes = all_shapes(effort.batch_divisor);
  for (const Shape& shape : shapes) against_onednn(shape, effort);
  against_one_thread(shapes.front(), effort);
  against_one_thread(shapes.back(), effort);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(std::span(argv, static_cast<std::size_t>(argc)).subspan(1)));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_memory: " << error.what() << '\n';
    return 1;
  }
}
