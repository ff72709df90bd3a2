// The only place that prints errors and knows exit codes.
#include "cli/program.hpp"

#include <unistd.h>

#include <cstdio>
#include <exception>
#include <map>
#include <new>
#include <span>
#include <string>
#include <variant>

#include "cli/error.hpp"
#include "cli/flags/command.hpp"
#include "io/files/descriptor.hpp"
#include "io/files/temporary.hpp"

// The table of commands, in the order of bn --help. A row NAME stands for the command bn NAME, that
// is commands/NAME.cpp with the function define_NAME(), which gives the command its flags and
// returns what it does. A new command is such a file and a row here.
#define BN_COMMANDS(ROW) \
  ROW(init)              \
  ROW(forward)           \
  ROW(backward)          \
  ROW(stats)             \
  ROW(calibrate)         \
  ROW(compare)           \
  ROW(verify)

namespace bn::cli {

#define BN_DECLARE(NAME) Work define_##NAME(Command& command);
BN_COMMANDS(BN_DECLARE)
#undef BN_DECLARE

namespace {

struct Row {
  const char* name;
  Work (*define)(Command&);
};

#define BN_ROW(NAME) {#NAME, define_##NAME},
constexpr Row kCommands[] = {BN_COMMANDS(BN_ROW)};
#undef BN_ROW

enum ExitCode : int { kDone = 0, kNo = 1, kUsage = 2, kBadInput = 3, kSystem = 4, kBug = 70 };

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 compare or verify says no, 2 usage, 3 bad input, 4 the system\n"
    "(files, memory, locks), 70 a bug.\n"
    "After any failure every file is what it was before.";

ExitCode exit_code(io::ErrorKind kind) {
  switch (kind) {
    case io::ErrorKind::usage:
      return kUsage;
    case io::ErrorKind::input:
      return kBadInput;
    case io::ErrorKind::system:
      return kSystem;
  }
  return kBug;
}

void print(const std::string& text) {
  io::write_fully(STDOUT_FILENO, std::as_bytes(std::span(text)), "standard output");
}

int fail(const std::string& message, ExitCode code) {
  std::fputs(("bn: " + message + "\n").c_str(), stderr);
  return code;
}

// What the command line asks for.
Work parse(int argc, char** argv) {
  CommandLine line({"Batch normalisation on .npy files.", "bn " BN_VERSION,
                    "Examples:\n"
                    "  bn init --preset pytorch --channels 3 -o state.json\n"
                    "  bn forward photos.npy --state state.json -o y.npy\n"
                    "bn help COMMAND, or bn COMMAND --help, says more.\n",
                    kExitCodes});
  std::map<const Command*, Work> works;
  for (const Row& row : kCommands) {
    Command& command = line.add(row.name);
    works[&command] = row.define(command);
  }
  const std::variant<std::string, const Command*> asked = line.parse(argc, argv);
  if (const auto* text = std::get_if<std::string>(&asked)) {
    return [text = *text] {
      print(text);
      return Verdict::yes;
    };
  }
  const Command* command = std::get<const Command*>(asked);
  return [work = works.at(command), flags = command->flag_names()] {
    try {
      return work();
    } catch (const io::Error& error) {
      throw io::Error(error.kind(), error.what() + remedy(error.cause(), flags));
    }
  };
}

}  // namespace

int run_program(int argc, char** argv) {
  try {
    io::prepare_process();
    const Work work = parse(argc, argv);
    return work() == Verdict::yes ? kDone : kNo;
  } catch (const io::Error& error) {
    return fail(error.what(), exit_code(error.kind()));
  } catch (const std::bad_alloc&) {
    return fail("out of memory", kSystem);
  } catch (const std::exception& error) {
    return fail(std::string("this is a bug in bn: ") + io::printable(error.what()), kBug);
  }
}

}  // namespace bn::cli
