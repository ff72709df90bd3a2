// The choices that decide what a number means, and the words that files, flags and messages use for
// them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace bn {

/// Which statistics normalise: the batch's own, or the running ones.
enum class Mode : std::uint8_t { train, test };

/// Which of the two terms of a running average momentum multiplies; the other gets 1 - momentum.
enum class MomentumWeights : std::uint8_t {
  running,  ///< the old running value (TensorFlow, CS231n)
  batch,    ///< the new batch value (PyTorch)
};

/// What sum (x - mean)^2 is divided by: m, or m - 1.
enum class VarEstimator : std::uint8_t { biased, unbiased };

/// The convention of a running average.
struct Momentum {
  std::optional<double> value = 0.9;  ///< none: the cumulative average
  MomentumWeights weights = MomentumWeights::running;
  VarEstimator running_var_estimator = VarEstimator::biased;
};

/// The words for the values of one of these choices.
template <class Choice>
struct Word {
  std::string_view word;
  Choice choice;
};
template <class Choice>
inline constexpr std::array<Word<Choice>, 2> kWords = {};
template <>
inline constexpr std::array<Word<Mode>, 2> kWords<Mode> = {
    {{"train", Mode::train}, {"test", Mode::test}}};
template <>
inline constexpr std::array<Word<MomentumWeights>, 2> kWords<MomentumWeights> = {
    {{"running", MomentumWeights::running}, {"batch", MomentumWeights::batch}}};
template <>
inline constexpr std::array<Word<VarEstimator>, 2> kWords<VarEstimator> = {
    {{"biased", VarEstimator::biased}, {"unbiased", VarEstimator::unbiased}}};

/// The word for a choice.
template <class Choice>
requires(!kWords<Choice>[0].word.empty()) [[nodiscard]] constexpr std::string_view
    name(Choice choice) {
  for (const auto& [word, each] : kWords<Choice>) {
    if (each == choice) return word;
  }
  return {};
}

}  // namespace bn
