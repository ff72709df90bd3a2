#include "cli/verification_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "cli/listing.hpp"
#include "cli/report.hpp"

namespace bn::cli {

namespace {

// Channels that are named one by one.
constexpr std::size_t kNamed = 10;

std::string printed(const char* format, double value) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

// A figure to look at: "0.7", "345.6", "34,000", "1.2e+20".
std::string figure(double value) {
  constexpr double kSmall = 0.1;
  constexpr double kThousand = 1e3;
  constexpr double kUnreadable = 1e15;
  if (!std::isfinite(value)) return value > 0 ? "infinite" : "-infinite";
  const double size = std::abs(value);
  if (size >= kUnreadable || (size < kSmall && size != 0)) return printed("%.2g", value);
  if (size < kThousand) return printed("%.1f", value);
  std::string shown = value < 0 ? "-" : "";
  return shown.append(grouped(static_cast<std::uint64_t>(std::llround(size))));
}

std::string ulp(double value) { return figure(value) + " ulp"; }

// Three digits, and not less than the value.
std::string rounded_up(double value) {
  constexpr double kTiny = 1e-300;
  if (value < kTiny) return text(value);
  const double unit = std::pow(10.0, std::floor(std::log10(value)) - 2);
  for (double steps = std::ceil(value / unit);; ++steps) {
    const double rounded = std::stod(printed("%.3g", steps * unit));
    if (rounded >= value) return text(std::isinf(rounded) ? value : rounded);
  }
}

// As short as its dtype allows.
std::string value_text(Dtype dtype, double value) {
  if (std::isnan(value)) return "NaN";
  return dtype == Dtype::float64 ? text(value) : text(static_cast<float>(value));
}

// The right value beside the claimed one: with all its digits where few do not tell them apart.
std::string exact_text(Dtype dtype, const Errors::Worst& worst) {
  const std::string shown = value_text(dtype, worst.exact);
  return shown == value_text(dtype, worst.claimed) ? text(worst.exact) : shown;
}

class Lines {
 public:
  Lines(const Verified& verified, bool colour) : verified_(verified), colour_(colour) {}

  [[nodiscard]] std::string all() {
    const View view = verified_.view();
    text_ = std::string(verified_.name) + ": " + io::shape_text(verified_.x.shape) + ", axis " +
            std::to_string(verified_.axis) + ": " + grouped(view.channel, "channel") + " of " +
            grouped(view.m(), "value") + ", " + std::string(name(verified_.mode)) + " mode\n";
    for (const HeldClaim& claim : verified_.verification.claims) {
      text_ += "\n";
      add_verdict(claim);
      if (claim.quantity != Quantity::num_batches_tracked) add_errors(claim);
      if (const Diagnosis* diagnosis = verified_.diagnosis(claim)) {
        if (!claim.channels.empty()) add_channels(claim, *diagnosis);
        add_explanations(claim, *diagnosis);
        if (verified_.tried) add_tried(*diagnosis);
      }
    }
    return text_;
  }

 private:
  void add_line(const std::string& line) { text_.append("  ").append(line).append("\n"); }

  // Lines of a table, like any other.
  void add_lines(const std::string& lines) {
    for (std::size_t at = 0; at < lines.size();) {
      const std::size_t end = lines.find('\n', at);
      add_line(lines.substr(at, end - at));
      at = end + 1;
    }
  }

  [[nodiscard]] std::string verdict(bool holds) const {
    const std::string word = holds ? "holds" : "wrong";
    if (!colour_) return word;
    return (holds ? "\x1b[32m" : "\x1b[1;31m") + word + "\x1b[0m";
  }

  void add_verdict(const HeldClaim& claim) {
    const bool right = verified_.right(claim);
    text_ += std::string(name(claim.quantity)) + ": " + verdict(right) + ": ";
    const Errors& all = claim.all;
    if (claim.quantity == Quantity::num_batches_tracked) {
      if (all.worst) {
        text_ += grouped(static_cast<std::uint64_t>(all.worst->claimed));
        if (!claim.holds()) {
          text_.append(", not ").append(grouped(static_cast<std::uint64_t>(all.worst->exact)));
        }
      }
      text_ += "\n";
      return;
    }
    const std::string of_values = grouped(all.values, "value");
    const std::string of_dtype = " ulp of " + std::string(name(claim.dtype));
    if (right) {
      text_ += of_values + " within " + figure(worst_size(all)) + of_dtype + ", tolerated are " +
               tolerated(claim) + "\n";
      return;
    }
    text_ += claim.holds() ? of_values + " within "
                           : grouped(all.beyond) + " of " + of_values + " beyond ";
    text_ += tolerated(claim) + of_dtype;
    text_ += claim.holds() ? ", but no rounding errors\n" : "\n";
  }

  // "12.2 to 28.0", in ulp.
  [[nodiscard]] static std::string tolerated(const HeldClaim& claim) {
    if (claim.tolerances.empty()) return "any";
    const auto [least, most] =
        std::minmax_element(claim.tolerances.begin(), claim.tolerances.end());
    const std::string up_to = figure(*most);
    return figure(*least) == up_to ? up_to : figure(*least) + " to " + up_to;
  }

  void add_errors(const HeldClaim& claim) {
    const Errors& all = claim.all;
    if (!all.worst) return;
    Table rows;
    if (all.nan != 0) rows.push_back({"NaN", grouped(all.nan)});
    rows.push_back({"worst", ulp(worst_size(all)) + " at " +
                                 io::shape_text(verified_.index(claim, all.worst->position)) +
                                 ": " + value_text(claim.dtype, all.worst->claimed) + ", exactly " +
                                 exact_text(claim.dtype, *all.worst)});
    rows.push_back({"plain ulp", figure(all.worst_plain) + " at most"});
    rows.push_back({"mean", ulp(mean_size(all)) + ", bias " + figure(bias(all))});
    if (!claim.holds()) {
      const std::optional<double> needed = needed_tolerance(claim);
      rows.push_back({"would hold with",
                      needed ? "--tolerance " + rounded_up(*needed) : "no tolerance at all"});
    } else if (worst_size(all) > kCarefulTolerance) {
      rows.push_back({"careful code", "stays within " + ulp(kCarefulTolerance) +
                                          ": sums in many parts, or of more digits"});
    }
    add_lines(flush_left(rows));
  }

  void add_channels(const HeldClaim& claim, const Diagnosis& diagnosis) {
    const std::size_t wrong = diagnosis.channels.size();
    const std::size_t channels = claim.channels.size();
    if (channels == 1) return;
    std::string line = "wrong in " + grouped(wrong) + " of " + grouped(channels, "channel");
    if (wrong == channels) line = "wrong in all " + grouped(channels, "channel");
    if (wrong <= kNamed && wrong < channels) {
      for (const std::size_t c : diagnosis.channels) {
        line += (c == diagnosis.channels.front() ? ": " : ", ") + std::to_string(c);
      }
    }
    add_line(line + (wrong > kNamed ? ", the worst:" : ""));
    Table rows{{"channel", "beyond", "worst ulp", "claimed", "exact"}};
    for (const std::size_t c : worst_channels(claim)) {
      const Errors& errors = claim.channels[c];
      const bool within = claim.holds() && worst_size(errors) <= kCarefulTolerance;
      if (within || (!claim.holds() && errors.beyond == 0)) continue;
      rows.push_back({std::to_string(c), grouped(errors.beyond), figure(worst_size(errors)),
                      value_text(claim.dtype, errors.worst->claimed),
                      exact_text(claim.dtype, *errors.worst)});
    }
    add_lines(flush_right(rows));
  }

  void add_explanations(const HeldClaim& claim, const Diagnosis& diagnosis) {
    if (diagnosis.explanations.empty()) add_line("no known mistake explains it");
    const char* begin = "explained: ";
    for (const Explanation& explanation : diagnosis.explanations) {
      std::string sentence = explanation.sentence;
      if (sentence.ends_with('.')) sentence.pop_back();
      add_line(begin + sentence + ": " + ulp(explanation.residual) + " from that, " +
               figure(explanation.error) + " from the right result");
      begin = "or: ";
    }
    const std::size_t wrong = diagnosis.channels.size();
    const bool channels_sampled = diagnosis.sampled_channels < wrong;
    const bool values_sampled = diagnosis.sampled_values < diagnosis.values;
    if (claim.channels.empty() || (!channels_sampled && !values_sampled)) return;
    std::string seen = "seen in ";
    if (values_sampled) seen += "the first " + grouped(diagnosis.sampled_values, "value") + " of ";
    seen += channels_sampled ? grouped(diagnosis.sampled_channels) + " of " + grouped(wrong)
                             : grouped(wrong);
    add_line(seen + (wrong == 1 ? " channel" : " channels"));
  }

  void add_tried(const Diagnosis& diagnosis) {
    Table rows{{"tried", "ulp from that"}};
    for (const Tried& tried : diagnosis.tried) {
      std::string mistakes;
      for (const std::string& mistake : tried.mistakes) {
        mistakes += (mistakes.empty() ? "" : " + ") + mistake;
      }
      rows.push_back({mistakes, tried.residual ? figure(*tried.residual) : "does not apply"});
    }
    add_lines(flush_left(rows));
  }

  const Verified& verified_;
  const bool colour_;
  std::string text_;
};

}  // namespace

const Diagnosis* Verified::diagnosis(const HeldClaim& claim) const {
  const auto found = std::find_if(diagnoses.begin(), diagnoses.end(), [&](const Diagnosis& each) {
    return each.quantity == claim.quantity;
  });
  return found == diagnoses.end() ? nullptr : &*found;
}

std::vector<std::size_t> Verified::index(const HeldClaim& claim, std::size_t position) const {
  if (claim.quantity == Quantity::y || claim.quantity == Quantity::dx) {
    return io::index_of(x, position);
  }
  if (claim.quantity == Quantity::num_batches_tracked) return {};
  return {position};
}

std::vector<std::size_t> worst_channels(const HeldClaim& claim) {
  return worst_ten(claim.channels.size(),
                   [&](std::size_t c) { return worst_size(claim.channels[c]); });
}

double worst_size(const Errors& errors) { return errors.worst ? std::abs(errors.worst->error) : 0; }

std::optional<double> needed_tolerance(const HeldClaim& claim) {
  const double needed = worst_size(claim.all);
  return std::isfinite(needed) ? std::optional(needed) : std::nullopt;
}

std::string verification_text(const Verified& verified, bool colour) {
  return Lines(verified, colour).all();
}

}  // namespace bn::cli
