// A thin layer over CLI11, the only code that knows it: flags are collected as text, so that help
// comes before any complaint and every value is read by our own strict parsers.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace bn::cli {

/// What a command that checks something says; the others are done, and that is yes.
enum class Verdict : bool { no, yes };

/// What a command does once its flags are read.
using Work = std::function<Verdict()>;

/// One command: its help, its flags and what they set. Help shows the flags, and read() reads them,
/// in the order in which they are added here. The targets have to outlive the command.
class Command {
 public:
  struct About {
    std::string summary;  ///< one line, in the list of commands
    std::string usage;    ///< the arguments that it always needs
    std::string footer;   ///< whole lines, examples among them
  };

  /// `app` is this command alone. Every help ends with `closing`.
  Command(CLI::App& app, std::string name, std::string closing);

  void describe(const About& about);

  /// A flag with a value, at most once; `target` becomes parse(flag, text).
  template <class Target, class Parse>
  void flag(const std::string& name, const std::string& type, const std::string& help,
            Target& target, Parse parse) {
    add_flag(name, type, help, [&target, parse](std::string_view flag, const std::string& text) {
      target = parse(flag, text);
    });
  }
  /// The same for text that is taken as it is: a path.
  template <class Target>
  void flag(const std::string& name, const std::string& type, const std::string& help,
            Target& target) {
    add_flag(name, type, help,
             [&target](std::string_view, const std::string& text) { target = text; });
  }
  /// The same for a flag that sets more than one thing: `set` reads the text that follows it.
  using Set = std::function<void(std::string_view flag, const std::string& text)>;
  void add_flag(const std::string& name, const std::string& type, const std::string& help, Set set);

  /// A flag without a value: `target` becomes `value`.
  void toggle(const std::string& name, const std::string& help, bool& target, bool value = true);

  void positional(const std::string& name, const std::string& help, std::string& target);
  void positionals(const std::string& name, const std::string& help,
                   std::vector<std::string>& target);

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool chosen() const;
  /// As they are written: "--axis", "-o".
  [[nodiscard]] std::vector<std::string> flag_names() const;

  /// Of the words of a command line those that CLI11 may see. It would take the word after an empty
  /// value, or after a flag whose value was forgotten, for the value, and so write a file named
  /// --dgamma=dg.npy; such flags are left out, and `slip` becomes what is wrong with the first.
  [[nodiscard]] std::vector<std::string> without_slips(std::span<const std::string> words,
                                                       std::string& slip) const;

  /// Sets the targets of what was given. Throws UsageError for unknown flags, surplus arguments,
  /// flags given twice and toggles with a value, and whatever the parsers throw.
  void read() const;

 private:
  struct Flag {
    const CLI::Option* option;
    std::string name;
    Set set;                       ///< none for a toggle
    std::function<void()> toggle;  ///< none for a flag with a value
  };
  struct Positional {
    const CLI::Option* option;
    std::string* one;  ///< none where it takes many
    std::vector<std::string>* many;
  };

  /// Null where there is none of this name.
  [[nodiscard]] const Flag* find_flag(std::string_view name) const;
  /// "--eps", "--eps=1", "-o" or "--" itself: no value that anybody means.
  [[nodiscard]] bool is_flag(const std::string& word) const;
  /// What is wrong with a flag that `word` may be; empty where nothing is. `next` is null at the
  /// end of the command line.
  [[nodiscard]] std::string slip_of(const std::string& word, const std::string* next) const;
  [[nodiscard]] bool takes_next(const std::string& word) const;
  void refuse_unknown() const;

  CLI::App* app_;
  std::string name_;
  std::string closing_;
  std::vector<Flag> flags_;
  std::vector<Positional> positionals_;
};

/// What every command consists of: `add_flags` lets flags fill in a request of the command's own;
/// once they are read, the request is checked as a whole and done.
template <class Request, class Result>
Work make_work(Command& command, void (*add_flags)(Command&, Request&),
               void (*check)(const Request&), Result (*run)(const Request&)) {
  const auto request = std::make_shared<Request>();
  add_flags(command, *request);
  return [request, check, run] {
    check(*request);
    if constexpr (std::is_void_v<Result>) {
      run(*request);
      return Verdict::yes;
    } else {
      return run(*request);
    }
  };
}

/// The whole command line: commands to choose one from, --help (also as bn help and bn help
/// COMMAND) and --version.
class CommandLine {
 public:
  struct About {
    std::string summary;
    std::string version;  ///< what --version prints
    std::string footer;   ///< of the help that lists the commands
    std::string closing;  ///< what every help ends with
  };

  explicit CommandLine(const About& about);
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;
  ~CommandLine();

  /// The commands are listed in the order in which they are added; the reference stays valid.
  Command& add(const std::string& name);

  /// The text of --help or --version where that is asked for; otherwise the command that is chosen,
  /// its flags read. Throws UsageError.
  [[nodiscard]] std::variant<std::string, const Command*> parse(int argc, char** argv);

 private:
  /// The words behind "bn", bn help and bn help COMMAND being --help.
  [[nodiscard]] std::vector<std::string> with_help(std::vector<std::string> words) const;
  /// Null where there is none of this name.
  [[nodiscard]] const Command* find_command(std::string_view name) const;
  /// What stands where the command has to be.
  [[noreturn]] void refuse(const std::string& word) const;

  std::unique_ptr<CLI::App> root_;
  std::string closing_;
  std::list<Command> commands_;
};

}  // namespace bn::cli
