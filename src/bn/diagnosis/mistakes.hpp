// The known mistakes: one entry in one table each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "bn/diagnosis/recipe.hpp"

namespace bn {

/// The step that a mistake gets wrong. Of two mistakes each is about another one.
enum class Step : std::uint8_t {
  statistics,
  variance,
  centre,
  eps,
  deviation,
  gamma,
  beta,
  affine,  ///< gamma and beta
  terms,
  factor,
  power,
  swap,
  weight,
  updates,
  batch,
};

/// A value that a mistake goes with, and where it is looked for.
enum class Value : std::uint8_t {
  none,
  eps,     ///< greater than 0
  weight,  ///< of the batch
};

/// A mistake that changes some step of every channel's recipe.
struct Mistake {
  std::string_view name;      ///< stable
  std::string_view sentence;  ///< what was done, and what it has to be; {} is the value
  Step step;
  std::uint8_t quantities;  ///< bits: in which it shows
  enum class Mode : std::uint8_t { any, train, test } mode;
  Value value;
  void (*apply)(Recipe& recipe, const LayerBefore& layer, double value);

  [[nodiscard]] bool concerns(Quantity quantity, bn::Mode of_layer) const;
};

/// In the order in which two of them are applied.
[[nodiscard]] std::span<const Mistake> known_mistakes();

/// Whether two mistakes can be made together.
[[nodiscard]] bool go_together(const Mistake& a, const Mistake& b);

/// The sentence with the value in its place: the shortest decimal number that is the same double.
[[nodiscard]] std::string sentence_of(std::string_view sentence, std::optional<double> value);

}  // namespace bn
