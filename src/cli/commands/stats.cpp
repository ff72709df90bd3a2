// bn stats: exact statistics of arrays and of other parts, to be merged.
#include <cstddef>
#include <string>
#include <vector>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "cli/flags/shared_flags.hpp"
#include "cli/flags/values.hpp"
#include "cli/inputs.hpp"
#include "cli/report.hpp"
#include "io/documents/part.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

struct StatsRequest {
  InputNames inputs;
  std::string output = "-";
  std::ptrdiff_t axis = 1;
  RunOptions run;
};

void add_flags(Command& command, StatsRequest& request) {
  command.describe(
      {"Computes exact statistics that can be merged.", "(INPUT... | --files0-from FILE)",
       "What it writes can be an input again: parts merged in any order and grouping give\n"
       "the same bytes as all the data at once.\n"
       "Examples:\n"
       "  bn stats shard1.npy shard2.npy -o part.json\n"
       "  bn stats part1.json part2.json -o all.json\n"
       "  find . -name '*.npy' -print0 | bn stats --files0-from - | grep mean\n" +
           std::string(kAboutTemporaryFiles)});
  add_inputs(command, request.inputs);
  command.flag("-o", "PART.json", "where to write (default: -, standard output)", request.output);
  command.flag("--axis", "N", "channel axis of the arrays, negative from the end (default: 1)",
               request.axis, parse_axis);
  add_computing(command, request.run);
  add_force(command, request.run);
  add_fsync(command, request.run);
}

void check(const StatsRequest& request) { require_inputs(request.inputs); }

void run(const StatsRequest& request) {
  Report report(request.run);
  const std::vector<std::string> inputs = input_names(request.inputs);
  require_no_input(request.output, inputs);
  if (request.inputs.list) require_no_input(request.output, {*request.inputs.list});
  io::Transaction transaction(output_options(request.run));
  io::OutputFile& output = transaction.add_output(request.output, "-o", io::FileKind::part);
  const Sums sums = pool_inputs(inputs, request.axis, nullptr, report).sums;
  try {
    output.append(io::format_part(sums));
  } catch (const RangeError& error) {
    throw explain(error, "all inputs together");
  }
  transaction.commit();
  report.finish(0);
}

}  // namespace

Work define_stats(Command& command) { return make_work(command, add_flags, check, run); }

}  // namespace bn::cli
