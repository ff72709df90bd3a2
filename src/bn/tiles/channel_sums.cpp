#include "bn/tiles/channel_sums.hpp"

#include <algorithm>
#include <utility>

#include "bn/arrays/elements.hpp"
#include "bn/kernels/kernels.hpp"
#include "bn/tiles/exponent_window.hpp"
#include "bn/tiles/run_sums.hpp"
#include "bn/tiles/single_sums.hpp"

namespace bn {
namespace {

template <class Real>
bool has_non_finite(const TileArrays& arrays, std::size_t array) {
  constexpr std::size_t kPiece = 256;
  std::array<Real, kPiece> scratch;
  for (std::size_t r = 0; r < arrays.tile.outer.count; ++r) {
    for (std::size_t i = 0; i < arrays.tile.row_size(); i += kPiece) {
      const std::size_t n = std::min(kPiece, arrays.tile.row_size() - i);
      const Real* values =
          widen<Real>(arrays.blocks[array].dtype, arrays.at(array, r, i), n, scratch.data());
      if (sum_kernels<Real>().extremes(values, n).largest >= kInfinityBits<Real>) return true;
    }
  }
  return false;
}

bool has_non_finite(const TileArrays& arrays) {
  for (std::size_t a = 0; a < arrays.blocks.size(); ++a) {
    const Dtype dtype = arrays.blocks[a].dtype;
    if (!is_floating(dtype)) continue;
    if (fits_float(dtype) ? has_non_finite<float>(arrays, a) : has_non_finite<double>(arrays, a)) {
      return true;
    }
  }
  return false;
}

}  // namespace

ChannelSums::ChannelSums(Range channels, std::span<const Dtype> dtypes, NonFinite non_finite)
    : first_channel_(channels.begin),
      non_finite_(non_finite),
      columns_(std::make_unique<ColumnScratch>()) {
  if (std::all_of(dtypes.begin(), dtypes.end(), fits_float)) {
    channels_.emplace<OfChannels<float>>(channels.count);
  } else {
    channels_.emplace<OfChannels<double>>(channels.count);
  }
}

void ChannelSums::restart(Range channels) {
  first_channel_ = channels.begin;
  std::visit([&](auto& all) { all.resize(channels.count); }, channels_);
}

ChannelSums& ChannelSums::operator+=(const ChannelSums& other) {
  const auto add = [&]<class All>(All& all) {
    const All& others = std::get<All>(other.channels_);
    for (std::size_t c = 0; c < all.size(); ++c) {
      all[c].values += others[c].values;
      all[c].products += others[c].products;
      all[c].sizes.see(others[c].sizes.below[0], others[c].sizes.below[1]);
    }
  };
  std::visit(add, channels_);
  return *this;
}

ChannelSums::Exact ChannelSums::take(std::size_t channel) {
  return std::visit(
      [&](auto& all) {
        auto& sums = all[channel - first_channel_];
        return Exact{sums.values.take(), sums.products.take(), std::exchange(sums.sizes, {})};
      },
      channels_);
}

bool ChannelSums::add(const View& view, const Tile& tile, std::span<const Block> blocks) {
  if (tile.size() == 0) return false;
  const TileArrays arrays{view, tile, blocks};
  if (non_finite_ == NonFinite::skip && has_non_finite(arrays)) {
    add_one_by_one(arrays);
    return true;
  }
  const bool doubles = std::all_of(blocks.begin(), blocks.end(),
                                   [](const Block& block) { return fits_double(block.dtype); });
  if (doubles) {
    add_in_vectors(arrays);
  } else {
    add_one_by_one(arrays);
  }
  return false;
}

void ChannelSums::add_in_vectors(const TileArrays& arrays) {
  const bool floats = std::holds_alternative<OfChannels<float>>(channels_);
  if (arrays.blocks.size() == 1) {
    floats ? add_in_vectors<float, 1>(arrays) : add_in_vectors<double, 1>(arrays);
  } else {
    floats ? add_in_vectors<float, 2>(arrays) : add_in_vectors<double, 2>(arrays);
  }
}

template <class Real, std::size_t kArrays>
void ChannelSums::add_in_vectors(const TileArrays& arrays) {
  const Tile& tile = arrays.tile;
  const auto channels = std::span(std::get<OfChannels<Real>>(channels_))
                            .subspan(tile.channel.begin - first_channel_, tile.channel.count);
  if (tile.inner.count < kernels::kShortRun) {
    ColumnSums<Real, kArrays>(arrays, channels, values_, *columns_).add();
    return;
  }
  RunSums<Real, kArrays> runs(arrays, values_);
  for (std::size_t c = 0; c < channels.size(); ++c) runs.add_channel(c, channels[c]);
}

// Integers of eight bytes, and what has NaN or infinities to be left out.
void ChannelSums::add_one_by_one(const TileArrays& arrays) {
  const Tile& tile = arrays.tile;
  const std::size_t last = arrays.blocks.size() - 1;
  const auto element = [&](std::size_t array, std::size_t r, std::size_t i) {
    const Dtype dtype = arrays.blocks[array].dtype;
    const std::byte* at = arrays.at(array, r, i);
    const bool finite = non_finite(dtype, at) == 0;
    if (!finite && non_finite_ == NonFinite::refuse) arrays.throw_first_non_finite();
    return finite ? std::optional(decode(dtype, at)) : std::nullopt;
  };
  const auto add_row = [&](auto& channels, std::size_t r) {
    for (std::size_t i = 0; i < tile.row_size(); ++i) {
      const std::optional<Decoded> last_element = element(last, r, i);
      const std::optional<Decoded> first_element = last == 0 ? last_element : element(0, r, i);
      if (!last_element) continue;
      auto& sums = channels[tile.channel.begin + i / tile.inner.count - first_channel_];
      sums.values.add(last_element->value, last_element->exponent);
      sums.sizes.see(Sizes::kUnknown, Sizes::kUnknown);
      if (first_element) add_product(sums.products, *first_element, *last_element);
    }
  };
  for (std::size_t r = 0; r < tile.outer.count; ++r) {
    std::visit([&](auto& channels) { add_row(channels, r); }, channels_);
  }
}

}  // namespace bn
