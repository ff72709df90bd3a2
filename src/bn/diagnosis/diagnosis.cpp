#include "bn/diagnosis/diagnosis.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <limits>
#include <utility>

#include "bn/diagnosis/evidence.hpp"
#include "bn/diagnosis/groups.hpp"
#include "bn/diagnosis/hypothesis.hpp"
#include "bn/diagnosis/low_precision.hpp"
#include "bn/diagnosis/mistakes.hpp"
#include "bn/diagnosis/readings.hpp"

namespace bn {
namespace {

// Of what explains a claim equally well the simpler wins: the one with less freedom.
enum class Freedom : std::uint8_t {
  none,
  one_value,    ///< a short number, a size, an order of channels
  many_values,  ///< one per channel, each of a plausible size
  long_value,   ///< a number that nobody would have written
};

struct Candidate {
  Hypothesis hypothesis;
  Freedom freedom = Freedom::none;
  double residual = 0;
};

// A short number is one that somebody may have written.
constexpr int kShortNumber = 3;
// Nobody adds a larger eps or weighs a batch by more.
constexpr double kLargestValue = 1;
// What frameworks come with: 1e-5, 1e-3. Rounding errors alike in all channels look like any other.
bool is_power_of_ten(const FoundValue& found) {
  if (found.digits != 1 || found.value <= 0) return false;
  const double power = std::log10(found.value);
  constexpr double kRounding = 1e-9;
  return std::abs(power - std::round(power)) < kRounding;
}

// From so many channels on a number that is found in all of them is no accident.
constexpr std::size_t kEnoughChannels = 2;

class Search {
 public:
  Search(const Evidence& evidence, Diagnosis& diagnosis)
      : evidence_(evidence), diagnosis_(diagnosis), right_(right_reading(evidence)) {
    error_ = whole_residual(evidence_, {&right_, {}, {}});
    largest_error_ = 0;
    for (const std::size_t c : evidence_.wrong) {
      const auto& worst = evidence_.held.channels[c].worst;
      if (worst) largest_error_ = std::max(largest_error_, std::abs(worst->error));
    }
  }

  void run(std::span<const OtherView> others, std::span<const std::vector<Cell>> cells_of_others) {
    read(others, cells_of_others);
    for (const Mistake& mistake : known_mistakes()) {
      if (concerns(mistake)) try_it({&right_, {&mistake}, {}});
    }
    for (const Reading& reading : readings_) try_it({&reading, {}, {}});
    // A mistake that leaves as much as careless sums do may be but half of what was done.
    if (best_residual() > kCarefulTolerance && !evidence_.within && !one_number()) try_pairs();
    if (candidates_.empty() && !evidence_.within) try_low_precision();
    conclude();
  }

 private:
  [[nodiscard]] bool concerns(const Mistake& mistake) const {
    return mistake.concerns(evidence_.quantity(), evidence_.layer.mode);
  }

  // Every way to read the arrays that may be tried.
  void read(std::span<const OtherView> others, std::span<const std::vector<Cell>> cells_of_others) {
    for (std::size_t i = 0; i < others.size(); ++i) {
      for (Reading& reading : readings_of(others[i], cells_of_others[i], evidence_)) {
        readings_.push_back(std::move(reading));
      }
    }
    std::vector<Reading> permuted = permuted_readings(evidence_);
    if (permuted.empty()) {
      diagnosis_.tried.push_back({{"channels_permuted_parameters"}, std::nullopt});
      diagnosis_.tried.push_back({{"channels_permuted_statistics"}, std::nullopt});
    }
    for (Reading& reading : permuted) readings_.push_back(std::move(reading));
    if (!evidence_.train()) return;
    if (evidence_.of_elements() || evidence_.quantity() == Quantity::dgamma) {
      for (const std::size_t k : group_sizes(evidence_)) {
        std::optional<Reading> reading = reading_of_groups(evidence_, k);
        if (reading) readings_.push_back(std::move(*reading));
      }
    } else if (evidence_.quantity() < Quantity::dx && !evidence_.within && !one_number()) {
      for (Reading& reading : readings_of_shards(evidence_))
        readings_.push_back(std::move(reading));
    }
  }

  void try_it(Hypothesis hypothesis) {
    Freedom freedom = hypothesis.reading->mistake.empty() ? Freedom::none : Freedom::one_value;
    const bool valued = std::any_of(hypothesis.mistakes.begin(), hypothesis.mistakes.end(),
                                    [](const Mistake* m) { return m->value != Value::none; });
    if (valued) {
      const bool alone = evidence_.wrong.size() < kEnoughChannels;
      // Some value always yields one number, and what rounding errors have done to one variance.
      if (one_number()) return;
      if (evidence_.within && (alone || !evidence_.of_elements())) return;
      const FoundValue found = find_value(evidence_, hypothesis);
      hypothesis.value = found.value;
      const bool is_short = found.digits && *found.digits <= (alone ? 1 : kShortNumber);
      freedom = is_short ? Freedom::one_value : Freedom::long_value;
      if (alone && (!is_short || hypothesis.mistakes.size() > 1)) return;
      if (evidence_.within && !is_power_of_ten(found)) return;
    }
    offer(std::move(hypothesis), freedom);
  }

  void offer(Hypothesis hypothesis, Freedom freedom) {
    const Residual from_it = residual(evidence_, hypothesis);
    const bool unheard_of =
        hypothesis.value && (*hypothesis.value < 0 || *hypothesis.value > kLargestValue);
    diagnosis_.tried.push_back({names(hypothesis), from_it.largest});
    // What is no nearer than the right result, as where this arithmetic sees no error, explains
    // none.
    if (!(from_it.largest < error_.largest)) return;
    if (unheard_of || !from_it.within || from_it.largest > enough()) return;
    if (!leaves_little(from_it)) return;
    candidates_.push_back({std::move(hypothesis), freedom, from_it.largest});
  }

  // All that is known is one number, which soon is something's.
  [[nodiscard]] bool one_number() const {
    return evidence_.wrong.size() == 1 && !evidence_.of_elements();
  }

  // What leaves much of the error does not explain it. Beside an error that rounding alone may have
  // made it has to leave next to nothing: less where there is but one channel to see it in.
  [[nodiscard]] double enough() const {
    if (one_number()) return std::min(kCarefulTolerance, error_.largest / 8);
    const double share = evidence_.wrong.size() < kEnoughChannels ? 32 : 8;
    if (!evidence_.within) {
      return std::max(std::min(kCarefulTolerance, error_.largest / 2), error_.largest / share);
    }
    return error_.largest / share;
  }

  // However large its terms are: a mistake explains the errors themselves.
  [[nodiscard]] bool leaves_little(const Residual& from_it) const {
    constexpr double kLittle = 1.0 / 16;
    double shares = 0;
    for (std::size_t k = 0; k < error_.squares.size(); ++k) {
      if (error_.squares[k] > 0) shares += from_it.squares[k] / error_.squares[k];
    }
    return shares <= kLittle * static_cast<double>(error_.squares.size());
  }

  void try_pairs() {
    const std::span<const Mistake> mistakes = known_mistakes();
    for (std::size_t i = 0; i < mistakes.size(); ++i) {
      if (!concerns(mistakes[i])) continue;
      for (std::size_t j = i + 1; j < mistakes.size(); ++j) {
        if (!concerns(mistakes[j]) || !go_together(mistakes[i], mistakes[j])) continue;
        if (mistakes[i].value != Value::none && mistakes[j].value != Value::none) continue;
        try_it({&right_, {&mistakes[i], &mistakes[j]}, {}});
      }
      if (mistakes[i].value != Value::none) continue;
      for (const Reading& reading : readings_) try_it({&reading, {&mistakes[i]}, {}});
    }
  }

  void try_low_precision() {
    constexpr std::array<std::pair<int, int>, 2> kPrecisions = {{{32, 24}, {16, 11}}};
    for (const auto& [bits, digits] : kPrecisions) {
      // So coarse that it may look like anything else.
      constexpr int kCoarse = 16;
      const bool elements = evidence_.of_elements() && evidence_.wrong.size() >= kEnoughChannels;
      if (bits == kCoarse && !elements) continue;
      std::optional<Reading> reading = reading_of_low_precision(evidence_, bits, digits);
      if (!reading) {
        diagnosis_.tried.push_back({{"low_precision_sums"}, std::nullopt});
        continue;
      }
      readings_.push_back(std::move(*reading));
      offer({&readings_.back(), {}, {}}, Freedom::many_values);
      if (!candidates_.empty()) return;
    }
  }

  [[nodiscard]] double best_residual() const {
    double best = std::numeric_limits<double>::infinity();
    for (const Candidate& candidate : candidates_) best = std::min(best, candidate.residual);
    return best;
  }

  // Of the candidates those that no other one explains better or as well with less freedom.
  void conclude() {
    const double best = best_residual();
    std::erase_if(candidates_, [&](const Candidate& c) { return c.residual > 2 * best + 2; });
    const auto rank = [](const Candidate& c) {
      return std::pair(names(c.hypothesis).size(), c.freedom);
    };
    auto least = std::pair(std::numeric_limits<std::size_t>::max(), Freedom::long_value);
    for (const Candidate& candidate : candidates_) least = std::min(least, rank(candidate));
    std::erase_if(candidates_, [&](const Candidate& c) { return rank(c) != least; });
    std::stable_sort(
        candidates_.begin(), candidates_.end(),
        [](const Candidate& a, const Candidate& b) { return a.residual < b.residual; });
    for (const Candidate& candidate : candidates_) {
      // With gamma 1 several ways to read the arrays are one.
      const bool named = std::any_of(
          diagnosis_.explanations.begin(), diagnosis_.explanations.end(),
          [&](const Explanation& e) { return e.mistakes == names(candidate.hypothesis); });
      if (named) continue;
      diagnosis_.explanations.push_back(
          {names(candidate.hypothesis), sentence(candidate.hypothesis), value(candidate.hypothesis),
           candidate.residual, largest_error_});
    }
  }

  static std::optional<double> value(const Hypothesis& hypothesis) {
    return hypothesis.value ? hypothesis.value : hypothesis.reading->value;
  }

  static std::string sentence(const Hypothesis& hypothesis) {
    std::string text = sentence_of(hypothesis.reading->sentence, hypothesis.reading->value);
    for (const Mistake* mistake : hypothesis.mistakes) {
      text += (text.empty() ? "" : "; and ") + sentence_of(mistake->sentence, hypothesis.value);
    }
    return text;
  }

  const Evidence& evidence_;
  Diagnosis& diagnosis_;
  const Reading right_;
  std::deque<Reading> readings_;  // hypotheses point to them
  Residual error_;                // of what is right
  double largest_error_ = 0;
  std::vector<Candidate> candidates_;
};

Diagnosis of_count(const HeldClaim& held, const LayerBefore& layer) {
  Diagnosis diagnosis;
  diagnosis.quantity = held.quantity;
  const double before = static_cast<double>(layer.running.num_batches_tracked);
  const auto offer = [&](const char* mistake, const char* sentence, double result) {
    const Errors::Worst& worst = *held.all.worst;
    const double from_it = std::abs(worst.claimed - result);
    diagnosis.tried.push_back({{mistake}, from_it});
    if (from_it != 0) return;
    diagnosis.explanations.push_back({{mistake}, sentence, std::nullopt, 0, std::abs(worst.error)});
  };
  if (layer.mode == Mode::train) {
    offer("not_counted",
          "the batch was not counted; num_batches_tracked grows by 1 with every batch", before);
    offer("counted_twice",
          "the batch was counted twice; num_batches_tracked grows by 1 with every batch",
          before + 2);
  } else {
    offer("updated_in_test_mode", "the batch was counted in test mode; train mode alone counts",
          before + 1);
  }
  return diagnosis;
}

// The channels that do not hold; where all do, those whose errors are more than rounding makes in
// careful code.
std::vector<std::size_t> doubted_channels(const HeldClaim& held) {
  std::vector<std::size_t> doubted;
  for (std::size_t c = 0; c < held.channels.size(); ++c) {
    const Errors& of = held.channels[c];
    const bool careless = of.worst && std::abs(of.worst->error) > kCarefulTolerance;
    if (held.holds() ? careless : of.beyond != 0) doubted.push_back(c);
  }
  return doubted;
}

// What code that makes a mistake may be off besides: what is right in train mode may be, and as
// much again for the arithmetic here. Where careless sums are all that there is, careful ones.
void set_limits(Evidence& evidence) {
  for (const SampledChannel& of : evidence.channels) {
    const Cell& cell = evidence.cells[of.channel];
    const Recipe right = right_recipe(evidence.layer, cell);
    const Circumstances circumstances{Mode::train, evidence.held.dtype, cell.count,  cell.var,
                                      right.eps,   of.sizes.x,          right.weight};
    const double most = 2 * default_tolerance(evidence.quantity(), circumstances);
    evidence.limits[of.channel] = evidence.within ? std::min(most, kCarefulTolerance) : most;
  }
}

Source* claimed_array(const Claims& claims, Quantity quantity) {
  return quantity == Quantity::y ? claims.y : quantity == Quantity::dx ? claims.dx : nullptr;
}

}  // namespace

std::vector<Diagnosis> diagnose(const View& view, Source& x, Source* dy, const LayerBefore& layer,
                                const Claims& claims, const Verification& verification,
                                std::optional<std::size_t> rows_per_sample,
                                std::span<const OtherView> others, const Execution& execution) {
  std::vector<Diagnosis> all;
  // Of x and dy, whatever is claimed; taken where something has to be diagnosed.
  std::optional<std::vector<Cell>> cells;
  std::vector<std::vector<Cell>> cells_of_others;
  for (const HeldClaim& held : verification.claims) {
    if (held.quantity == Quantity::num_batches_tracked) {
      if (!held.holds()) all.push_back(of_count(held, layer));
      continue;
    }
    std::vector<std::size_t> doubted = doubted_channels(held);
    if (doubted.empty()) continue;
    if (view.m() == 0) {  // there is nothing to have made a mistake with
      Diagnosis diagnosis;
      diagnosis.quantity = held.quantity;
      diagnosis.within_tolerance = held.holds();
      diagnosis.channels = std::move(doubted);
      if (!held.holds()) all.push_back(std::move(diagnosis));
      continue;
    }
    if (!cells) {
      cells = cells_of(view, x, dy, execution);
      for (const OtherView& other : others) {
        cells_of_others.push_back(cells_of(other.view, x, dy, execution));
      }
    }
    Evidence evidence{layer, held, held.holds(), view, *cells, held.defaults, std::move(doubted)};
    if (rows_per_sample) evidence.values_per_sample = *rows_per_sample * view.inner;
    take_sample(evidence, x, held.quantity >= Quantity::dx ? dy : nullptr,
                claimed_array(claims, held.quantity), execution);
    set_limits(evidence);
    Diagnosis diagnosis;
    diagnosis.quantity = held.quantity;
    diagnosis.within_tolerance = held.holds();
    diagnosis.channels = evidence.wrong;
    diagnosis.sampled_channels = evidence.channels.size();
    diagnosis.sampled_values = evidence.first_values;
    diagnosis.values = view.m();
    Search search(evidence, diagnosis);
    search.run(others, cells_of_others);
    if (!held.holds() || !diagnosis.explanations.empty()) all.push_back(std::move(diagnosis));
  }
  return all;
}

}  // namespace bn
