#include "cli/listing.hpp"

namespace bn::cli {

namespace {

std::vector<std::size_t> widths_of(const Table& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], row[k].size());
  }
  return widths;
}

}  // namespace

std::string flush_left(const Table& rows) {
  const std::vector<std::size_t> widths = widths_of(rows);
  std::string all;
  for (const auto& row : rows) {
    for (std::size_t k = 0; k < row.size(); ++k) {
      all.append(row[k]);
      if (k + 1 < row.size()) all.append(widths[k] - row[k].size() + 2, ' ');
    }
    all.append("\n");
  }
  return all;
}

std::string flush_right(const Table& rows) {
  const std::vector<std::size_t> widths = widths_of(rows);
  std::string all;
  for (const auto& row : rows) {
    for (std::size_t k = 0; k < row.size(); ++k) {
      all.append((k > 0 ? 2 : 0) + widths[k] - row[k].size(), ' ').append(row[k]);
    }
    all.append("\n");
  }
  return all;
}

std::string grouped(std::uint64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string grouped(std::uint64_t count, const std::string& noun) {
  return grouped(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace bn::cli
