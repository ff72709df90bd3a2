// bn compare: how the values of one array differ from those of another.
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "bn/arrays/elements.hpp"
#include "bn/comparison.hpp"
#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
#include "cli/flags/values.hpp"
#include "cli/layer.hpp"
#include "cli/listing.hpp"
#include "cli/report.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/json_text.hpp"
#include "io/files/descriptor.hpp"

namespace bn::cli {

namespace {

namespace json = io::json;

struct CompareRequest {
  std::string a;
  std::string b;
  Tolerance tolerance;
  std::optional<std::ptrdiff_t> axis;
  bool json = false;
  RunOptions run;
};

void add_flags(Command& command, CompareRequest& request) {
  command.describe(
      {"Says how two arrays differ.", "A.npy B.npy",
       "B is the reference. Dtypes and memory orders may differ, shapes may not. A pair of\n"
       "values passes if they are equal, or within the tolerance that is given: within N ulp,\n"
       "or |a - b| <= atol + rtol |b|, in exact arithmetic; --atol is 0 where only --rtol is\n"
       "given. Ulp are steps between values of the coarser of the two dtypes.\n"
       "Exits with 0 if all pairs pass, 1 if one does not, 2 and more for trouble.\n"
       "Examples:\n"
       "  bn compare mine.npy reference.npy\n"
       "  bn compare mine.npy reference.npy --ulp 2 --axis 1\n"
       "  bn forward x.npy --state state.json -o - | bn compare mine.npy - --rtol 1e-5 --json\n" +
           std::string(kAboutTemporaryFiles)});
  command.positional("A", "an array, .npy, - for standard input", request.a);
  command.positional("B", "the reference, .npy, - for standard input", request.b);
  command.flag("--atol", "T", "the absolute tolerance", request.tolerance.atol, parse_tolerance);
  command.flag("--rtol", "T", "the relative tolerance", request.tolerance.rtol, parse_tolerance);
  command.flag("--ulp", "N", "the tolerance in steps between neighbouring values",
               request.tolerance.ulp, parse_steps);
  command.toggle("--equal-nan", "NaN beside NaN passes", request.tolerance.equal_nan);
  command.toggle("--bits", "only the same bits pass, -0 is not 0, and no NaN another one",
                 request.tolerance.bits);
  command.flag("--axis", "N", "show the worst channels of this axis, negative from the end",
               request.axis, parse_axis);
  command.toggle("--json", "write a JSON object to standard output instead of text", request.json);
  add_computing(command, request.run);
}

void check(const CompareRequest& request) {
  require(request.a, "A");
  require(request.b, "B");
  require_one_dash_at_most({request.a, request.b}, "standard input");
  const Tolerance& tolerance = request.tolerance;
  if (tolerance.bits &&
      (tolerance.atol || tolerance.rtol || tolerance.ulp || tolerance.equal_nan)) {
    throw UsageError("--bits leaves no room for a tolerance or --equal-nan");
  }
}

// What is compared, for the output.
struct Compared {
  const CompareRequest& request;
  const io::ArrayReader& a;
  const io::ArrayReader& b;
  const Comparison& comparison;
};

// The most that channels can differ comes first: in values that pass with no tolerance, in steps,
// in size.
std::vector<std::size_t> worst_channels(const std::vector<Differences>& channels) {
  return worst_ten(channels.size(), [&](std::size_t c) {
    const Differences& of = channels[c];
    return std::tuple(of.one_nan + of.infinities, of.ulp ? of.ulp->value : Uint128{},
                      of.absolute ? of.absolute->value : 0);
  });
}

std::string steps_text(Uint128 steps) { return Integer(steps).str(); }

std::uint64_t differing(const Differences& of) { return of.values - of.equal - of.both_nan; }

// As short as its dtype allows.
std::string element_text(Dtype dtype, const std::array<std::byte, 8>& element) {
  if (!is_floating(dtype)) {
    const Dyadic value = exact_value(dtype, element.data());
    return Integer(value.integer() << value.exponent()).str();
  }
  const double value = as_double(dtype, element.data());
  return dtype == Dtype::float64 ? text(value) : text(static_cast<float>(value));
}

// "all 3 values are equal", "1 of 3 values is not within --ulp 2".
std::string verdict_text(const Tolerance& tolerance, std::uint64_t values, std::uint64_t beyond) {
  const bool passes = beyond == 0;
  const bool several = (passes ? values : beyond) != 1;
  const std::string of_values = io::count_text(values, "value");
  std::string verdict = std::to_string(beyond) + " of " + of_values;
  if (passes) verdict = several ? "all " + of_values : "the value";
  if (tolerance.bits) {
    verdict +=
        passes ? (several ? " have" : " has") : (several ? " do not have" : " does not have");
    return verdict + " the same bits";
  }
  verdict += several ? " are" : " is";
  if (!passes) verdict += " not";
  std::string within;
  const auto add = [&](const std::string& flag) {
    within += (within.empty() ? " within " : ", ") + flag;
  };
  if (tolerance.ulp) add("--ulp " + std::to_string(*tolerance.ulp));
  if (tolerance.atol) add("--atol " + text(*tolerance.atol));
  if (tolerance.rtol) add("--rtol " + text(*tolerance.rtol));
  return verdict + (within.empty() ? " equal" : within);
}

std::string steps_name(const Compared& of) {
  const std::optional<Dtype> among = coarser(of.a.dtype(), of.b.dtype());
  return among ? "ulp of " + std::string(name(*among)) : "steps";
}

template <class Measure>
std::string largest_text(const Compared& of, const std::optional<Largest<Measure>>& largest,
                         const std::string& value) {
  if (!largest) return "none";
  return value + " at " + io::index_text(of.a.header(), largest->position) + ": " +
         element_text(of.a.dtype(), largest->a) + ", not " + element_text(of.b.dtype(), largest->b);
}

std::string needed_text(const Compared& of) {
  const Tolerance& tolerance = of.request.tolerance;
  const auto atol = needed_atol(of.comparison.all, tolerance);
  const auto ulp = needed_ulp(of.comparison.all, tolerance);
  if (!atol && !ulp) return "no tolerance is enough";
  std::string words = ulp ? "--ulp " + std::to_string(*ulp) : "";
  if (atol) {
    words += (ulp ? ", or " : "");
    if (tolerance.rtol) words += "--rtol " + text(*tolerance.rtol) + " ";
    words += "--atol " + text(*atol);
  }
  return words;
}

std::string worst_text(const Compared& of) {
  Table rows{{"channel", "differ", "beyond", "|a - b|", steps_name(of), "mean of a - b"}};
  for (const std::size_t c : worst_channels(of.comparison.channels)) {
    const Differences& channel = of.comparison.channels[c];
    const auto mean = mean_error(channel);
    rows.push_back({std::to_string(c), std::to_string(differing(channel)),
                    std::to_string(channel.beyond),
                    channel.absolute ? text(channel.absolute->value) : "0",
                    channel.ulp ? steps_text(channel.ulp->value) : "0", mean ? text(*mean) : "-"});
  }
  const std::size_t channels = of.comparison.channels.size();
  return "\n" + std::to_string(rows.size() - 1) + " worst of " +
         io::count_text(channels, "channel") + " (axis " + std::to_string(*of.request.axis) +
         "):\n" + flush_right(rows);
}

std::string as_text(const Compared& of) {
  const Differences& all = of.comparison.all;
  const std::string files = of.a.name() + " and " + of.b.name();
  const std::string verdict =
      files + ": " + verdict_text(of.request.tolerance, all.values, all.beyond) + "\n";
  Table rows{{"equal", std::to_string(all.equal)}, {"different", std::to_string(differing(all))}};
  const auto add_if_any = [&](const char* label, std::uint64_t count) {
    if (count != 0) rows.push_back({label, std::to_string(count)});
  };
  add_if_any("zeros of other sign", all.zero_signs);
  add_if_any("NaN in both", all.both_nan);
  add_if_any("NaN in one", all.one_nan);
  add_if_any("infinite in one", all.infinities);
  rows.push_back({"largest |a - b|",
                  largest_text(of, all.absolute, all.absolute ? text(all.absolute->value) : "")});
  rows.push_back({"largest |a - b| / |b|",
                  largest_text(of, all.relative, all.relative ? text(all.relative->value) : "")});
  rows.push_back({"most " + steps_name(of),
                  largest_text(of, all.ulp, all.ulp ? steps_text(all.ulp->value) : "")});
  const auto mean = mean_error(all);
  rows.push_back({"mean of a - b", mean ? text(*mean) : "none"});
  rows.push_back({"would pass with", needed_text(of)});
  return verdict + flush_left(rows) + (of.request.axis ? worst_text(of) : "");
}

// A difference beyond the range of double is null.
std::string json_of(std::optional<double> value) {
  return value ? json::number_or_null_text(*value) : "null";
}

std::string json_of_element(Dtype dtype, const std::array<std::byte, 8>& element) {
  return is_floating(dtype) ? json::number_text(as_double(dtype, element.data()))
                            : element_text(dtype, element);
}

template <class Measure>
std::string json_of(const Compared& of, const std::optional<Largest<Measure>>& largest) {
  if (!largest) return "null";
  std::string value;
  if constexpr (std::is_floating_point_v<Measure>) {
    value = json_of(std::optional(largest->value));
  } else {
    value = steps_text(largest->value);
  }
  const auto index = io::index_of(of.a.header(), largest->position);
  return json::line_text({{"value", value},
                          {"index", json::integers_text(index)},
                          {"a", json_of_element(of.a.dtype(), largest->a)},
                          {"b", json_of_element(of.b.dtype(), largest->b)}});
}

json::Members members(const Compared& of, const Differences& differences) {
  const auto ulp = needed_ulp(differences, of.request.tolerance);
  return {{"values", std::to_string(differences.values)},
          {"equal", std::to_string(differences.equal)},
          {"zero_signs", std::to_string(differences.zero_signs)},
          {"both_nan", std::to_string(differences.both_nan)},
          {"one_nan", std::to_string(differences.one_nan)},
          {"one_infinite", std::to_string(differences.infinities)},
          {"beyond", std::to_string(differences.beyond)},
          {"max_abs", json_of(of, differences.absolute)},
          {"max_rel", json_of(of, differences.relative)},
          {"max_ulp", json_of(of, differences.ulp)},
          {"mean_error", json_of(mean_error(differences))},
          {"needed_atol", json_of(needed_atol(differences, of.request.tolerance))},
          {"needed_ulp", ulp ? std::to_string(*ulp) : "null"}};
}

std::string as_json(const Compared& of) {
  json::Members all = members(of, of.comparison.all);
  if (of.request.axis) {
    std::vector<std::string> channels;
    for (const std::size_t c : worst_channels(of.comparison.channels)) {
      json::Members channel = members(of, of.comparison.channels[c]);
      channel.emplace(channel.begin(), "channel", std::to_string(c));
      channels.push_back(json::line_text(channel));
    }
    all.emplace_back("channels", json::lines_text(channels, 1));
  }
  all.emplace_back("passes", of.comparison.all.beyond == 0 ? "true" : "false");
  return json::object_text(all);
}

// Without an axis all elements are one channel.
View view_of(const io::ArrayReader& array, std::optional<std::ptrdiff_t> axis) {
  return axis ? array.view(*axis, "--axis") : View{1, 1, array.header().size()};
}

void require_comparable(const io::ArrayReader& a, const io::ArrayReader& b, bool bits) {
  require_same_shape(a, b);
  if (bits && a.dtype() != b.dtype()) {
    throw io::input_error(a.name(), std::string(name(a.dtype())) + ", but " + b.name() + " is " +
                                        std::string(name(b.dtype())) +
                                        ": --bits compares arrays of one dtype");
  }
}

Verdict run(const CompareRequest& request) {
  Report report(request.run);
  io::ArrayReader a(request.a);
  io::ArrayReader b(request.b);
  require_comparable(a, b, request.tolerance.bits);
  const View view = view_of(a, request.axis);
  Comparison comparison;
  with_memory_for(a, [&] {
    if (a.header().order != b.header().order) {
      b.spool();
      b.reorder(a.header().order);
    }
    comparison = compare(view, a, b, request.tolerance, report.execution());
  });
  a.finish();
  b.finish();
  const Compared compared{request, a, b, comparison};
  const std::string output = request.json ? as_json(compared) : as_text(compared);
  io::write_fully(STDOUT_FILENO, std::as_bytes(std::span(output)), "standard output");
  report.note_input(a, request.axis);
  report.note_input(b, request.axis);
  report.finish(0);
  return comparison.all.beyond == 0 ? Verdict::yes : Verdict::no;
}

}  // namespace

Work define_compare(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
