#include <array>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/commands.hpp"
#include "cli/error.hpp"
#include "cli/flags/values.hpp"
#include "cli/report.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/state.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

namespace {

struct Array {
  const Values& given;
  io::Sign sign;
  std::vector<double> values;

  /// Null for a number.
  [[nodiscard]] const std::string* path() const { return std::get_if<std::string>(&given); }
};

/// The number of channels that --channels and all arrays agree on.
std::size_t agreed_channels(std::optional<std::size_t> channels, std::span<const Array> arrays) {
  std::string source = "--channels";
  for (const Array& array : arrays) {
    if (array.path() == nullptr) continue;
    const std::size_t found = array.values.size();
    if (channels && *channels != found) {
      throw io::input_error(*array.path(), std::to_string(found) + " values, but " + source +
                                               " says " + std::to_string(*channels) + " channels");
    }
    channels = found;
    source = io::printable(*array.path());
  }
  if (!channels) throw UsageError("how many channels? give --channels C or an array");
  return *channels;
}

}  // namespace

void run(const InitRequest& request) {
  RunOptions options;
  options.verbose = request.verbose;
  Report report(options);

  io::Transaction transaction;
  const auto existing =
      request.force ? io::OutputFile::Existing::replace : io::OutputFile::Existing::refuse;
  io::OutputFile& output = transaction.add_output(request.output, "-o", existing);

  std::array<Array, 4> arrays = {{{request.gamma, io::Sign::any, {}},
                                  {request.beta, io::Sign::any, {}},
                                  {request.running_mean, io::Sign::any, {}},
                                  {request.running_var, io::Sign::not_negative, {}}}};
  for (Array& array : arrays) {
    if (array.path() != nullptr) array.values = io::read_vector(*array.path(), array.sign);
  }
  const std::size_t channels = agreed_channels(request.channels, arrays);
  for (Array& array : arrays) {
    if (array.path() == nullptr) array.values.assign(channels, std::get<double>(array.given));
  }

  io::State state;
  state.mode = request.mode;
  state.axis = request.axis;
  state.eps = request.eps;
  state.momentum = request.momentum;
  state.gamma = std::move(arrays[0].values);
  state.beta = std::move(arrays[1].values);
  state.running_mean = std::move(arrays[2].values);
  state.running_var = std::move(arrays[3].values);
  io::spell_out(state);

  output.append(io::format_state(state));
  transaction.commit();

  report.note(output.name() + ": " + std::to_string(channels) + " channels");
  report.finish(0);
}

}  // namespace bn::cli
