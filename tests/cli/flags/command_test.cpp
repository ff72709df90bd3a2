#include "cli/flags/command.hpp"

#include <optional>

#include "cli/flags/values.hpp"
#include "support.hpp"

using namespace bn::cli;
using namespace bn::cli::test;

namespace {

// What the command line "bn WORDS" sets, with two commands to choose from.
struct Parsed {
  std::string one;
  std::vector<std::string> many;
  std::optional<double> eps;
  std::string output;
  bool force = false;
  bool update = true;
  std::string command;             // the chosen one
  std::vector<std::string> flags;  // that it has
  std::string text;                // of --help or --version
};

Parsed parse(std::vector<std::string> words) {
  Parsed parsed;
  CommandLine line({"A program.", "bn 1.2.3", "Examples.\n", "Exit codes."});
  Command& first = line.add("first");
  first.describe({"Does it.", "X -o Y", "First's examples.\n"});
  first.positional("X", "input", parsed.one);
  first.flag("--eps", "NUMBER", "greater than 0", parsed.eps, parse_eps);
  first.flag("-o", "Y", "where to write", parsed.output);
  first.toggle("--force", "replace", parsed.force);
  first.toggle("--no-update", "leave", parsed.update, false);
  Command& second = line.add("second");
  second.describe({"Does another.", "INPUT...", ""});
  second.positionals("INPUT", "inputs", parsed.many);
  second.flag("-o", "Y", "where to write", parsed.output);

  words.insert(words.begin(), "bn");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const auto asked = line.parse(static_cast<int>(words.size()), arguments.data());
  if (const auto* text = std::get_if<std::string>(&asked)) {
    parsed.text = *text;
  } else {
    parsed.command = std::get<const Command*>(asked)->name();
    parsed.flags = std::get<const Command*>(asked)->flag_names();
  }
  return parsed;
}

std::string error(const std::vector<std::string>& words) {
  return error_of([&] { return parse(words); });
}

}  // namespace

TEST_CASE("Flags and arguments set their targets, and what is absent leaves them alone") {
  const Parsed parsed = parse({"first", "x", "--eps", "0.5", "-oy", "--no-update"});
  CHECK(parsed.command == "first");
  CHECK(parsed.one == "x");
  CHECK(parsed.eps == 0.5);
  CHECK(parsed.output == "y");
  CHECK_FALSE(parsed.force);
  CHECK_FALSE(parsed.update);
  CHECK(parse({"first", "--force", "--force"}).force);
  CHECK_FALSE(parse({"first"}).eps);
}

TEST_CASE("A command knows its own flags, whether they are given or not") {
  CHECK(parse({"first", "x"}).flags ==
        std::vector<std::string>{"--eps", "-o", "--force", "--no-update"});
  CHECK(parse({"second", "x"}).flags == std::vector<std::string>{"-o"});
}

TEST_CASE("A flag and its value may be one word") {
  CHECK(parse({"first", "--eps=2"}).eps == 2.0);
  CHECK(parse({"first", "-oy"}).output == "y");
}

TEST_CASE("Many arguments may stand before and after flags, and look like anything after --") {
  CHECK(parse({"second", "a", "-o", "y", "b", "[c,d]"}).many ==
        std::vector<std::string>{"a", "b", "[c,d]"});
  CHECK(parse({"second", "-o", "y", "--", "-x", "--eps"}).many ==
        std::vector<std::string>{"-x", "--eps"});
}

TEST_CASE("An unknown command or flag is named with what was meant") {
  CHECK(error({}) == "usage: missing command; see bn --help");
  CHECK(error({"frist"}) == "usage: unknown command frist; did you mean first?");
  CHECK(error({"zzzzzzzz"}) == "usage: unknown command zzzzzzzz; bn help lists the commands");
  CHECK(error({"--verson"}) == "usage: unknown flag --verson; did you mean --version?");
  CHECK(error({"first", "--esp=1"}) == "usage: unknown flag --esp; did you mean --eps?");
  CHECK(error({"first", "-q"}) == "usage: unknown flag -q");
  CHECK(error({"first", "x", "y"}) == "usage: unexpected argument y");
}

TEST_CASE("A flag has one value, a toggle none") {
  CHECK(error({"first", "--eps"}) == "usage: --eps needs a value: NUMBER");
  CHECK(error({"first", "--eps", "1", "--eps", "1"}) == "usage: --eps is given more than once");
  CHECK(error({"first", "--eps=0"}) == "usage: --eps: 0 is not greater than 0");
  CHECK(error({"first", "--force=yes"}) == "usage: --force takes no value");
}

TEST_CASE("What CLI11 itself refuses is an error of usage") {
  CHECK(error({"--version=abc"}).starts_with("usage: "));
  CHECK(error({"--version=abc"}).find("--version") != std::string::npos);
}

TEST_CASE("An empty value never takes the next word with it") {
  const std::string eps = "usage: --eps is given an empty value, but needs NUMBER";
  const std::string output = "usage: -o is given an empty value, but needs Y";
  CHECK(error({"first", "--eps=", "1"}) == eps);
  CHECK(error({"first", "--eps="}) == eps);
  CHECK(error({"first", "--eps", "", "x"}) == eps);
  CHECK(error({"first", "-o", ""}) == output);
  CHECK(error({"first", "-o="}) == output);
  CHECK(error({"first", "-o=", "--eps="}) == output);
  CHECK(error({"first", "--force="}) == "usage: --force takes no value");
  CHECK(error({"first", "--help="}) == "usage: --help takes no value");
  CHECK(error({"first", "--esp="}) == "usage: unknown flag --esp; did you mean --eps?");
  CHECK(parse({"first", "--eps", "1", "--", "--eps="}).one == "--eps=");
}

TEST_CASE("A flag is never the value of the one before") {
  CHECK(error({"first", "-o", "--eps=1"}) == "usage: -o needs a value: Y, but --eps=1 follows");
  for (const std::string flag : {"--eps", "--force", "-o", "--help", "-h", "--"}) {
    CAPTURE(flag);
    if (flag != "--") CHECK(parse({"first", "-o", flag, "--help"}).text.starts_with("Does it.\n"));
    if (flag == "--help" || flag == "-h") continue;
    CHECK(error({"first", "-o", flag}).starts_with("usage: -o needs a value: Y, but " + flag));
  }
  CHECK(parse({"first", "-o", "--other", "x"}).output == "--other");
  CHECK(parse({"first", "-o", "-", "x"}).output == "-");
  CHECK(parse({"second", "-o", "-1"}).output == "-1");
}

TEST_CASE("A short flag takes its value without an equals sign") {
  CHECK(error({"first", "-o=y"}) == "usage: -o takes its value without =: -o y");
  CHECK(parse({"first", "-o", "=y"}).output == "=y");
  CHECK(parse({"second", "--", "-o=y"}).many == std::vector<std::string>{"-o=y"});
}

TEST_CASE("An empty argument is an error") {
  CHECK(error({"first", ""}) ==
        "usage: X is given as an empty argument, but needs the name of a file");
  CHECK(error({"second", "a", "--", ""}) ==
        "usage: INPUT is given as an empty argument, but needs the name of a file");
  CHECK(error({""}) == "usage: the command is empty; see bn --help");
  CHECK(error({"", "first"}) == "usage: the command is empty; see bn --help");
}

TEST_CASE("Nothing stands before the command") {
  CHECK(error({"frist", "first", "x"}) == "usage: unknown command frist; did you mean first?");
  CHECK(error({"--eps=1", "first", "x"}) == "usage: unknown flag --eps=1");
}

TEST_CASE("Help may be asked for as a command") {
  CHECK(parse({"help"}).text == parse({"--help"}).text);
  CHECK(parse({"help", "--help"}).text == parse({"--help"}).text);
  CHECK(parse({"help", "help"}).text == parse({"--help"}).text);
  CHECK(parse({"help", "first"}).text == parse({"first", "--help"}).text);
  CHECK(error({"help", "frist"}) == "usage: unknown command frist; did you mean first?");
  CHECK(error({"hlep"}) == "usage: unknown command hlep; did you mean help?");
  CHECK(error({"help", "first", "second"}) == "usage: unexpected argument second");
}

TEST_CASE("Help comes before any complaint and ends with what every help ends with") {
  const std::string help = parse({"first", "--eps=0", "--bogus", "--help"}).text;
  CHECK(help.starts_with("Does it.\nUsage: bn first X -o Y [OPTIONS]\n"));
  CHECK(help.find("First's examples.\nExit codes.") != std::string::npos);
  CHECK(help.find("--eps") < help.find("--force"));
  const std::string all = parse({"--help"}).text;
  CHECK(all.starts_with("A program.\n"));
  CHECK(all.find("first") < all.find("second"));
  CHECK(all.find("Examples.\nExit codes.") != std::string::npos);
}

TEST_CASE("The version is one line") { CHECK(parse({"--version"}).text == "bn 1.2.3\n"); }
