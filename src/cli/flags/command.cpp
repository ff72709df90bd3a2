#include "cli/flags/command.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
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

std::variant<std::string, const Command*> CommandLine::parse(int argc, char** argv) {
  try {
    root_->parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return root_->help();
  } catch (const CLI::CallForVersion& version) {
    return std::string(version.what()) + "\n";
  } catch (const CLI::ArgumentMismatch& mismatch) {
    throw UsageError(missing_value(mismatch.what()));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
  for (const Command& command : commands_) {
    if (!command.chosen()) continue;
    command.read();
    return &command;
  }
  refuse_command();
}

void CommandLine::refuse_command() const {
  const std::vector<std::string> words = root_->remaining();
  if (words.empty()) throw UsageError("missing command; see bn --help");
  std::vector<std::string> names;
  for (const Command& command : commands_) names.push_back(command.name());
  const bool is_flag = words.front().starts_with('-');
  if (is_flag) names = {"--help", "--version"};
  throw UsageError((is_flag ? "unknown flag " : "unknown command ") + words.front() +
                   suggestion(words.front(), names));
}

}  // namespace bn::cli
