#include "bn/tiles/undecided.hpp"

#include <cstring>
#include <utility>

#include "bn/arrays/elements.hpp"

namespace bn {

Undecided::Channel::Channel(ExactChannel channel)
    : exact(std::move(channel)), result{exact.offset, {}, exact.radicand()} {}

void Undecided::decide(std::size_t channel_index, std::span<const Element> operands,
                       std::byte* result) {
  Channel& of_channel = channel(channel_index);
  Key key{};
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const auto& [dtype, at] = operands[k];
    if (const double value = non_finite(dtype, at); value != 0) {
      // Every other finite term vanishes beside it; slopes of single operands are positive.
      set_non_finite(dtype_, of_channel.exact.factor * value + of_channel.exact.offset, result);
      return;
    }
    std::memcpy(&key[k], at, item_size(dtype));
  }
  const Format& format = format_of(dtype_);
  const Nearest nearest = decided(of_channel, operands, key, format);
  ++(nearest.by_comparison ? counts_.exact : counts_.closer);
  if (nearest.infinite) ++counts_.overflows;
  std::memcpy(result, &nearest.bits, item_size(dtype_));  // little-endian
}

Undecided::Channel& Undecided::channel(std::size_t index) {
  constexpr std::size_t kMaxChannels = 1024;  // less than 2 MiB
  const auto found = known_.find(index);
  if (found != known_.end()) return found->second;
  if (known_.size() == kMaxChannels) known_.clear();
  return known_.emplace(index, Channel(channels_.exact(index))).first->second;
}

Nearest Undecided::decided(Channel& channel, std::span<const Element> operands, const Key& key,
                           const Format& format) {
  const std::uint64_t hash = (key[0] ^ key[1] * 3) * 0x9e3779b97f4a7c15U;
  Remembered& entry = channel.remembered[hash >> 60];
  if (entry.known && entry.operands == key) return entry.result;
  std::array<Dyadic, kMaxOperands> values;
  for (std::size_t k = 0; k < operands.size(); ++k) {
    values[k] = exact_value(operands[k].dtype, operands[k].at);
  }
  channel.result.numerator = channel.exact.numerator(std::span(values).first(operands.size()));
  entry = {true, key, nearest(channel.result, format)};
  return entry.result;
}

}  // namespace bn
