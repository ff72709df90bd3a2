// The few results that the kernels are not certain of, one by one: decided exactly.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "bn/arrays/dtype.hpp"
#include "bn/arrays/elements.hpp"
#include "bn/exact/exact_channel.hpp"
#include "bn/exact/nearest.hpp"
#include "bn/tiles/counts.hpp"

namespace bn {

/// Where the exact formulas of channels come from. Called from several threads.
class ExactChannels {
 public:
  virtual ~ExactChannels() = default;
  [[nodiscard]] virtual ExactChannel exact(std::size_t channel) const = 0;
};

class Undecided {
 public:
  /// Of results of a floating dtype.
  Undecided(const ExactChannels& channels, Dtype dtype) : channels_(channels), dtype_(dtype) {}

  /// The result for these operands: correctly rounded, or what IEEE 754 makes of operands that are
  /// not finite. All NaN are alike.
  void decide(std::size_t channel, std::span<const Element> operands, std::byte* result);

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  static constexpr std::size_t kMaxOperands = 2;
  using Key = std::array<std::uint64_t, kMaxOperands>;

  // Where results are undecided there may be many of the same: data of few values can have nothing
  // but ties.
  struct Remembered {
    bool known = false;
    Key operands{};
    Nearest result{};
  };
  struct Channel {
    explicit Channel(ExactChannel channel);
    ExactChannel exact;
    ExactResult result;  // for the next operands
    std::array<Remembered, 16> remembered;
  };

  Channel& channel(std::size_t index);
  static Nearest decided(Channel& channel, std::span<const Element> operands, const Key& key,
                         const Format& format);

  const ExactChannels& channels_;
  const Dtype dtype_;
  std::unordered_map<std::size_t, Channel> known_;
  Counts counts_;
};

}  // namespace bn
