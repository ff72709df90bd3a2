#include "bn/tiles/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#include "bn/arrays/elements.hpp"
#include "bn/kernels/kernels.hpp"

namespace bn {
namespace {

using kernels::Channel;
using kernels::Columns;
using kernels::Store;

// Elements converted at a time: two operands of them as double are 16 KiB, half of an L1 cache.
constexpr std::size_t kPiece = 1024;

// Of a piece that has an uncertain result, so many are computed again at once to find where it is,
// and of these each by itself.
constexpr std::size_t kFew = 32;

// Rows below this are taken several at a time, with constants laid out for all of them.
constexpr std::size_t kNarrow = 128;

// Both ends of a shorter run would share their cache lines with ordinary stores.
constexpr std::size_t kMinNonTemporal = 128;

// An operand as it is before results take its place, if they do.
class KeptOperand {
 public:
  KeptOperand() = default;
  KeptOperand(const KeptOperand&) = delete;
  KeptOperand& operator=(const KeptOperand&) = delete;

  void keep(const Element& operand, std::size_t n, const std::byte* results) {
    operand_ = operand;
    if (operand.at != results) return;
    std::memcpy(kept_.data(), operand.at, n * item_size(operand.dtype));
    operand_.at = kept_.data();
  }
  [[nodiscard]] const Element& first() const { return operand_; }

 private:
  Element operand_;
  std::array<std::byte, kPiece * sizeof(double)> kept_;
};

// The results of n <= kPiece operands of types that In holds. Returns whether one is not certain.
template <class In, class Constants, std::size_t kOperands>
bool evaluate_as(const std::array<Element, kOperands>& operands, std::size_t n,
                 const Constants& constants, Dtype dtype, std::byte* results, Store store) {
  std::array<std::array<In, kPiece>, kOperands> scratch;
  std::array<const In*, kOperands> in;
  for (std::size_t a = 0; a < kOperands; ++a) {
    in[a] = widen<In>(operands[a].dtype, operands[a].at, n, scratch[a].data());
  }
  const auto run = [&]<class Out>(kernels::Evaluate<Constants, In, Out>* kernel, Out* out) {
    return kernel(in.data(), n, constants, out, store);
  };
  const kernels::KernelsOf<Constants>& kernels = kernels::table().elementwise;
  constexpr bool kFloat = std::is_same_v<In, float>;
  if constexpr (Constants::kIsPair) {
    auto* out = reinterpret_cast<double*>(results);
    if constexpr (kFloat) return run(kernels.double_from_float, out);
    if constexpr (!kFloat) return run(kernels.double_from_double, out);
  } else if (dtype == Dtype::float32) {
    auto* out = reinterpret_cast<float*>(results);
    if constexpr (kFloat) return run(kernels.float_from_float, out);
    if constexpr (!kFloat) return run(kernels.float_from_double, out);
  } else {
    auto* out = reinterpret_cast<std::uint16_t*>(results);
    if constexpr (kFloat) return run(kernels.half_from_float, out);
    if constexpr (!kFloat) return run(kernels.half_from_double, out);
  }
}

template <class Constants, std::size_t kOperands>
bool evaluate(const std::array<Element, kOperands>& operands, std::size_t n,
              const Constants& constants, Dtype dtype, std::byte* results, Store store) {
  const bool floats = std::all_of(operands.begin(), operands.end(),
                                  [](const Element& each) { return fits_float(each.dtype); });
  return floats ? evaluate_as<float>(operands, n, constants, dtype, results, store)
                : evaluate_as<double>(operands, n, constants, dtype, results, store);
}

// A constant of the tile's channels, one per column: the channels' own where those are the columns.
class ColumnsOf {
 public:
  ColumnsOf(const std::vector<double>& channels, const Tile& tile, std::size_t repeats)
      : values_(channels.data() + tile.channel.begin) {
    if (tile.inner.count == 1 && repeats == 1) return;
    const std::size_t row = tile.row_size();
    expanded_.reserve(row * repeats);
    for (std::size_t c = 0; c < tile.channel.count; ++c) {
      expanded_.insert(expanded_.end(), tile.inner.count, values_[c]);
    }
    expanded_.resize(row * repeats);
    for (std::size_t k = 1; k < repeats; ++k) {
      std::copy_n(expanded_.begin(), row, expanded_.begin() + static_cast<std::ptrdiff_t>(k * row));
    }
    values_ = expanded_.data();
  }
  ColumnsOf(ColumnsOf&&) = default;

  [[nodiscard]] const double* from(std::size_t column) const { return values_ + column; }

 private:
  const double* values_;
  std::vector<double> expanded_;
};

// The constants of the results from the i-th on.
template <template <class> class Constants>
Constants<Channel> constants_from(const Constants<Channel>& constants, std::size_t /*i*/) {
  return constants;
}
template <template <class> class Constants>
Constants<Columns> constants_from(const Constants<Columns>& constants, std::size_t i) {
  return kernels::transform(constants, [&](Columns columns) { return columns + i; });
}

// The results of a tile, piece by piece.
template <template <class> class General, template <class> class Bounded>
class TileResults {
 public:
  static constexpr std::size_t kOperands = General<Channel>::operands;

  TileResults(const Tile& tile, std::span<const Block> operands,
              const ChannelConstants::Kinds<General, Bounded>& constants,
              const ExactChannels& exact, Dtype dtype, MutableRows results)
      : tile_(tile),
        operands_(operands),
        constants_(constants),
        dtype_(dtype),
        results_(results),
        undecided_(exact, dtype) {}

  Counts compute() {
    if (tile_.size() == 0) return {};
    if (tile_.inner.count >= kernels::kShortRun) {
      along_runs();
    } else {
      down_columns();
    }
    return undecided_.counts();
  }

 private:
  using OfChannels = ChannelConstants::OfChannels;

  void along_runs() {
    for (std::size_t r = 0; r < tile_.outer.count; ++r) {
      for (std::size_t c = 0; c < tile_.channel.count; ++c) {
        const std::size_t channel = tile_.channel.begin + c;
        const auto own = [&](const OfChannels& constant) { return constant[channel]; };
        const General<Channel> general = kernels::transform(constants_.general, own);
        const Bounded<Channel> bounded = kernels::transform(constants_.bounded, own);
        const bool is_bounded = std::isfinite(bounded.low);
        for (std::size_t i = 0; i < tile_.inner.count; i += kPiece) {
          piece(r, c * tile_.inner.count + i, std::min(kPiece, tile_.inner.count - i),
                is_bounded ? &bounded : nullptr, [&] { return general; });
        }
      }
    }
  }

  // Where rows are contiguous, narrow ones are taken as one, with constants for all of them.
  void down_columns() {
    const std::size_t width = tile_.row_size();
    const std::size_t rows = contiguous() && width < kNarrow ? kPiece / width : 1;
    const auto columns = [&](const OfChannels& constant) {
      return ColumnsOf(constant, tile_, rows);
    };
    std::optional<Bounded<ColumnsOf>> bounded;
    if (all_bounded()) bounded.emplace(kernels::transform(constants_.bounded, columns));
    std::optional<General<ColumnsOf>> general;  // made when they are needed
    for (std::size_t r = 0; r < tile_.outer.count; r += rows) {
      const std::size_t n = std::min(rows, tile_.outer.count - r) * width;
      for (std::size_t i = 0; i < n; i += kPiece) {
        const auto from_here = [&](const ColumnsOf& constant) { return constant.from(i); };
        std::optional<Bounded<Columns>> bounded_here;
        if (bounded) bounded_here.emplace(kernels::transform(*bounded, from_here));
        piece(r, i, std::min(kPiece, n - i), bounded_here ? &*bounded_here : nullptr, [&] {
          if (!general) general.emplace(kernels::transform(constants_.general, columns));
          return kernels::transform(*general, from_here);
        });
      }
    }
  }

  // n <= kPiece results from position i of a row on: first with the constants for bounded operands,
  // if there are any.
  template <class BoundedConstants, class GeneralConstants>
  void piece(std::size_t row, std::size_t i, std::size_t n, const BoundedConstants* bounded,
             GeneralConstants general) {
    std::byte* const results = results_.data + row * results_.stride + i * item_size(dtype_);
    std::array<Element, kOperands> operands;
    std::array<KeptOperand, kOperands> before;
    for (std::size_t a = 0; a < kOperands; ++a) {
      const auto& [dtype, rows] = operands_[a];
      operands[a] = {dtype, rows.data + row * rows.stride + i * item_size(dtype)};
      before[a].keep(operands[a], n, results);
    }
    const Store store =
        results_.non_temporal && n >= kMinNonTemporal ? Store::non_temporal : Store::cached;
    const auto undecided = [&](const auto& constants) {
      if (!evaluate(operands, n, constants, dtype_, results, store)) return false;
      for (std::size_t a = 0; a < kOperands; ++a) operands[a] = before[a].first();
      return true;
    };
    if (bounded != nullptr && !undecided(*bounded)) return;
    const auto constants = general();
    if (!undecided(constants)) return;
    for (std::size_t k = 0; k < n; k += kFew) {
      again(operands, i, k, std::min(kFew, n - k), constants, results);
    }
  }

  // n results from the k-th of a piece on, which begins at position i of its row: all together, or
  // where they are not certain one by one, or where one is not certain by itself, exactly.
  template <class Value>
  void again(const std::array<Element, kOperands>& operands, std::size_t i, std::size_t k,
             std::size_t n, const General<Value>& constants, std::byte* results) {
    std::array<Element, kOperands> from_here;
    for (std::size_t a = 0; a < kOperands; ++a) from_here[a] = operands[a].behind(k);
    std::byte* const result = results + k * item_size(dtype_);
    if (!evaluate(from_here, n, constants_from(constants, k), dtype_, result, Store::cached)) {
      return;
    }
    if (n > 1) {
      for (std::size_t each = 0; each < n; ++each)
        again(operands, i, k + each, 1, constants, results);
      return;
    }
    const std::size_t channel = (i + k) % tile_.row_size() / tile_.inner.count;
    undecided_.decide(tile_.channel.begin + channel, from_here, result);
  }

  [[nodiscard]] bool all_bounded() const {
    const double* low = constants_.bounded.low.data() + tile_.channel.begin;
    return std::all_of(low, low + tile_.channel.count,
                       [](double end) { return std::isfinite(end); });
  }

  [[nodiscard]] bool contiguous() const {
    const std::size_t width = tile_.row_size();
    return results_.stride == width * item_size(dtype_) &&
           std::all_of(operands_.begin(), operands_.end(), [&](const Block& block) {
             return block.rows.stride == width * item_size(block.dtype);
           });
  }

  const Tile& tile_;
  const std::span<const Block> operands_;
  const ChannelConstants::Kinds<General, Bounded>& constants_;
  const Dtype dtype_;
  const MutableRows results_;
  Undecided undecided_;
};

}  // namespace

Counts results(const Tile& tile, std::span<const Block> operands, const ChannelConstants& constants,
               const ExactChannels& exact, Dtype dtype, MutableRows rows) {
  return std::visit(
      [&]<template <class> class General, template <class> class Bounded>(
          const ChannelConstants::Kinds<General, Bounded>& kinds) {
        return TileResults<General, Bounded>(tile, operands, kinds, exact, dtype, rows).compute();
      },
      constants.of_channels());
}

}  // namespace bn
