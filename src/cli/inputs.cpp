#include "cli/inputs.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>

#include "cli/error.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/part.hpp"
#include "io/files/file_kind.hpp"
#include "io/files/output_file.hpp"

namespace bn::cli {

namespace {

// All inputs have the same number of channels.
class ChannelCheck {
 public:
  explicit ChannelCheck(const io::State* state) : state_(state) {}

  // `text`: "3 channels (axis 1 of (2, 3))".
  void operator()(const std::string& file, std::size_t channels, const std::string& text) {
    if (state_ != nullptr) state_->require_channels(channels, file + " has " + text);
    if (!channels_) {
      channels_ = channels;
      first_ = file + " has " + text;
    }
    if (channels != *channels_) throw io::input_error(file, text + ", but " + first_);
  }

 private:
  const io::State* state_;
  std::optional<std::size_t> channels_;
  std::string first_;
};

// For the progress line; what is not a regular file counts for nothing.
std::uint64_t size_of(const std::string& path) {
  std::error_code none;
  const std::uintmax_t size = std::filesystem::file_size(path, none);
  return none ? 0 : size;
}

Input read_array(const std::string& path, std::ptrdiff_t axis, ChannelCheck& check,
                 Report& report) {
  io::ArrayReader array(path);
  const View view = array.view(axis);
  check(array.name(), view.channel, channels_text(array, axis));
  array.spool();  // sums() reads in the order that suits it
  Input input{array.name(), {}};
  try {
    input.sums = sums(view, array, report.execution());
  } catch (const bn::Error& error) {
    throw explain(error, array, nullptr, axis);
  }
  array.finish();
  report.note_input(array, axis);
  if (view.m() == 0) report.warn(array.name() + ": an empty array, " + array.shape());
  return input;
}

Input read_part(const std::string& path, ChannelCheck& check, Report& report) {
  Input input{io::printable(path), io::read_part(path)};
  const std::string channels = std::to_string(input.sums.sum.size()) + " channels";
  check(input.name, input.sums.sum.size(), channels);
  report.note(input.name + ": statistics of " + std::to_string(input.sums.count) +
              " values per channel, " + channels);
  return input;
}

// Standard input and pipes count as arrays.
bool is_document(const std::string& path) {
  if (path == "-") return false;
  const std::optional<io::FileKind> kind = io::file_kind(path);
  return kind && io::is_document(*kind);
}

}  // namespace

void require_no_input(const std::string& output, const std::vector<std::string>& inputs) {
  const io::Target target = io::resolve_target(output);
  for (const std::string& input : inputs) {
    if (!target.is_input(input)) continue;
    throw UsageError("the output " + output + " is also an input" +
                     (input == output ? "" : ", " + input) + "; give it a file of its own");
  }
}

void for_each_input(const std::vector<std::string>& paths, std::ptrdiff_t axis,
                    const io::State* state, Report& report,
                    const std::function<void(const Input&)>& use) {
  std::uint64_t bytes = 0;
  for (const std::string& path : paths) bytes += size_of(path);
  report.expect(bytes);
  ChannelCheck check(state);
  for (const std::string& path : paths) {
    const bool is_part = is_document(path);
    use(is_part ? read_part(path, check, report) : read_array(path, axis, check, report));
  }
}

Sums pool_inputs(const std::vector<std::string>& paths, std::ptrdiff_t axis, const io::State* state,
                 Report& report) {
  std::optional<Sums> pool;
  for_each_input(paths, axis, state, report, [&pool](const Input& input) {
    if (!pool) {
      pool = input.sums;
      return;
    }
    try {
      *pool += input.sums;
    } catch (const std::invalid_argument&) {  // the channels agree already
      throw io::input_error(input.name, "makes more than 2^64 values per channel");
    }
  });
  return pool.value();
}

}  // namespace bn::cli
