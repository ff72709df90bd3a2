#include "bn/tiles/elementwise.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <type_traits>

namespace bn {
namespace {

using kernels::Affine;
using kernels::Channel;
using kernels::Columns;
using kernels::Gradient;
using kernels::Store;

// Elements converted at a time: two operands of them as double are 16 KiB, half of an L1 cache.
constexpr std::size_t kPiece = 1024;

// Rows below this are taken several at a time, with constants laid out for all of them.
constexpr std::size_t kNarrow = 128;

// Both ends of a shorter run would share their cache lines with ordinary stores.
constexpr std::size_t kMinNonTemporal = 128;

template <class Constants>
const kernels::FormulaKernels<Constants>& formula_kernels() {
  const kernels::Table& table = kernels::table();
  if constexpr (std::is_same_v<Constants, Affine<Channel>>) return table.affine_of_channel;
  if constexpr (std::is_same_v<Constants, Affine<Columns>>) return table.affine_of_columns;
  if constexpr (std::is_same_v<Constants, Gradient<Channel>>) return table.gradient_of_channel;
  if constexpr (std::is_same_v<Constants, Gradient<Columns>>) return table.gradient_of_columns;
}

// One piece of an array that is read.
struct Piece {
  Dtype dtype{};
  const std::byte* elements = nullptr;
};

// An operand as it is before results take its place, if they do.
class KeptOperand {
 public:
  KeptOperand() = default;
  KeptOperand(const KeptOperand&) = delete;
  KeptOperand& operator=(const KeptOperand&) = delete;

  void keep(const Piece& operand, std::size_t n, const std::byte* results) {
    operand_ = operand;
    if (operand.elements != results) return;
    std::memcpy(kept_.data(), operand.elements, n * item_size(operand.dtype));
    operand_.elements = kept_.data();
  }

  [[nodiscard]] bool finite(std::size_t i) const {
    return non_finite(operand_.dtype, operand_.elements + i * item_size(operand_.dtype)) == 0;
  }

 private:
  Piece operand_;
  std::array<std::byte, kPiece * sizeof(double)> kept_;
};

// What a NaN's sign and payload are depends on the CPU; here all get the same.
void canonicalise_nans(Dtype dtype, std::byte* results, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    std::byte* result = results + i * item_size(dtype);
    if (std::isnan(non_finite(dtype, result))) set_nan(dtype, result);
  }
}

// Results that are not finite although all operands are.
std::size_t count_overflows(Dtype dtype, const std::byte* results, std::size_t n,
                            std::span<const KeptOperand> operands) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (non_finite(dtype, results + i * item_size(dtype)) == 0) continue;
    const bool from_finite = std::all_of(operands.begin(), operands.end(),
                                         [&](const KeptOperand& each) { return each.finite(i); });
    count += from_finite ? 1 : 0;
  }
  return count;
}

// Rescalings of a piece's elements: one for all or one each, as the constants are. None where every
// element is taken as it is.
template <class Value>
struct Rescalings {
  const Rescaling* first = nullptr;
  [[nodiscard]] Rescaling at(std::size_t i) const {
    return std::is_same_v<Value, Columns> ? first[i] : *first;
  }
};

// One piece of an operand as double.
template <class Value>
const double* widen_double(const Piece& piece, std::size_t n, Rescalings<Value> rescalings,
                           double* scratch) {
  if (rescalings.first == nullptr && fits_double(piece.dtype)) {
    return widen<double>(piece.dtype, piece.elements, n, scratch);
  }
  for (std::size_t i = 0; i < n; ++i) {
    const Rescaling rescaling = rescalings.first != nullptr ? rescalings.at(i) : Rescaling{};
    scratch[i] = rescaled(rescaling, piece.dtype, piece.elements + i * item_size(piece.dtype));
  }
  return scratch;
}

// The results of a piece whose operands are In, in their dtype. Returns whether one of them may not
// be finite.
template <class In, class Constants>
bool evaluate_as(const typename kernels::FormulaKernels<Constants>::template From<In>& kernels,
                 const std::array<const In*, Constants::operands>& operands, std::size_t n,
                 const Constants& constants, Dtype dtype, std::byte* results, Store store) {
  if (dtype == Dtype::float32) {
    auto* floats = reinterpret_cast<float*>(results);
    return kernels.to_float(operands.data(), n, constants, floats, store);
  }
  if (dtype == Dtype::float64) {
    auto* doubles = reinterpret_cast<double*>(results);
    return kernels.to_double(operands.data(), n, constants, doubles, store);
  }
  std::array<double, kPiece> exact;
  kernels.to_double(operands.data(), n, constants, exact.data(), Store::cached);
  return kernels::table().narrow_half(exact.data(), n, reinterpret_cast<std::uint16_t*>(results));
}

// The results of n <= kPiece elements. Returns how many have overflowed.
template <template <class> class Constants, class Value>
std::size_t evaluate_piece(const std::array<Piece, Constants<Value>::operands>& operands,
                           std::size_t n, const Constants<Value>& constants,
                           Rescalings<Value> rescalings, Dtype dtype, std::byte* results,
                           Store store) {
  constexpr std::size_t kOperands = Constants<Value>::operands;
  std::array<KeptOperand, kOperands> before;
  for (std::size_t a = 0; a < kOperands; ++a) before[a].keep(operands[a], n, results);

  const auto& kernels = formula_kernels<Constants<Value>>();
  const bool floats = std::all_of(operands.begin(), operands.end(),
                                  [](const Piece& piece) { return fits_float(piece.dtype); });
  bool suspicious = false;
  if (rescalings.first == nullptr && floats) {
    std::array<std::array<float, kPiece>, kOperands> scratch;
    std::array<const float*, kOperands> in;
    for (std::size_t a = 0; a < kOperands; ++a) {
      in[a] = widen<float>(operands[a].dtype, operands[a].elements, n, scratch[a].data());
    }
    suspicious = evaluate_as(kernels.from_float, in, n, constants, dtype, results, store);
  } else {
    std::array<std::array<double, kPiece>, kOperands> scratch;
    std::array<const double*, kOperands> in;
    for (std::size_t a = 0; a < kOperands; ++a) {
      const auto of_operand = a == 0 ? rescalings : Rescalings<Value>{};
      in[a] = widen_double(operands[a], n, of_operand, scratch[a].data());
    }
    suspicious = evaluate_as(kernels.from_double, in, n, constants, dtype, results, store);
  }
  if (!suspicious) return 0;
  canonicalise_nans(dtype, results, n);
  return count_overflows(dtype, results, n, before);
}

// A constant of the tile's channels, one per column: the channels' own where those are the columns.
template <class T>
class ColumnsOf {
 public:
  ColumnsOf(const std::vector<T>& channels, const Tile& tile, std::size_t repeats)
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
  ColumnsOf(const ColumnsOf&) = delete;
  ColumnsOf& operator=(const ColumnsOf&) = delete;

  [[nodiscard]] const T* from(std::size_t column) const { return values_ + column; }

 private:
  const T* values_;
  std::vector<T> expanded_;
};

// The results of a tile, piece by piece.
template <template <class> class Constants>
class TileResults {
 public:
  static constexpr std::size_t kOperands = Constants<Channel>::operands;

  TileResults(const Tile& tile, const std::array<Block, kOperands>& operands,
              const ChannelConstants<Constants>& channels, Dtype dtype, MutableRows results)
      : tile_(tile), operands_(operands), channels_(channels), dtype_(dtype), results_(results) {}

  // Returns how many have overflowed.
  std::size_t compute() {
    if (tile_.size() == 0) return 0;
    if (tile_.inner.count >= kernels::kShortRun) {
      along_runs();
    } else {
      down_columns();
    }
    return overflows_;
  }

 private:
  void along_runs() {
    const bool any_rescaled = channels_.rescaling.any();
    for (std::size_t r = 0; r < tile_.outer.count; ++r) {
      for (std::size_t c = 0; c < tile_.channel.count; ++c) {
        const std::size_t channel = tile_.channel.begin + c;
        const Constants<Channel> constants = kernels::transform(
            channels_.of, [&](const std::vector<double>& constant) { return constant[channel]; });
        const Rescaling* own = any_rescaled ? &channels_.rescaling.of_channels()[channel] : nullptr;
        if (own != nullptr && *own == Rescaling{}) own = nullptr;
        for (std::size_t i = 0; i < tile_.inner.count; i += kPiece) {
          piece(r, c * tile_.inner.count + i, std::min(kPiece, tile_.inner.count - i), constants,
                Rescalings<Channel>{own});
        }
      }
    }
  }

  // Where rows are contiguous, narrow ones are taken as one, with constants for all of them.
  void down_columns() {
    const std::size_t width = tile_.row_size();
    const std::size_t rows = contiguous() && width < kNarrow ? kPiece / width : 1;
    const Constants<ColumnsOf<double>> constants = kernels::transform(
        channels_.of,
        [&](const std::vector<double>& constant) { return ColumnsOf(constant, tile_, rows); });
    const ColumnsOf rescaling(channels_.rescaling.of_channels(), tile_, rows);
    const bool any_rescaled = channels_.rescaling.any();
    for (std::size_t r = 0; r < tile_.outer.count; r += rows) {
      const std::size_t n = std::min(rows, tile_.outer.count - r) * width;
      for (std::size_t i = 0; i < n; i += kPiece) {
        const Constants<Columns> from_here = kernels::transform(
            constants, [&](const ColumnsOf<double>& constant) { return constant.from(i); });
        piece(r, i, std::min(kPiece, n - i), from_here,
              Rescalings<Columns>{any_rescaled ? rescaling.from(i) : nullptr});
      }
    }
  }

  template <class Value>
  void piece(std::size_t row, std::size_t i, std::size_t n, const Constants<Value>& constants,
             Rescalings<Value> rescalings) {
    std::array<Piece, kOperands> operands;
    for (std::size_t a = 0; a < kOperands; ++a) {
      const Block& block = operands_[a];
      operands[a] = {block.dtype,
                     block.rows.data + row * block.rows.stride + i * item_size(block.dtype)};
    }
    const Store store =
        results_.non_temporal && n >= kMinNonTemporal ? Store::non_temporal : Store::cached;
    overflows_ += evaluate_piece<Constants>(
        operands, n, constants, rescalings, dtype_,
        results_.data + row * results_.stride + i * item_size(dtype_), store);
  }

  [[nodiscard]] bool contiguous() const {
    const std::size_t width = tile_.row_size();
    return results_.stride == width * item_size(dtype_) &&
           std::all_of(operands_.begin(), operands_.end(), [&](const Block& block) {
             return block.rows.stride == width * item_size(block.dtype);
           });
  }

  const Tile& tile_;
  const std::array<Block, kOperands>& operands_;
  const ChannelConstants<Constants>& channels_;
  const Dtype dtype_;
  const MutableRows results_;
  std::size_t overflows_ = 0;
};

}  // namespace

std::size_t normalise(const Tile& tile, Block x, const AffineChannels& channels, Dtype dtype,
                      MutableRows y) {
  return TileResults<Affine>(tile, {x}, channels, dtype, y).compute();
}

std::size_t gradient(const Tile& tile, Block x, Block dy, const GradientChannels& channels,
                     Dtype dtype, MutableRows dx) {
  return TileResults<Gradient>(tile, {x, dy}, channels, dtype, dx).compute();
}

}  // namespace bn
