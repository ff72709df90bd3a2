#include "bn/comparison.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "bn/exact/nearest.hpp"
#include "bn/passes/passes.hpp"

namespace bn {
namespace {

class Comparing final : public Inspection {
 public:
  Comparing(const View& view, std::array<Dtype, 2> dtypes, const Tolerance& tolerance)
      : view_(view), dtypes_(dtypes), tolerance_(tolerance) {}

  void begin(unsigned threads) override {
    for (unsigned t = 0; t < threads; ++t) {
      of_threads_.emplace_back(view_.channel, dtypes_, tolerance_);
    }
  }
  void inspect(unsigned thread, const Tile& tile, std::span<const Block> blocks) override {
    of_threads_[thread].add(view_, tile, blocks);
  }

  [[nodiscard]] std::vector<Differences> take() {
    DifferenceSums& all = of_threads_.front();
    for (std::size_t t = 1; t < of_threads_.size(); ++t) all += of_threads_[t];
    return all.take();
  }

 private:
  const View& view_;
  const std::array<Dtype, 2> dtypes_;
  const Tolerance& tolerance_;
  std::vector<DifferenceSums> of_threads_;
};

bool passes_with_none(const Differences& differences, const Tolerance& tolerance) {
  const std::uint64_t nan = tolerance.equal_nan ? 0 : differences.both_nan;
  return differences.one_nan + differences.infinities + nan != 0;
}

}  // namespace

Comparison compare(const View& view, Source& a, Source& b, const Tolerance& tolerance,
                   const Execution& execution) {
  const std::array<Source*, 2> sources{&a, &b};
  Comparing comparing(view, {a.dtype(), b.dtype()}, tolerance);
  inspect(view, sources, comparing, execution);
  Comparison result;
  result.channels = comparing.take();
  for (const Differences& channel : result.channels) result.all += channel;
  return result;
}

std::optional<double> mean_error(const Differences& differences) {
  if (differences.finite == 0) return std::nullopt;
  return quotient(differences.sum, differences.finite);
}

std::optional<double> needed_atol(const Differences& differences, const Tolerance& tolerance) {
  if (passes_with_none(differences, tolerance)) return std::nullopt;
  const double nearest = quotient(differences.excess, 1);
  if (std::isinf(nearest)) return std::nullopt;
  Dyadic missing = differences.excess;
  missing -= Dyadic(nearest);
  if (missing.integer().sign() <= 0) return nearest;
  const double above = std::nextafter(nearest, std::numeric_limits<double>::infinity());
  return std::isinf(above) ? std::nullopt : std::optional(above);
}

std::optional<std::uint64_t> needed_ulp(const Differences& differences,
                                        const Tolerance& tolerance) {
  if (passes_with_none(differences, tolerance)) return std::nullopt;
  const Uint128 steps = differences.ulp ? differences.ulp->value : 0;
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  return steps > kMax ? std::nullopt : std::optional(static_cast<std::uint64_t>(steps));
}

}  // namespace bn
