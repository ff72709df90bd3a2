// A thin layer over CLI11, the only code that knows it: a subcommand whose flags are collected as
// text, so that help comes before any complaint and every value is read by our own strict parsers.
#pragma once

#include <CLI/App.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bn::cli {

class Command {
 public:
  /// Reads the text that follows `flag`.
  using Set = std::function<void(std::string_view flag, const std::string& text)>;

  struct About {
    std::string name;
    std::string summary;  ///< one line, in the list of commands
    std::string usage;    ///< the arguments that it always needs
    std::string footer;
  };

  Command(CLI::App& root, const About& about);

  /// A flag with a value, at most once.
  void flag(const std::string& name, const std::string& type, const std::string& help, Set set);
  /// A flag without a value.
  void toggle(const std::string& name, const std::string& help, std::function<void()> set);
  void positional(const std::string& name, const std::string& help, std::string& target);
  void positionals(const std::string& name, const std::string& help,
                   std::vector<std::string>& target);

  [[nodiscard]] bool chosen() const { return app_->parsed(); }
  [[nodiscard]] const CLI::App& app() const { return *app_; }

  /// Hands what was given to the Set functions. Throws UsageError for unknown flags, surplus
  /// arguments and flags given twice, and whatever the Set functions throw.
  void read() const;

 private:
  struct Flag {
    const CLI::Option* option;
    std::string name;
    Set set;  ///< empty for a toggle
    std::function<void()> toggle;
  };
  struct Positional {
    const CLI::Option* option;
    std::vector<std::string>* many;
    std::string* one;
  };

  void refuse_unknown() const;

  CLI::App* app_;
  std::vector<Flag> flags_;
  std::vector<Positional> positionals_;
};

/// "; did you mean momentum?", or nothing where no candidate is near.
[[nodiscard]] std::string suggestion(std::string_view word,
                                     const std::vector<std::string>& candidates);

}  // namespace bn::cli
