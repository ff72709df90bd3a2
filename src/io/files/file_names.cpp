#include "io/files/file_names.hpp"

#include <climits>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "io/error.hpp"
#include "io/files/input_file.hpp"

namespace bn::io {

namespace {

constexpr std::size_t kBlockBytes = std::size_t{64} << 10U;
constexpr std::size_t kMaxNameBytes = PATH_MAX - 1;

// The names that are complete, and the beginning of the next one.
class Names {
 public:
  explicit Names(const InputFile& file) : file_(file) {}

  void add(std::string_view text) {
    for (;;) {
      const std::size_t end = text.find('\0');
      name_.append(text.substr(0, end));
      if (name_.size() > kMaxNameBytes) {
        fail("a name longer than " + std::to_string(kMaxNameBytes) +
             " bytes; each name has to end in a NUL byte, as find -print0 writes them");
      }
      if (end == std::string_view::npos) return;
      complete();
      text.remove_prefix(end + 1);
    }
  }

  std::vector<std::string> take() {
    if (!name_.empty()) complete();
    if (names_.empty()) throw input_error(file_.name, "has no file name in it");
    return std::move(names_);
  }

 private:
  void complete() {
    if (name_.empty()) fail("invalid zero-length file name");
    if (name_ == "-" && !file_.owned) fail("no file name of - is allowed on standard input itself");
    names_.push_back(std::exchange(name_, {}));
  }

  // As du and wc do, "LIST:3: ...".
  [[noreturn]] void fail(const std::string& message) const {
    throw Error(ErrorKind::input,
                file_.name + ":" + std::to_string(names_.size() + 1) + ": " + message);
  }

  const InputFile& file_;
  std::vector<std::string> names_;
  std::string name_;
};

}  // namespace

std::vector<std::string> read_file_names(const std::string& path) {
  const InputFile file = open_input(path);
  Names names(file);
  std::vector<char> block(kBlockBytes);
  for (;;) {
    const std::size_t got =
        read_fully(file.fd, std::as_writable_bytes(std::span(block)), file.name);
    names.add({block.data(), got});
    if (got < block.size()) return names.take();
  }
}

}  // namespace bn::io
