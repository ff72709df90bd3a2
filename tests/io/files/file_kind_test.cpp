#include "io/files/file_kind.hpp"

#include <sys/stat.h>

#include "support.hpp"

using namespace bn::io;
using namespace bn::io::test;

TEST_CASE("JSON and arrays are told apart by their first byte") {
  const Directory directory;
  write_file("a", "\x93NUMPY");
  write_file("b", "{}");
  write_file("c", "\n {}");
  write_file("d", "");
  REQUIRE(::mkfifo("e", 0600) == 0);
  CHECK(file_kind("a") == FileKind::array);
  CHECK(file_kind("b") == FileKind::json);
  CHECK(file_kind("c") == FileKind::json);
  CHECK(file_kind("d") == FileKind::array);
  CHECK(file_kind("e") == FileKind::stream);  // and does not wait for somebody who writes to it
  CHECK(file_kind("-") == FileKind::stream);
  CHECK(file_kind("/dev/null") == FileKind::stream);
  CHECK(file_kind(".") == FileKind::array);
  CHECK(file_kind("missing") == FileKind::array);
}
