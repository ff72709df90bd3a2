#include "cli/flags/command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <utility>

#include "cli/error.hpp"

namespace bn::cli {

namespace {

constexpr std::size_t kHelpColumn = 34;

bool keep_text(const CLI::results_t&) { return true; }

// CLI11's help with a usage line that shows what is required.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter(const std::string& command, const std::string& arguments)
      : usage_("Usage: bn " + command + " " + arguments + " [OPTIONS]\n") {
    column_width(kHelpColumn);
  }
  std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
    return usage_;
  }

 private:
  std::string usage_;
};

// Of CLI11's "--eps: 1 required NUMBER missing".
std::string missing_value(const std::string& message) {
  constexpr std::string_view before = ": 1 required ";
  constexpr std::string_view after = " missing";
  const std::size_t at = message.find(before);
  if (at == std::string::npos || !message.ends_with(after)) return message;
  const std::size_t type = at + before.size();
  return message.substr(0, at) +
         " needs a value: " + message.substr(type, message.size() - after.size() - type);
}

}  // namespace

Command::Command(CLI::App& app, std::string name, std::string closing)
    : app_(&app), name_(std::move(name)), closing_(std::move(closing)) {
  app_->allow_extras();  // refuse_unknown() says more about them than CLI11
}

void Command::describe(const About& about) {
  app_->description(about.summary);
  app_->formatter(std::make_shared<HelpFormatter>(name_, about.usage));
  app_->footer(about.footer + closing_);
}

void Command::add_flag(const std::string& name, const std::string& type, const std::string& help,
                       Set set) {
  const CLI::Option* option = app_->add_option(name, CLI::callback_t(keep_text), help)
                                  ->type_name(type)
                                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  flags_.push_back({option, name, std::move(set), {}});
}

void Command::toggle(const std::string& name, const std::string& help, bool& target, bool value) {
  flags_.push_back({app_->add_flag(name, help), name, {}, [&target, value] { target = value; }});
}

void Command::positional(const std::string& name, const std::string& help, std::string& target) {
  const CLI::Option* option = app_->add_option(name, CLI::callback_t(keep_text), help);
  positionals_.push_back({option, &target, nullptr});
}

void Command::positionals(const std::string& name, const std::string& help,
                          std::vector<std::string>& target) {
  // A least number that is never reached: otherwise CLI11 ends the command at "--". Not the maximum
  // itself, which stands for "extra arguments", that take a file named "[a,b]" for a list.
  const CLI::Option* option = app_->add_option(name, CLI::callback_t(keep_text), help)
                                  ->expected(CLI::detail::expected_max_vector_size - 1)
                                  ->option_text("...")
                                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  positionals_.push_back({option, nullptr, &target});
}

bool Command::chosen() const { return app_->parsed(); }

std::vector<std::string> Command::flag_names() const {
  std::vector<std::string> names;
  for (const Flag& flag : flags_) names.push_back(flag.name);
  return names;
}

void Command::read() const {
  refuse_unknown();
  for (const Flag& flag : flags_) {
    const std::vector<std::string>& texts = flag.option->results();
    if (flag.set) {
      if (texts.size() > 1) throw UsageError(flag.name + " is given more than once");
      if (!texts.empty()) flag.set(flag.name, texts.front());
    } else if (!texts.empty()) {
      for (const std::string& text : texts) {
        if (text != "true") throw UsageError(flag.name + " takes no value");
      }
      flag.toggle();
    }
  }
  for (const Positional& positional : positionals_) {
    const std::vector<std::string>& texts = positional.option->results();
    if (positional.many != nullptr) *positional.many = texts;
    if (positional.one != nullptr && !texts.empty()) *positional.one = texts.front();
  }
}

const Command::Flag* Command::find_flag(std::string_view name) const {
  const auto found = std::find_if(flags_.begin(), flags_.end(),
                                  [name](const Flag& flag) { return flag.name == name; });
  return found == flags_.end() ? nullptr : &*found;
}

bool Command::is_flag(const std::string& word) const {
  const std::string name = word.starts_with("--") ? word.substr(0, word.find('=')) : word;
  return name == "--" || name == "--help" || name == "-h" || find_flag(name) != nullptr;
}

bool Command::takes_next(const std::string& word) const {
  const Flag* flag = find_flag(word);
  return flag != nullptr && flag->set;
}

std::string Command::slip_of(const std::string& word, const std::string* next) const {
  const auto empty = [](const Flag& flag) {
    return flag.name + " is given an empty value, but needs " + flag.option->get_type_name();
  };
  if (word.starts_with("--") && word.find('=') == word.size() - 1) {  // --dx=
    const std::string name = word.substr(0, word.size() - 1);
    if (takes_next(name)) return empty(*find_flag(name));
    return is_flag(name) ? name + " takes no value" : "";
  }
  if (word.size() > 2 && word[2] == '=' && takes_next(word.substr(0, 2))) {  // -o=y.npy
    const std::string name = word.substr(0, 2);
    const std::string value = word.substr(3);
    if (value.empty()) return empty(*find_flag(name));
    return name + " takes its value without =: " + name + " " + value;
  }
  if (next == nullptr || !takes_next(word)) return "";
  if (next->empty()) return empty(*find_flag(word));
  if (!is_flag(*next)) return "";
  return word + " needs a value: " + find_flag(word)->option->get_type_name() + ", but " + *next +
         " follows";
}

std::vector<std::string> Command::without_slips(std::span<const std::string> words,
                                                std::string& slip) const {
  const std::string empty_argument =
      positionals_.empty() ? "unexpected empty argument"
                           : positionals_.front().option->get_name(true) +
                                 " is given as an empty argument, but needs the name of a file";
  std::vector<std::string> kept;
  bool flags_may_follow = true;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const std::string* next = i + 1 < words.size() ? &words[i + 1] : nullptr;
    const std::string found = word.empty()       ? empty_argument
                              : flags_may_follow ? slip_of(word, next)
                                                 : "";
    if (slip.empty()) slip = found;
    if (found.empty()) kept.push_back(word);
    if (word == "--") flags_may_follow = false;
    if (!flags_may_follow || !takes_next(word) || next == nullptr) continue;
    if (found.empty()) kept.push_back(*next);
    // A flag in the place of a value is still one: it may be --help.
    if (found.empty() || next->empty()) ++i;
  }
  return kept;
}

void Command::refuse_unknown() const {
  std::vector<std::string> names = flag_names();
  std::erase_if(names, [](const std::string& name) { return !name.starts_with("--"); });
  names.emplace_back("--help");
  for (const std::string& extra : app_->remaining()) {
    if (extra == "--") continue;
    if (!extra.starts_with('-')) throw UsageError("unexpected argument " + extra);
    const std::string flag = extra.substr(0, extra.find('='));
    throw UsageError("unknown flag " + flag +
                     (flag.starts_with("--") ? suggestion(flag, names) : ""));
  }
}

CommandLine::CommandLine(const About& about)
    : root_(std::make_unique<CLI::App>(about.summary, "bn")), closing_(about.closing) {
  root_->get_formatter()->column_width(kHelpColumn);
  root_->set_version_flag("--version", about.version, "print the version and exit");
  root_->require_subcommand(0, 1);
  root_->allow_extras();
  root_->footer(about.footer + closing_);
}

CommandLine::~CommandLine() = default;

Command& CommandLine::add(const std::string& name) {
  return commands_.emplace_back(*root_->add_subcommand(name), name, closing_);
}

const Command* CommandLine::find_command(std::string_view name) const {
  const auto found =
      std::find_if(commands_.begin(), commands_.end(),
                   [name](const Command& command) { return command.name() == name; });
  return found == commands_.end() ? nullptr : &*found;
}

std::vector<std::string> CommandLine::with_help(std::vector<std::string> words) const {
  if (words.empty() || words.front() != "help") return words;
  words.erase(words.begin());
  if (words.size() > 1) throw UsageError("unexpected argument " + words[1]);
  if (words.empty() || words.front() == "help") return {"--help"};
  if (find_command(words.front()) != nullptr) words.emplace_back("--help");
  return words;  // what is no command is refused as such
}

std::variant<std::string, const Command*> CommandLine::parse(int argc, char** argv) {
  std::vector<std::string> words = with_help({argv + 1, argv + argc});
  std::string slip;
  if (const Command* command = words.empty() ? nullptr : find_command(words.front())) {
    words = command->without_slips(words, slip);
  }
  try {
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    root_->parse(words);
  } catch (const CLI::CallForHelp&) {
    return root_->help();
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what()) + "\n";
  } catch (const CLI::ArgumentMismatch& mismatch) {
    throw UsageError(slip.empty() ? missing_value(mismatch.what()) : slip);
  } catch (const CLI::ParseError& error) {
    throw UsageError(slip.empty() ? error.what() : slip);
  }
  if (!slip.empty()) throw UsageError(slip);
  if (!root_->remaining().empty()) refuse(root_->remaining().front());
  for (const Command& command : commands_) {
    if (!command.chosen()) continue;
    command.read();
    return &command;
  }
  throw UsageError("missing command; see bn --help");
}

void CommandLine::refuse(const std::string& word) const {
  if (word.empty()) throw UsageError("the command is empty; see bn --help");
  if (word.starts_with('-')) {
    throw UsageError("unknown flag " + word + suggestion(word, {"--help", "--version"}));
  }
  std::vector<std::string> names;
  for (const Command& command : commands_) names.push_back(command.name());
  names.emplace_back("help");
  const std::string meant = suggestion(word, names);
  throw UsageError("unknown command " + word +
                   (meant.empty() ? "; bn help lists the commands" : meant));
}

}  // namespace bn::cli
