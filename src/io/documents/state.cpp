#include "io/documents/state.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "io/arrays/reader.hpp"
#include "io/documents/fields.hpp"
#include "io/documents/json.hpp"
#include "io/documents/json_text.hpp"
#include "io/error.hpp"

namespace bn::io {

namespace {

std::optional<double> parse_momentum(const json::Field& field) {
  constexpr std::string_view kExpected = "a number in [0, 1], or null for the cumulative average";
  if (field.value().kind == json::Kind::null) return std::nullopt;
  const double value = field.number(kExpected);
  if (!(value >= 0 && value <= 1)) field.fail(kExpected);
  return value;
}

// gamma or beta: values, or the path of a .npy file.
void parse_parameter(const json::Field& field, std::optional<std::vector<double>>& values,
                     std::optional<std::string>& file) {
  constexpr std::string_view kExpected = "an array of numbers or the path of a .npy file";
  if (field.value().kind == json::Kind::string) {
    file = field.string(kExpected);
    if (file->empty() || file->find('\0') != std::string::npos) field.fail(kExpected);
  } else {
    values = field.numbers(kExpected);
  }
}

void parse_member(State& state, std::string_view key, const json::Field& field) {
  if (key == "mode") {
    state.mode = json::choose<Mode>(field);
  } else if (key == "axis") {
    state.axis = field.integer("an integer");
  } else if (key == "eps") {
    state.eps = read_eps(field);
  } else if (key == "momentum") {
    state.momentum.value = parse_momentum(field);
  } else if (key == "momentum_weights") {
    state.momentum.weights = json::choose<MomentumWeights>(field);
  } else if (key == "running_var_estimator") {
    state.momentum.running_var_estimator = json::choose<VarEstimator>(field);
  } else if (key == "gamma") {
    parse_parameter(field, state.gamma, state.gamma_file);
  } else if (key == "beta") {
    parse_parameter(field, state.beta, state.beta_file);
  } else if (key == "running_mean") {
    state.running_mean = field.numbers("an array of numbers");
  } else if (key == "running_var") {
    state.running_var = field.numbers(kVariances);
    require_variances(field, *state.running_var);
  } else if (key == "num_batches_tracked") {
    constexpr std::string_view kExpected = "an integer from 0 to 2^53";
    state.num_batches_tracked = field.unsigned_integer(kExpected);
    if (state.num_batches_tracked > kMaxBatches) field.fail(kExpected);
  }
}

struct NamedArray {
  std::string_view key;
  const std::optional<std::vector<double>>* values;
  const std::optional<std::string>* file = nullptr;  // of those that may lie in one

  // "gamma", "gamma (g.npy)".
  [[nodiscard]] std::string name() const {
    if (file == nullptr || !file->has_value()) return std::string(key);
    return std::string(key) + " (" + printable(**file) + ")";
  }
};

std::array<NamedArray, 4> arrays(const State& state) {
  return {{{"gamma", &state.gamma, &state.gamma_file},
           {"beta", &state.beta, &state.beta_file},
           {"running_mean", &state.running_mean},
           {"running_var", &state.running_var}}};
}

std::filesystem::path directory_of(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  return parent.empty() ? "." : parent;
}

// Where the state at `path` keeps gamma or beta.
std::string parameter_path(const std::string& path, const std::string& reference) {
  return (std::filesystem::path(path).parent_path() / reference).string();
}

std::vector<double> read_parameter(std::string_view key, const std::string& reference,
                                   const std::string& path, std::string_view file) {
  const std::string array = parameter_path(path, reference);
  // It is read again when the state is updated, under the lock: a pipe would give nothing then.
  std::error_code none;
  const std::filesystem::file_status status = std::filesystem::status(array, none);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw input_error(file, std::string(key) + ": " + printable(array) + ": is not a regular file");
  }
  try {
    return read_vector(array);
  } catch (const Error& error) {
    if (error.cause() == Cause::missing) {  // what the state says is wrong, not the system
      throw input_error(file,
                        std::string(key) + ": " + printable(array) + ": No such file or directory");
    }
    throw Error(error.kind(), std::string(file) + ": " + std::string(key) + ": " + error.what(),
                error.cause());
  }
}

void set_member(State& state, std::string_view key, std::string text) {
  const auto found = std::find_if(state.document.begin(), state.document.end(),
                                  [&](const auto& member) { return member.first == key; });
  if (found != state.document.end()) {
    found->second = std::move(text);
  } else {
    state.document.emplace_back(key, std::move(text));
  }
}

void require_finite(const State& state, std::string_view key, const std::vector<double>& values) {
  const auto bad =
      std::find_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); });
  if (bad == values.end()) return;
  throw input_error(state.path, std::string(key) + "[" + std::to_string(bad - values.begin()) +
                                    "] would become infinite: the running statistics leave the "
                                    "range of double");
}

}  // namespace

std::optional<std::size_t> State::channels() const {
  for (const NamedArray& array : arrays(*this)) {
    if (array.values->has_value()) return (*array.values)->size();
  }
  return std::nullopt;
}

void State::require_channels(std::size_t channels, std::string_view what_has_how_many) const {
  for (const NamedArray& array : arrays(*this)) {
    if (!array.values->has_value() || (*array.values)->size() == channels) continue;
    throw input_error(path, array.name() + " has " + count_text((*array.values)->size(), "value") +
                                ", but " + std::string(what_has_how_many));
  }
}

State parse_state(std::string_view text, std::string_view file) {
  const json::Document document(text, file);
  require_kind(document, FileKind::state, file);
  State state;
  for (const auto& [key, value] : document.members()) {
    parse_member(state, key, json::Field(file, key, value));
    state.document.emplace_back(key, value.text);
  }
  return state;
}

State read_state(const std::string& path) {
  const InputFile file = open_input(path);
  return naming_memory_for(file.name, "its values", [&] { return read_state(file, path); });
}

State read_state(const InputFile& file, const std::string& path, const State* before) {
  std::string text = read_text(file, FileKind::state);
  State state = before != nullptr && before->text == text ? *before : parse_state(text, file.name);
  state.text = std::move(text);
  state.path = path;
  if (state.gamma_file) state.gamma = read_parameter("gamma", *state.gamma_file, path, file.name);
  if (state.beta_file) state.beta = read_parameter("beta", *state.beta_file, path, file.name);
  return state;
}

void protect_parameters(Transaction& transaction, const State& state, const std::string& flag) {
  const auto protect = [&](const char* key, const std::optional<std::string>& reference) {
    if (!reference) return;
    transaction.protect_named(
        parameter_path(state.path, *reference),
        printable(*reference) + " (" + key + " of " + flag + " " + printable(state.path) + ")");
  };
  protect("gamma", state.gamma_file);
  protect("beta", state.beta_file);
}

std::string format_state(const State& state) { return json::object_text(state.document); }

void spell_out(State& state) {
  const auto quoted = [](std::string_view text) { return json::string_text(text); };
  if (state.mode) set_member(state, "mode", quoted(name(*state.mode)));
  set_member(state, "axis", std::to_string(state.axis));
  set_member(state, "eps", json::number_text(state.eps));
  set_member(state, "momentum",
             state.momentum.value ? json::number_text(*state.momentum.value) : "null");
  set_member(state, "momentum_weights", quoted(name(state.momentum.weights)));
  set_member(state, "running_var_estimator", quoted(name(state.momentum.running_var_estimator)));
  for (const NamedArray& array : arrays(state)) {
    if (array.values->has_value()) {
      set_member(state, array.key, json::numbers_text(**array.values));
    }
  }
  set_member(state, "num_batches_tracked", std::to_string(state.num_batches_tracked));
}

void move_references(State& state, const std::string& path) {
  namespace fs = std::filesystem;
  const auto move = [&](std::string_view key, std::optional<std::string>& reference) {
    if (!reference || fs::path(*reference).is_absolute()) return;
    std::error_code error;
    const fs::path from = fs::weakly_canonical(directory_of(state.path), error);
    const fs::path to = fs::weakly_canonical(directory_of(path), error);
    if (from == to) return;
    reference = (from / *reference).lexically_proximate(to).string();
    set_member(state, key, json::string_text(*reference));
  };
  move("gamma", state.gamma_file);
  move("beta", state.beta_file);
}

RunningStatistics running_statistics(const State& state, std::size_t channels) {
  const std::vector<double> zeros(channels);
  return {.running_mean = state.running_mean.value_or(zeros),
          .running_var = state.running_var.value_or(zeros),
          .num_batches_tracked = state.num_batches_tracked};
}

void set_running_statistics(State& state, const RunningStatistics& running) {
  require_finite(state, "running_mean", running.running_mean);
  require_finite(state, "running_var", running.running_var);
  if (running.num_batches_tracked > kMaxBatches) {
    throw input_error(state.path, "num_batches_tracked has reached 2^53; set it back");
  }
  state.running_mean = running.running_mean;
  state.running_var = running.running_var;
  state.num_batches_tracked = running.num_batches_tracked;
  set_member(state, "running_mean", json::numbers_text(running.running_mean));
  set_member(state, "running_var", json::numbers_text(running.running_var));
  set_member(state, "num_batches_tracked", std::to_string(running.num_batches_tracked));
}

}  // namespace bn::io
