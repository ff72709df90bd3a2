// Arrays seen on their way into sums: what is 0, what never changes, and how large they are.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "bn/arrays/array.hpp"

namespace bn {

/// A source that counts as it is loaded; to be loaded once.
class Watched final : public Source {
 public:
  Watched(Source& source, std::size_t channels);

  [[nodiscard]] Dtype dtype() const override { return source_.dtype(); }
  [[nodiscard]] bool sequential() const override { return source_.sequential(); }
  [[nodiscard]] bool copies() const override { return source_.copies(); }
  [[nodiscard]] Rows load(const View& view, const Tile& tile, std::byte* scratch) override;

  /// Of what has been loaded.
  [[nodiscard]] std::uint64_t zeros() const { return zeros_; }
  /// Whether every channel has had but one value, -0 being another one than 0.
  [[nodiscard]] bool constant() const { return constant_; }

 private:
  void look_for_changes(const Tile& tile, const Rows& rows);

  Source& source_;
  std::atomic<std::uint64_t> zeros_{0};
  std::atomic<bool> constant_;
  std::mutex mutex_;
  std::vector<std::uint64_t> first_;  ///< element of each channel, while they are constant
  std::vector<bool> seen_;
};

/// The absolute values of a source, of integers as unsigned ones.
class Magnitudes final : public Source {
 public:
  explicit Magnitudes(Source& source) : source_(source) {}

  [[nodiscard]] Dtype dtype() const override;
  [[nodiscard]] bool sequential() const override { return source_.sequential(); }
  [[nodiscard]] bool copies() const override { return true; }
  [[nodiscard]] Rows load(const View& view, const Tile& tile, std::byte* scratch) override;

 private:
  Source& source_;
};

}  // namespace bn
