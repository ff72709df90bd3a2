// Flags and checks that several commands share.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>

#include "bn/arrays/dtype.hpp"
#include "bn/conventions.hpp"
#include "cli/input_names.hpp"
#include "cli/run_options.hpp"
#include "io/files/transaction.hpp"

namespace bn::cli {

class Command;

/// For the help of what may have to keep an array that comes through a pipe.
inline constexpr const char* kAboutTemporaryFiles =
    "What comes through a pipe and is needed twice is kept in the directory that the variable\n"
    "TMPDIR names (default: /tmp).\n";

/// INPUT... and --files0-from: the arrays and parts of stats and calibrate.
void add_inputs(Command& command, InputNames& inputs);

void add_mode(Command& command, std::optional<Mode>& mode);
void add_axis(Command& command, std::optional<std::ptrdiff_t>& axis);
void add_eps(Command& command, std::optional<double>& eps);
void add_momentum(Command& command, std::optional<std::optional<double>>& momentum);
void add_dtype(Command& command, std::optional<Dtype>& dtype);

/// --verbose alone, for what has no warnings.
void add_verbose(Command& command, RunOptions& run);
/// --threads, --no-progress, --verbose and --quiet.
void add_computing(Command& command, RunOptions& run);
void add_lock_timeout(Command& command, RunOptions& run);
void add_fsync(Command& command, RunOptions& run);
/// --force: outputs replace what they otherwise refuse to.
void add_force(Command& command, RunOptions& run);
/// What --fsync and --force say.
[[nodiscard]] io::Transaction::Options output_options(const RunOptions& run);

// Of what was given as a whole; they throw UsageError.

/// `what` is not empty: "--state STATE.json".
void require(const std::string& value, const char* what);
void require_inputs(const InputNames& inputs);
/// The state of `flag` is a file, since it may have to be read again.
void refuse_dash(const std::string& path, const char* flag);
/// Not two of the paths are "-" for `stream`, "standard output".
void require_one_dash_at_most(std::initializer_list<std::optional<std::string>> paths,
                              const char* stream);

}  // namespace bn::cli
