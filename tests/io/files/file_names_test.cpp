#include "io/files/file_names.hpp"

#include <fcntl.h>

#include <climits>

#include "support.hpp"

using namespace bn::io;
using namespace bn::io::test;

namespace {

std::vector<std::string> names_in(const std::string& content) {
  write_file("list", content);
  return read_file_names("list");
}

std::string error_in(const std::string& content) {
  return error_of([&] { return names_in(content); });
}

std::string with_nul(const std::string& name) { return name + '\0'; }

}  // namespace

TEST_CASE("Names end in NUL, which the last one may lack") {
  const Directory directory;
  const std::vector<std::string> names = {"a.npy", "-b\n\xFF", "c d"};
  const std::string list = with_nul(names[0]) + with_nul(names[1]) + names[2];
  CHECK(names_in(list) == names);
  CHECK(names_in(with_nul(list)) == names);
}

TEST_CASE("Names across the blocks that are read are whole") {
  const Directory directory;
  std::vector<std::string> names;
  std::string list;
  for (std::size_t i = 0; i < 100; ++i) {
    names.emplace_back(PATH_MAX - 1 - i, static_cast<char>('a' + i % 26));
    list += with_nul(names.back());
  }
  CHECK(names_in(list) == names);
}

TEST_CASE("An empty name is named by its position, as du does") {
  const Directory directory;
  CHECK(error_in(with_nul("") + "a") == "input: list:1: invalid zero-length file name");
  CHECK(error_in(with_nul("a") + with_nul("b") + with_nul("")) ==
        "input: list:3: invalid zero-length file name");
  CHECK(error_in("") == "input: list: has no file name in it");
}

TEST_CASE("A list that is not ended by NUL is not read to the end of memory") {
  const Directory directory;
  CHECK(error_in(with_nul("a") + std::string(PATH_MAX, 'b')) ==
        "input: list:2: a name longer than 4095 bytes; each name has to end in a NUL byte, as find "
        "-print0 writes them");
}

TEST_CASE("Standard input cannot be a name on itself, but in a file") {
  const Directory directory;
  const std::vector<std::string> names = {"-", "a"};
  CHECK(names_in(with_nul("-") + "a") == names);
  CHECK(exited_with(status_of_child([] {
                      ::dup2(::open("list", O_RDONLY), 0);
                      const std::string error = error_of([] { return read_file_names("-"); });
                      if (error !=
                          "input: standard input:1: no file name of - is allowed on standard input "
                          "itself") {
                        ::_exit(98);
                      }
                    }),
                    0));
}

TEST_CASE("A list that cannot be read is an error of the system") {
  const Directory directory;
  CHECK(error_of([] { return read_file_names("missing"); }) ==
        "system: missing: cannot open: No such file or directory");
}
