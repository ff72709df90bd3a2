#include <string>

#include "cli/commands.hpp"
#include "cli/error.hpp"
#include "cli/inputs.hpp"
#include "cli/report.hpp"
#include "io/documents/part.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

void run(const StatsRequest& request) {
  Report report(request.run);
  io::Transaction transaction({.sync = request.run.fsync});
  io::OutputFile& output = transaction.add_output(request.output, "-o");
  const Sums sums = pool_inputs(request.inputs, request.axis, nullptr, report);
  try {
    output.append(io::format_part(sums));
  } catch (const RangeError& error) {
    throw explain(error, "all inputs together");
  }
  transaction.commit();
  report.finish(0);
}

}  // namespace bn::cli
