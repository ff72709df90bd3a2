#include "bn/arrays/dtype.hpp"

#include <array>

namespace bn {
namespace {

struct Facts {
  std::string_view name;
  std::size_t size;
};

constexpr std::array<Facts, 11> kFacts{{
    {"float16", 2},
    {"float32", 4},
    {"float64", 8},
    {"int8", 1},
    {"int16", 2},
    {"int32", 4},
    {"int64", 8},
    {"uint8", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
}};

}  // namespace

std::size_t item_size(Dtype dtype) { return kFacts[static_cast<std::size_t>(dtype)].size; }

std::string_view name(Dtype dtype) { return kFacts[static_cast<std::size_t>(dtype)].name; }

}  // namespace bn
