#include "cli/inputs.hpp"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "cli/error.hpp"
#include "cli/layer.hpp"
#include "io/arrays/array_sequence.hpp"
#include "io/arrays/reader.hpp"
#include "io/documents/part.hpp"
#include "io/files/file_kind.hpp"
#include "io/files/file_names.hpp"
#include "io/files/output_file.hpp"

namespace bn::cli {

namespace {

// All inputs have the same number of channels.
class ChannelCheck {
 public:
  explicit ChannelCheck(const io::State* state) : state_(state) {}

  // `text`: "3 channels (axis 1 of (2, 3))"; `hint`: what helps where they do not fit the state.
  void operator()(const std::string& file, std::size_t channels, const std::string& text,
                  const std::string& hint = "") {
    if (state_ != nullptr) state_->require_channels(channels, file + " has " + text + hint);
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

View checked_view(const io::ArrayReader& array, const AxisChoice& choice, ChannelCheck& check) {
  const View view = choice.view(array);
  check(array.name(), view.channel, channels_text(array, choice.axis()), choice.hint(array));
  return view;
}

void check_headers(const std::string& path, const AxisChoice& choice, ChannelCheck& check) {
  io::ArraySequence arrays(path);
  while (const std::optional<io::ArrayReader> array = arrays.next()) {
    static_cast<void>(checked_view(*array, choice, check));
  }
}

Input read_array(io::ArrayReader& array, const AxisChoice& choice, ChannelCheck& check,
                 Report& report) {
  const View view = checked_view(array, choice, check);
  const std::ptrdiff_t axis = choice.axis();
  array.spool();  // sums() reads in the order that suits it
  Input input{array.name(), {}};
  try {
    with_memory_for(array, [&] { input.sums = sums(view, array, report.execution()); });
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

// What can be known of an input before its data are read; of a stream (standard input, a pipe, a
// device) nothing. What is not there counts as an array: opening it says so.
enum class InputKind : std::uint8_t { part, array, stream };

InputKind input_kind(const std::string& path) {
  if (path == "-") return InputKind::stream;
  if (const std::optional<io::FileKind> kind = io::file_kind(path)) {
    return io::is_document(*kind) ? InputKind::part : InputKind::array;
  }
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  const bool stream = std::filesystem::exists(status) && !std::filesystem::is_directory(status);
  return stream ? InputKind::stream : InputKind::array;
}

}  // namespace

std::vector<std::string> input_names(const InputNames& inputs) {
  if (!inputs.list) return inputs.operands;
  std::vector<std::string> names = io::read_file_names(*inputs.list);
  if (std::count(names.begin(), names.end(), "-") > 1) {
    throw io::input_error(*inputs.list,
                          "- is in it more than once, but standard input is read once");
  }
  return names;
}

void require_no_input(const std::string& output, const std::vector<std::string>& inputs) {
  const io::Target target = io::resolve_target(output);
  for (const std::string& input : inputs) {
    if (!target.is_input(input)) continue;
    throw UsageError("the output " + output + " is also an input" +
                     (input == output ? "" : ", " + input) + "; give it a file of its own");
  }
}

void for_each_input(const std::vector<std::string>& paths, std::optional<std::ptrdiff_t> axis_flag,
                    const io::State* state, Report& report,
                    const std::function<void(const Input&)>& use) {
  std::uint64_t bytes = 0;
  for (const std::string& path : paths) bytes += size_of(path);
  report.expect(bytes);
  ChannelCheck check(state);
  const AxisChoice choice{axis_flag, state};
  std::vector<InputKind> kinds;
  for (const std::string& path : paths) {
    kinds.push_back(input_kind(path));
    if (kinds.back() == InputKind::part) use(read_part(path, check, report));
    if (kinds.back() == InputKind::array) check_headers(path, choice, check);
  }
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (kinds[i] == InputKind::part) continue;
    io::ArraySequence arrays(paths[i]);
    while (std::optional<io::ArrayReader> array = arrays.next()) {
      use(read_array(*array, choice, check, report));
    }
  }
}

Pool pool_inputs(const std::vector<std::string>& paths, std::optional<std::ptrdiff_t> axis_flag,
                 const io::State* state, Report& report) {
  std::optional<Sums> pool;
  std::uint64_t batches = 0;
  for_each_input(paths, axis_flag, state, report, [&](const Input& input) {
    if (input.sums.count != 0) ++batches;
    if (!pool) {
      pool = input.sums;
      return;
    }
    try {
      *pool += input.sums;
    } catch (const std::invalid_argument&) {  // the channels agree already
      throw io::input_error(input.name, "makes 2^64 or more values per channel");
    }
  });
  return {std::move(pool.value()), batches};
}

}  // namespace bn::cli
