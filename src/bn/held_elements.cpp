#include "bn/held_elements.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>

#include "bn/passes/passes.hpp"
#include "bn/tiles/elementwise.hpp"

namespace bn {
namespace {

enum : std::size_t { kX = 0, kDy = 1 };  // sources of dx in train mode

// So that no product of it with 0 is NaN.
double finite(double value) {
  constexpr double kMax = std::numeric_limits<double>::max();
  return std::clamp(value, -kMax, kMax);
}

// How far every element of an array that is claimed is from its formula.
class HoldElements : public Formula, public ExactChannels, public TermSizes {
 public:
  HoldElements(const View& view, std::span<const HeldChannel> channels, std::size_t operands,
               Source& claim, std::span<const double> tolerances)
      : channels_(channels),
        view_(view),
        claim_(claim),
        tolerances_(tolerances),
        exact_(channels.size(), operands, Dtype::float64) {}

  void prepare(std::size_t c) override {
    const Sizes sizes = operand_sizes(c);
    exact_.set(c, exact(c), 0, &sizes);
  }

  Counts apply(const Tile& tile, std::span<const Block> blocks, Dtype dtype,
               MutableRows rows) override {
    const Counts counts = results(tile, blocks, exact_, *this, dtype, rows);
    std::unique_ptr<ErrorSums> sums = take();
    const std::size_t bytes = claim_.copies() ? tile.size() * item_size(claim_.dtype()) : 0;
    const Block claimed{claim_.dtype(), claim_.load(view_, tile, sums->buffer.get(bytes))};
    sums->add(view_, tile, {claimed, {dtype, {rows.data, rows.stride}}}, blocks);
    put_back(std::move(sums));
    return counts;
  }

  [[nodiscard]] std::span<const std::vector<double>> constants() const override {
    return constants_;
  }

  // To call once.
  [[nodiscard]] std::vector<Errors> errors() {
    if (pool_.empty()) pool_.push_back(make());
    for (std::size_t k = 1; k < pool_.size(); ++k) *pool_[0] += *pool_[k];
    return pool_[0]->take();
  }

 protected:
  [[nodiscard]] virtual Sizes operand_sizes(std::size_t c) const { return channels_[c].sizes; }

  const std::span<const HeldChannel> channels_;
  std::vector<std::vector<double>> constants_;

 private:
  [[nodiscard]] std::unique_ptr<ErrorSums> make() const {
    return std::make_unique<ErrorSums>(claim_.dtype(), tolerances_, *this);
  }
  std::unique_ptr<ErrorSums> take() {
    const std::lock_guard lock(mutex_);
    if (pool_.empty()) return make();
    std::unique_ptr<ErrorSums> sums = std::move(pool_.back());
    pool_.pop_back();
    return sums;
  }
  void put_back(std::unique_ptr<ErrorSums> sums) {
    const std::lock_guard lock(mutex_);
    pool_.push_back(std::move(sums));
  }

  const View& view_;
  Source& claim_;
  const std::span<const double> tolerances_;
  ChannelConstants exact_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<ErrorSums>> pool_;  // of threads that are not at work
};

// y. With a = gamma inv_std the size of a x is |y - beta + a mean|.
class HoldY final : public HoldElements {
 public:
  HoldY(const View& view, std::span<const HeldChannel> channels, Source& claim,
        std::span<const double> tolerances)
      : HoldElements(view, channels, 1, claim, tolerances) {
    constants_.resize(2);
    for (const HeldChannel& channel : channels) {
      const double scale = finite(channel.gamma * channel.inv_std);
      constants_[0].push_back(scale * channel.mean - channel.beta);
      constants_[1].push_back(
          std::max(std::abs(scale) * channel.mean_size, std::abs(channel.beta)));
    }
  }

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    const HeldChannel& channel = channels_[c];
    // In a constant channel x - mean is 0 whatever it is multiplied by.
    return exact_y(channel.centre, channel.constant ? 0 : channel.gamma, channel.beta);
  }

  void fill(const Values& values, double* sizes) const override {
    const double* shift = values.of_columns[0];
    const double* least = values.of_columns[1];
    for (std::size_t i = 0; i < values.n; i += values.columns) {
      const std::size_t n = std::min(values.columns, values.n - i);
      for (std::size_t j = 0; j < n; ++j) {
        const double size = std::abs(values.exact[i + j] + shift[j]);
        sizes[i + j] = size > least[j] ? size : least[j];
      }
    }
  }
};

// Elements as doubles, integers that no double equals rounded.
const double* as_doubles(const Element& elements, std::size_t n, double* scratch) {
  if (fits_double(elements.dtype)) return widen<double>(elements.dtype, elements.at, n, scratch);
  for (std::size_t i = 0; i < n; ++i) {
    scratch[i] = as_double(elements.dtype, elements.behind(i).at);
  }
  return scratch;
}

// dx = gamma inv_std (dy - dbeta / m - x_hat dgamma / m) in train mode.
class HoldTrainDx final : public HoldElements {
 public:
  HoldTrainDx(const View& view, std::span<const HeldChannel> channels, Source& claim,
              std::span<const double> tolerances)
      : HoldElements(view, channels, 2, claim, tolerances) {
    constants_.resize(6);
    const auto count = static_cast<double>(view.m());
    for (const HeldChannel& channel : channels) {
      const double scale = finite(std::abs(channel.gamma * channel.inv_std));
      const double of_x = scale * channel.inv_std / count;
      constants_[0].push_back(scale);
      constants_[1].push_back(scale * (channel.size_of_dbeta / count));
      constants_[2].push_back(finite(of_x * channel.size_of_dgamma));
      constants_[3].push_back(finite(of_x * std::abs(channel.dgamma)));
      constants_[4].push_back(channel.mean);
      constants_[5].push_back(channel.mean_size);
    }
  }

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    const HeldChannel& channel = channels_[c];
    return exact_dx(channel.centre, channel.sum_dy, channel.covariance, channel.gamma);
  }

  // The largest of three terms, see verify().
  void fill(const Values& values, double* sizes) const override {
    constexpr std::size_t kPiece = 256;
    std::array<std::array<double, kPiece>, 2> scratch;
    const auto& [of_dy, least, deviation, of_x, mean, mean_size] = values.of_columns;
    for (std::size_t i = 0; i < values.n; i += values.columns) {
      const std::size_t n = std::min(values.columns, values.n - i);
      const double* x = as_doubles(values.operands[kX].behind(i), n, scratch[kX].data());
      const double* dy = as_doubles(values.operands[kDy].behind(i), n, scratch[kDy].data());
      for (std::size_t j = 0; j < n; ++j) {
        const double first = of_dy[j] * std::abs(dy[j]);
        const double size_of_x = std::max(std::abs(x[j]), mean_size[j]);
        const double last = deviation[j] * std::abs(x[j] - mean[j]) + of_x[j] * size_of_x;
        sizes[i + j] = std::max(std::max(first, least[j]), last);
      }
    }
  }
};

// dx = gamma inv_std dy in test mode.
class HoldTestDx final : public HoldElements {
 public:
  HoldTestDx(const View& view, std::span<const HeldChannel> channels, Source& claim,
             std::span<const double> tolerances)
      : HoldElements(view, channels, 1, claim, tolerances) {}

  [[nodiscard]] ExactChannel exact(std::size_t c) const override {
    return exact_test_dx(channels_[c].centre, channels_[c].gamma);
  }

  void fill(const Values& values, double* sizes) const override {
    std::transform(values.exact, values.exact + values.n, sizes,
                   [](double exact) { return std::abs(exact); });
  }

 protected:
  [[nodiscard]] Sizes operand_sizes(std::size_t c) const override {
    return {{channels_[c].sizes.below[1], Sizes::kNone}};
  }
};

// Where results go that nobody keeps.
class Nowhere final : public Sink {
 public:
  [[nodiscard]] Dtype dtype() const override { return Dtype::float64; }
  [[nodiscard]] bool copies() const override { return true; }
  [[nodiscard]] MutableRows place(const View& /*view*/, const Tile& tile,
                                  std::byte* scratch) override {
    return {scratch, tile.row_size() * sizeof(double)};
  }
  void store(const View& /*view*/, const Tile& /*tile*/, MutableRows /*rows*/) override {}
};

std::vector<Errors> hold(const View& view, std::span<Source* const> sources, HoldElements& holding,
                         const Execution& execution) {
  Nowhere nowhere;
  apply_only(view, sources, holding, nowhere, Checksum::none, execution);
  return holding.errors();
}

}  // namespace

std::vector<Errors> hold_y(const View& view, Source& x, std::span<const HeldChannel> channels,
                           Source& claim, std::span<const double> tolerances,
                           const Execution& execution) {
  HoldY holding(view, channels, claim, tolerances);
  return hold(view, std::array{&x}, holding, execution);
}

std::vector<Errors> hold_train_dx(const View& view, Source& x, Source& dy,
                                  std::span<const HeldChannel> channels, Source& claim,
                                  std::span<const double> tolerances, const Execution& execution) {
  HoldTrainDx holding(view, channels, claim, tolerances);
  return hold(view, std::array{&x, &dy}, holding, execution);
}

std::vector<Errors> hold_test_dx(const View& view, Source& dy,
                                 std::span<const HeldChannel> channels, Source& claim,
                                 std::span<const double> tolerances, const Execution& execution) {
  HoldTestDx holding(view, channels, claim, tolerances);
  return hold(view, std::array{&dy}, holding, execution);
}

}  // namespace bn
