#include "cli/flags/command.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>
#include <utility>

#include "cli/error.hpp"
#include "io/nearest.hpp"

namespace bn::cli {

namespace {

bool keep_text(const CLI::results_t&) { return true; }

/// CLI11's help with a usage line that shows what is required.
class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(const Command::About& about)
      : usage_("Usage: bn " + about.name + " " + about.usage + " [OPTIONS]\n") {
    column_width(34);
  }
  std::string make_usage(const CLI::App* /*app*/, std::string /*name*/) const override {
    return usage_;
  }

 private:
  std::string usage_;
};

}  // namespace

Command::Command(CLI::App& root, const About& about)
    : app_(root.add_subcommand(about.name, about.summary)) {
  app_->formatter(std::make_shared<HelpFormatter>(about));
  app_->footer(about.footer);
  app_->allow_extras();  // refuse_unknown() says more about them than CLI11
}

void Command::flag(const std::string& name, const std::string& type, const std::string& help,
                   Set set) {
  const CLI::Option* option = app_->add_option(name, CLI::callback_t(keep_text), help)
                                  ->type_name(type)
                                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  flags_.push_back({option, name, std::move(set), {}});
}

void Command::toggle(const std::string& name, const std::string& help, std::function<void()> set) {
  flags_.push_back({app_->add_flag(name, help), name, {}, std::move(set)});
}

void Command::positional(const std::string& name, const std::string& help, std::string& target) {
  const CLI::Option* option = app_->add_option(name, CLI::callback_t(keep_text), help);
  positionals_.push_back({option, nullptr, &target});
}

void Command::positionals(const std::string& name, const std::string& help,
                          std::vector<std::string>& target) {
  // A least number that is never reached: otherwise CLI11 ends the command at "--", and with its
  // "extra arguments" it would take a file named "[a,b]" for a list.
  const CLI::Option* option = app_->add_option(name, CLI::callback_t(keep_text), help)
                                  ->expected(CLI::detail::expected_max_vector_size)
                                  ->option_text("...")
                                  ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  positionals_.push_back({option, &target, nullptr});
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
  std::vector<std::string> names;
  for (const Flag& flag : flags_) {
    if (flag.name.starts_with("--")) names.push_back(flag.name);
  }
  names.emplace_back("--help");
  for (const std::string& extra : app_->remaining()) {
    if (extra == "--") continue;
    if (!extra.starts_with('-')) throw UsageError("unexpected argument " + extra);
    const std::string flag = extra.substr(0, extra.find('='));
    throw UsageError("unknown flag " + flag +
                     (flag.starts_with("--") ? suggestion(flag, names) : ""));
  }
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::vector<std::string_view> words(candidates.begin(), candidates.end());
  const io::Nearest nearest = io::nearest(word, words);
  if (!nearest.plausible()) return "";
  return "; did you mean " + std::string(nearest.word) + "?";
}

}  // namespace bn::cli
