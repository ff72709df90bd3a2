// What commands that check something print: tables, and the worst of many channels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace bn::cli {

using Table = std::vector<std::vector<std::string>>;

/// Lines whose columns are as wide as what is in them: all flush left, or all flush right.
[[nodiscard]] std::string flush_left(const Table& rows);
[[nodiscard]] std::string flush_right(const Table& rows);

/// The indices 0 .. count - 1 by key(index), the largest first, equal ones in order: at most ten.
template <class Key>
[[nodiscard]] std::vector<std::size_t> worst_ten(std::size_t count, Key key) {
  constexpr std::size_t kWorst = 10;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t c, std::size_t d) { return key(c) > key(d); });
  order.resize(std::min(order.size(), kWorst));
  return order;
}

/// "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t count);
/// "1 value", "1,234,567 values".
[[nodiscard]] std::string grouped(std::uint64_t count, const std::string& noun);

}  // namespace bn::cli
