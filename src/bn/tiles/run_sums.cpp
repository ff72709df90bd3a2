#include "bn/tiles/run_sums.hpp"

#include <algorithm>
#include <cstring>

#include "bn/arrays/elements.hpp"
#include "bn/tiles/exponent_window.hpp"
#include "bn/tiles/single_sums.hpp"

namespace bn {
namespace {

// Shorter pieces are packed together before they are summed: a call of a kernel costs about as much
// as so many values. So many tell the exponents of a channel well enough.
constexpr std::size_t kShortPiece = 256;
constexpr std::size_t kSample = 256;

}  // namespace

template <class Real, std::size_t kArrays>
RunSums<Real, kArrays>::RunSums(const TileArrays& arrays, std::span<Buffer, 2> scratch)
    : arrays_(arrays), kernels_(sum_kernels<Real>()) {
  for (std::size_t a = 0; a < kArrays; ++a) {
    buffer_[a] = reinterpret_cast<Real*>(scratch[a].get(kernels_.chunk * sizeof(Real)));
  }
}

template <class Real, std::size_t kArrays>
void RunSums<Real, kArrays>::add_channel(std::size_t channel, Accumulators<Real>& sums) {
  sums_ = &sums;
  predicted_ = false;
  for (std::size_t row = 0; row < arrays_.tile.outer.count; ++row) {
    add_run(row, channel * arrays_.tile.inner.count);
  }
  if (packed_ != 0) add_packed();
}

// A run is summed where it lies, if it is long and of the kernels' type, or else from the buffer.
template <class Real, std::size_t kArrays>
void RunSums<Real, kArrays>::add_run(std::size_t row, std::size_t first) {
  const std::size_t end = first + arrays_.tile.inner.count;
  for (std::size_t i = first; i < end;) {
    const bool alone = packed_ == 0 && end - i >= kShortPiece;
    const std::size_t n = std::min(end - i, kernels_.chunk - packed_);
    Values values;
    for (std::size_t a = 0; a < kArrays; ++a) {
      Real* to = buffer_[a] + packed_;
      values[a] = widen<Real>(arrays_.blocks[a].dtype, arrays_.at(a, row, i), n, to);
      if (!alone && values[a] != to) std::memcpy(to, values[a], n * sizeof(Real));
    }
    if (alone) {
      add_chunk(values, n);
    } else {
      packed_ += n;
    }
    if (packed_ == kernels_.chunk) add_packed();
    i += n;
  }
}

template <class Real, std::size_t kArrays>
void RunSums<Real, kArrays>::add_packed() {
  Values values;
  std::copy(buffer_.begin(), buffer_.end(), values.begin());
  add_chunk(values, packed_);
  packed_ = 0;
}

template <class Real, std::size_t kArrays>
void RunSums<Real, kArrays>::add_chunk(const Values& values, std::size_t n) {
  if (!predicted_) predict(values, n);
  switch (check(sum(values, n))) {
    case Fit::yes:
      break;
    case Fit::after_all:
      sum(values, n);
      break;
    case Fit::in_part: {
      spill(values, n);
      Values rest;
      std::copy(buffer_.begin(), buffer_.end(), rest.begin());
      sum(rest, n);
      break;
    }
  }
  for (std::size_t t = 0; t < sum_.size(); ++t) {
    sums_->values.add(sum_[t], exponent_.back() + Grid::sum[t]);
  }
  for (std::size_t t = 0; t < products_.size(); ++t) {
    sums_->products.add(products_[t], exponent_.front() + exponent_.back() + Grid::product[t]);
  }
  sums_->sizes.see(below_.front(), below_.back());
}

// From the channel's first values; afterwards every chunk predicts the exponents of the next.
template <class Real, std::size_t kArrays>
void RunSums<Real, kArrays>::predict(const Values& values, std::size_t n) {
  for (std::size_t a = 0; a < kArrays; ++a) {
    const auto extremes = kernels_.extremes(values[a], std::min(n, kSample));
    exponent_[a] = ExponentRange<Real>(extremes).predict(kHeadroomOfSample);
  }
  predicted_ = true;
}

template <class Real, std::size_t kArrays>
auto RunSums<Real, kArrays>::sum(const Values& values, std::size_t n) -> Extremes {
  Extremes extremes;
  kernels_.along_run[kArrays - 1](values.data(), n, exponent_.data(), sum_.data(), products_.data(),
                                  extremes.data());
  return extremes;
}

template <class Real, std::size_t kArrays>
auto RunSums<Real, kArrays>::check(const Extremes& extremes) -> Fit {
  Fit fit = Fit::yes;
  for (std::size_t a = 0; a < kArrays; ++a) {
    const ExponentRange<Real> range(extremes[a]);
    if (!range.finite) arrays_.throw_first_non_finite();
    below_[a] = range.below();
    if (range.fit(exponent_[a])) continue;
    exponent_[a] = range.predict(kHeadroomOfChunk);
    if (!range.fit(exponent_[a])) {
      fit = Fit::in_part;
    } else if (fit == Fit::yes) {
      fit = Fit::after_all;
    }
  }
  return fit;
}

// Adds what is too small for the window and leaves the rest of the values in the buffer.
template <class Real, std::size_t kArrays>
void RunSums<Real, kArrays>::spill(const Values& values, std::size_t n) {
  for (std::size_t a = 0; a < kArrays; ++a) {
    if (values[a] != buffer_[a]) std::memcpy(buffer_[a], values[a], n * sizeof(Real));
  }
  for (std::size_t i = 0; i < n; ++i) {
    bool too_small = false;
    for (std::size_t a = 0; a < kArrays; ++a) {
      too_small = too_small || ExponentRange<Real>::below_window(buffer_[a][i], exponent_[a]);
    }
    if (!too_small) continue;
    add_element(*sums_, decoded(buffer_.front()[i]), decoded(buffer_.back()[i]));
    for (std::size_t a = 0; a < kArrays; ++a) buffer_[a][i] = 0;
  }
}

template class RunSums<float, 1>;
template class RunSums<float, 2>;
template class RunSums<double, 1>;
template class RunSums<double, 2>;

}  // namespace bn
