#include "bn/exact/accumulator.hpp"

#include <algorithm>
#include <cstring>

namespace bn {

template <int kLowest, int kHighest>
void Accumulator<kLowest, kHighest>::carry() {
  waiting_ = 0;
  if (begin_ >= end_) return;
  // The carry out of the last touched limb can reach one further; beyond it there are only its
  // signs.
  if (end_ < kLimbs) ++end_;
  for (std::size_t i = begin_; i + 1 < end_; ++i) {
    limbs_[i + 1] += limbs_[i] >> 32;
    limbs_[i] &= 0xffffffff;
  }
}

template <int kLowest, int kHighest>
Accumulator<kLowest, kHighest>& Accumulator<kLowest, kHighest>::operator+=(
    const Accumulator& other) {
  if (waiting_ + std::uint64_t{other.waiting_} >= kMaxWaiting) carry();
  for (std::size_t i = other.begin_; i < other.end_; ++i) limbs_[i] += other.limbs_[i];
  begin_ = std::min(begin_, other.begin_);
  end_ = std::max(end_, other.end_);
  // A limb of a carried accumulator is worth less than one addition; `+ 1` counts it.
  waiting_ += other.waiting_ + 1;
  return *this;
}

template <int kLowest, int kHighest>
Dyadic Accumulator<kLowest, kHighest>::take() {
  carry();
  if (begin_ >= end_) return {};
  const bool negative = limbs_[end_ - 1U] < 0;
  const int exponent = kBase + 32 * begin_;

  // Two's complement of the touched limbs, then the magnitude, in 64-bit words.
  std::array<std::uint64_t, kLimbs / 2 + 2> words{};
  std::size_t count = 0;
  std::uint64_t borrow = negative ? 1 : 0;
  for (std::size_t i = begin_; i < end_; i += 2) {
    const auto low = static_cast<std::uint64_t>(limbs_[i]);
    const auto high = i + 1 < end_ ? static_cast<std::uint64_t>(limbs_[i + 1])
                                   : static_cast<std::uint64_t>(limbs_[i] >> 32);
    std::uint64_t word = (low & 0xffffffff) | (high << 32);
    if (negative) {
      word = ~word + borrow;
      borrow = (borrow != 0 && word == 0) ? 1 : 0;
    }
    words[count++] = word;
  }
  std::fill(limbs_.begin() + begin_, limbs_.begin() + end_, 0);
  begin_ = kLimbs;
  end_ = 0;

  while (count > 0 && words[count - 1] == 0) --count;
  if (count == 0) return {};
  Integer integer;
  auto& backend = integer.backend();
  backend.resize(static_cast<unsigned>(count), static_cast<unsigned>(count));
  std::memcpy(backend.limbs(), words.data(), count * sizeof(std::uint64_t));
  backend.sign(negative);
  return {std::move(integer), exponent};
}

template class Accumulator<kLowestOfFloat, 128>;
template class Accumulator<2 * kLowestOfFloat, 256>;
template class Accumulator<-1074, 1024>;
template class Accumulator<-2148, 2048>;

}  // namespace bn
