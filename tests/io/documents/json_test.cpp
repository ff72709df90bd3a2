#include "io/documents/json.hpp"

#include <array>
#include <limits>

#include "support.hpp"

using namespace bn::io;
using namespace bn::io::json;
using namespace bn::io::test;

namespace {

Document parse(std::string_view text) { return {text, "s.json"}; }

std::string error_in(std::string_view text) {
  return error_of([&] { return parse(text); });
}

std::string text_of(std::string_view value) {
  return parse("{\"k\": " + std::string(value) + "}").field("k").value().text;
}

}  // namespace

TEST_CASE("Values keep their text, numbers digit by digit") {
  CHECK(text_of("1e-05") == "1e-05");
  CHECK(text_of("0.10") == "0.10");
  CHECK(text_of("123456789012345678901234567890") == "123456789012345678901234567890");
  CHECK(text_of("[1,2.50,\n-0.0]") == "[1, 2.50, -0.0]");
  CHECK(text_of(R"({"b":[1,{"c":null}],"a":true, "e":[], "f":{}})") ==
        R"({"b": [1, {"c": null}], "a": true, "e": [], "f": {}})");
  CHECK(text_of(R"("\u00fc\n\u0000")") == R"("ü\n\u0000")");
}

TEST_CASE("Typed values are read from their members") {
  const Document document = parse(
      R"({"f": 5e-324, "i": -9223372036854775807, "u": 18446744073709551615, "s": "t",
          "n": [1, 2.5, -0.0], "t": ["a", "b"], "e": []})");
  CHECK(document.field("f").number("") == std::numeric_limits<double>::denorm_min());
  CHECK(document.field("i").integer("") == -std::numeric_limits<std::int64_t>::max());
  CHECK(document.field("u").unsigned_integer("") == std::numeric_limits<std::uint64_t>::max());
  CHECK(document.field("s").string("") == "t");
  CHECK(document.field("n").numbers("") == std::vector<double>{1, 2.5, -0.0});
  CHECK(document.field("t").strings("") == std::vector<std::string>{"a", "b"});
  CHECK(document.field("e").numbers("").empty());
  CHECK(document.field("e").strings("").empty());
  CHECK(document.has("f"));
  CHECK_FALSE(document.has("g"));
}

TEST_CASE("A value of another kind is named together with its key") {
  const auto number = [](std::string_view value) {
    return error_of([&] {
      static_cast<void>(
          parse("{\"eps\": " + std::string(value) + "}").field("eps").number("a number"));
    });
  };
  CHECK(number("null") == "input: s.json: eps is null, but has to be a number");
  CHECK(number("false") == "input: s.json: eps is the boolean false, but has to be a number");
  CHECK(number("true") == "input: s.json: eps is the boolean true, but has to be a number");
  CHECK(number("\"0.1\"") == "input: s.json: eps is the string \"0.1\", but has to be a number");
  CHECK(number("[1, 2]") == "input: s.json: eps is an array of 2, but has to be a number");
  CHECK(number("{}") == "input: s.json: eps is an object, but has to be a number");
  const Document document =
      parse(R"({"a": [1, "2"], "b": ["1", 2], "c": 1.0, "d": -1, "e": 9223372036854775808})");
  CHECK(error_of([&] { return document.field("a").numbers("numbers"); }) ==
        "input: s.json: a[1] is not a number, but a has to be numbers");
  CHECK(error_of([&] { return document.field("b").strings("strings"); }) ==
        "input: s.json: b[1] is not a string, but b has to be strings");
  CHECK(error_of([&] { return document.field("c").integer("an integer"); }) ==
        "input: s.json: c is the number 1.0, but has to be an integer");
  CHECK(error_of([&] { return document.field("d").unsigned_integer("a count"); }) ==
        "input: s.json: d is the number -1, but has to be a count");
  CHECK(error_of([&] { return document.field("e").integer("an integer"); }) ==
        "input: s.json: e is the number 9223372036854775808, but has to be an integer");
  CHECK(error_of([&] { return document.field("none"); }) ==
        "input: s.json: key \"none\" is missing");
}

TEST_CASE("Integers are read as far as 64 bits hold them, those with a sign as far as 63") {
  const auto integer = [](const std::string& text) {
    return parse("{\"k\": " + text + "}").field("k").integer("an integer");
  };
  const auto count = [](const std::string& text) {
    return parse("{\"k\": " + text + "}").field("k").unsigned_integer("a count");
  };
  CHECK(integer("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(integer("-9223372036854775807") == -std::numeric_limits<std::int64_t>::max());
  CHECK(error_of([&] { return integer("-9223372036854775808"); }) != "nothing");
  CHECK(error_of([&] { return integer("9223372036854775808"); }) != "nothing");
  CHECK(integer("-1") == -1);
  CHECK(count("0") == 0);
  CHECK(count("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  CHECK(error_of([&] { return count("18446744073709551616"); }) ==
        "input: s.json: k is the number 18446744073709551616, but has to be a count");
}

TEST_CASE("Nothing but one object is a document") {
  CHECK(error_in("") == "input: s.json: is empty, but has to be a JSON object");
  CHECK(error_in(" \n\t") == "input: s.json: is empty, but has to be a JSON object");
  CHECK(error_in(std::string_view("\0\0", 2)) ==
        "input: s.json: is not valid JSON: it has a NUL byte");
  CHECK(error_in(std::string_view("{}\0{", 4)) ==
        "input: s.json: is not valid JSON: it has a NUL byte");
  const std::string no_object =
      "input: s.json: is valid JSON, but has to be an object: {\"key\": value, ...}";
  CHECK(error_in("[]") == no_object);
  CHECK(error_in("5") == no_object);
  CHECK(error_in("[[1e999]]") != "nothing");
  CHECK(error_in("{} {}").starts_with("input: s.json: is not valid JSON: parse error at line 1, "));
  CHECK(error_in("{\"a\": 1} x").starts_with("input: s.json: is not valid JSON"));
  CHECK(error_in("\xEF\xBB\xBF{}") ==
        "input: s.json: begins with a byte order mark; JSON in UTF-8 without one is needed");
  CHECK(error_in("\xFE\xFF{").starts_with("input: s.json: begins with a byte order mark"));
  CHECK(error_in("\xFF\xFE{").starts_with("input: s.json: begins with a byte order mark"));
}

TEST_CASE("A document cut at any byte is an error") {
  const std::string text = R"({"a": [1.5, -2e3], "b": {"c": "d\n"}, "e": null})";
  for (std::size_t size = 0; size < text.size(); ++size) {
    CHECK(error_in(text.substr(0, size)).starts_with("input: s.json: is "));
  }
}

TEST_CASE("What is not closed is no valid JSON, but ends too early") {
  const std::string early =
      "input: s.json: is not valid JSON: it ends too early: parse error at line ";
  CHECK(error_in("[1, 2") ==
        early +
            "1, column 6: syntax error while parsing array - unexpected end of input; "
            "expected ']'");
  CHECK(error_in("{\"a\": [1,\n2]").starts_with(early + "2, "));
  for (const std::string text : {"[", "[[1]", "{", "{\"a", "{\"a\"", "{\"a\": 1", "{\"a\": tru",
                                 "{\"a\": -", "[tru", "\"a"}) {
    CAPTURE(text);
    CHECK(error_in(text).starts_with(early));
  }
  CHECK(error_in("[1, 2}").find("early") == std::string::npos);
  CHECK(error_in("{\"a\": [1}").find("early") == std::string::npos);
}

TEST_CASE("The numbers that only Python's JSON has are named") {
  const std::string finite =
      "; JSON has no NaN and no infinity, and every number has to be finite (in Python, "
      "json.dump(..., allow_nan=False) refuses to write others)";
  for (const std::string number : {"NaN", "Infinity", "-Infinity"}) {
    CAPTURE(number);
    for (const auto& [before, behind] :
         {std::pair("{\"a\": ", "}"), std::pair("{\"a\":[1, ", ",2]}"),
          std::pair("{\"a\": ", "")}) {
      const std::string error = error_in(before + number + behind);
      CHECK(
          error.starts_with("input: s.json: is not valid JSON: a has " + number + " at line 1, c"));
      CHECK(error.ends_with(finite));
    }
    CHECK(error_in("[" + number + "]").ends_with(finite));
  }
  CHECK(error_in("{\"a\": NaNa}").find("no NaN") == std::string::npos);
  CHECK(error_in("{\"a\": nan}").find("no NaN") == std::string::npos);
}

TEST_CASE("A message shows 40 bytes of what was found") {
  const auto error = [](std::size_t size) {
    return error_of([&] {
      return parse("{\"k\": \"" + std::string(size, 'x') + "\"}").field("k").number("a number");
    });
  };
  const std::string begin = "input: s.json: k is the string \"";
  CHECK(error(38) == begin + std::string(38, 'x') + "\", but has to be a number");
  CHECK(error(39) == begin + std::string(39, 'x') + "..., but has to be a number");
}

TEST_CASE("A key given twice is an error at any depth") {
  CHECK(error_in(R"({"a": 1, "a": 1})") == "input: s.json: key \"a\" is given twice");
  CHECK(error_in(R"({"m": [{"x\n": 1, "x\n": 1}]})") ==
        "input: s.json: key \"x\\n\" is given twice");
  CHECK(error_in(R"({"m": {"a": 1}, "a": {"a": 1}})") == "nothing");
}

TEST_CASE("Numbers that no finite double is are errors") {
  for (const std::string value :
       {"NaN", "Infinity", "-Infinity", "1e999", "-1e999", "0x10", "+1", "01", ".5", "1."}) {
    CAPTURE(value);
    CHECK(error_in("{\"a\": " + value + "}").starts_with("input: s.json: is not valid JSON: "));
  }
  CHECK(error_in("{\"a\": " + std::string(400, '9') + "}") != "nothing");
}

TEST_CASE("Deep nesting is refused without recursion") {
  const std::string deep = "{\"metadata\": " + std::string(100000, '[');
  CHECK(error_in(deep) == "input: s.json: is nested deeper than 64 levels");
  const std::string too_deep = "input: s.json: is nested deeper than 64 levels";
  const auto arrays = [](std::size_t levels) {  // in the document, which is the first level
    return "{\"m\": " + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  CHECK(error_in(arrays(63)) == "nothing");
  CHECK(error_in(arrays(64)) == "nothing");
  CHECK(error_in(arrays(65)) == too_deep);
  const auto objects = [](std::size_t levels) {
    std::string text = "0";
    for (std::size_t level = 0; level < levels; ++level) text = "{\"m\": " + text + "}";
    return text;
  };
  CHECK(error_in(objects(64)) == "nothing");
  CHECK(error_in(objects(65)) == too_deep);
}

TEST_CASE("An unknown key is answered with the nearest valid one") {
  constexpr std::array<std::string_view, 3> keys = {"gamma", "momentum", "momentum_weights"};
  CHECK(error_of([&] { return parse(R"({"momentun": 1})").require_known(keys); }) ==
        "input: s.json: unknown key \"momentun\"; the nearest valid key is \"momentum\"");
  CHECK(error_of([&] { return parse(R"({"gammas_of_all": 1})").require_known(keys); }) ==
        "input: s.json: unknown key \"gammas_of_all\"; the nearest valid key is \"gamma\"");
  CHECK(error_of([&] { return parse(R"({"gamma": 1})").require_known(keys); }) == "nothing");
}

TEST_CASE("A key that is like none is answered with all valid ones") {
  constexpr std::array<std::string_view, 3> keys = {"gamma", "momentum", "momentum_weights"};
  CHECK(error_of([&] { return parse(R"({"learning_rate": 1})").require_known(keys); }) ==
        "input: s.json: unknown key \"learning_rate\"; valid keys are gamma, momentum, "
        "momentum_weights");
}
