#include "io/error.hpp"

#include <cerrno>

#include "support.hpp"

using namespace bn::io;

TEST_CASE("A message stays one line whatever the file is called") {
  CHECK(input_error("a\nb\tc\x1b[31m.npy", "is empty").what() ==
        std::string("a\\nb\\tc\\x1b[31m.npy: is empty"));
  CHECK(printable("\x7f") == "\\x7f");
}

TEST_CASE("UTF-8 is shown as it is, everything else as bytes") {
  CHECK(printable("größe €.npy \xF0\x9F\x98\x80") == "größe €.npy \xF0\x9F\x98\x80");
  CHECK(printable("\xff\xc3(") == "\\xff\\xc3(");
  CHECK(printable("\xc0\x80") == "\\xc0\\x80");           // an overlong NUL
  CHECK(printable("\xe0\x80\x80") == "\\xe0\\x80\\x80");  // another
  CHECK(printable("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // a surrogate
  CHECK(printable("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");  // a control character that terminals obey
  CHECK(printable("\xe2\x82") == "\\xe2\\x82");  // cut short
}

TEST_CASE("The first and the last of every kind of character are told from their neighbours") {
  const auto shown = [](const std::string& text) { return printable(text) == text; };
  for (const std::string character :
       {" ", "~", "\xC2\xA0", "\xC3\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xE1\x80\x80",
        "\xED\x9F\xBF", "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF1\x80\x80\x80",
        "\xF4\x8F\xBF\xBF"}) {
    CAPTURE(character);
    CHECK(shown(character));
    if (character.size() > 1) {
      CHECK_FALSE(shown(character.substr(0, character.size() - 1)));
      CHECK_FALSE(shown(character.substr(0, character.size() - 1) + "\xC0"));
      CHECK_FALSE(shown(character.substr(0, 1) + "\x7F" + character.substr(2)));
    }
  }
  for (const std::string bytes :
       {"\x1F", "\x7F", "\x80", "\xBF", "\xC1\xBF", "\xC2\x80", "\xC2\x9F", "\xE0\x9F\xBF",
        "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80"}) {
    CAPTURE(bytes);
    CHECK_FALSE(shown(bytes));
  }
}

TEST_CASE("Long text ends in dots") {
  CHECK(printable("ab", 3) == "ab");
  CHECK(printable("abc", 3) == "abc");
  CHECK(printable("abcd", 3) == "abc...");
  CHECK(printable("abcdef", 3) == "abc...");
  CHECK(printable(std::string(4096, 'a')) == std::string(4096, 'a'));
  CHECK(printable(std::string(4097, 'a')) == std::string(4096, 'a') + "...");
}

TEST_CASE("An error of the system says which") {
  const Error error = system_error("x.npy", "cannot open", ENOENT);
  CHECK(error.what() == std::string("x.npy: cannot open: No such file or directory"));
  CHECK(error.kind() == ErrorKind::system);
  CHECK(usage_error("x", "y").kind() == ErrorKind::usage);
  CHECK(input_error("x", "y").kind() == ErrorKind::input);
}

TEST_CASE("An error may tell its cause, so that a caller can tell the way round it") {
  CHECK(usage_error("x", "y").cause() == Cause::other);
  CHECK(usage_error("x", "y", Cause::already_exists).cause() == Cause::already_exists);
  CHECK(system_error("x", "y", Cause::locked).cause() == Cause::locked);
  CHECK(system_error("x", "cannot open", ENOENT).cause() == Cause::missing);
  CHECK(system_error("x", "cannot open", EACCES).cause() == Cause::other);
}

TEST_CASE("What runs out of memory is named with what it was for") {
  const auto error_after = [](const auto& error) -> std::string {
    try {
      return naming_memory_for("x\n.npy", "9 channels", [&]() -> std::string { throw error; });
    } catch (const Error& named) {
      CHECK(named.kind() == ErrorKind::system);
      return named.what();
    }
  };
  CHECK(error_after(std::bad_alloc()) == "x\\n.npy: out of memory for 9 channels");
  CHECK(error_after(std::length_error("")) == "x\\n.npy: out of memory for 9 channels");
  CHECK(naming_memory_for("x", "y", [] { return 3; }) == 3);
}

TEST_CASE("Counts are in the singular and in the plural") {
  CHECK(count_text(0, "value") == "0 values");
  CHECK(count_text(1, "value") == "1 value");
  CHECK(count_text(2, "channel") == "2 channels");
}
