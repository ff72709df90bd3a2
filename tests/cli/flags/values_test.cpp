#include "cli/flags/values.hpp"

#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>

#include "support.hpp"

using namespace bn;
using namespace bn::cli;
using namespace bn::cli::test;

namespace {

constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMinInteger = std::numeric_limits<std::int64_t>::min();

// What a parser says about a text after "--flag: ".
template <class Parse>
std::string complaint(Parse parse, const std::string& text) {
  const std::string error = error_of([&] { return parse("--flag", text); });
  const std::string start = "usage: --flag: ";
  return error.starts_with(start) ? error.substr(start.size()) : error;
}

// Text that is nothing of the kind is shown in quotes, a value out of range without.
template <class Parse>
void check_malformed(Parse parse, const std::string& what,
                     std::initializer_list<const char*> texts) {
  for (const std::string text : texts) {
    CHECK(complaint(parse, text) == std::string("'") + text + "' is not " + what);
  }
}
template <class Parse>
void check_out_of_range(Parse parse, const std::string& what,
                        std::initializer_list<const char*> texts) {
  for (const std::string text : texts) CHECK(complaint(parse, text) == text + " is not " + what);
}

}  // namespace

TEST_CASE("A number is a finite decimal number in the range of double") {
  CHECK(parse_number("--flag", "1e-5") == 1e-5);
  CHECK(parse_number("--flag", "-0.5") == -0.5);
  CHECK(parse_number("--flag", "007") == 7);
  CHECK(parse_number("--flag", "1.7976931348623157e308") == std::numeric_limits<double>::max());
  CHECK(parse_number("--flag", "4.9406564584124654e-324") ==
        std::numeric_limits<double>::denorm_min());
  CHECK(std::signbit(parse_number("--flag", "-0")));
  check_malformed(parse_number, "a number",
                  {"", " ", "1 ", " 1", "+1", "1,5", "1e", "0x1p3", "abc", "1e5x", "--1"});
  check_out_of_range(parse_number, "a finite number in the range of double",
                     {"1.8e308", "-1e999", "1e-999", "nan", "inf", "-inf", "infinity"});
}

TEST_CASE("An integer lies between its limits, both included") {
  const auto parse = [](std::string_view flag, std::string_view text) {
    return parse_integer(flag, text, -2, 10);
  };
  CHECK(parse("--flag", "-2") == -2);
  CHECK(parse("--flag", "10") == 10);
  CHECK(parse("--flag", "010") == 10);
  check_out_of_range(parse, "in the range -2 to 10",
                     {"-3", "11", "9223372036854775808", "-9223372036854775809"});
  check_malformed(parse, "an integer", {"", "1.0", "1e1", "0x1", "+1", "1 ", "one", "-"});
}

TEST_CASE("An axis is any integer, since which axes there are is up to the array") {
  CHECK(parse_axis("--axis", "-1") == -1);
  CHECK(parse_axis("--axis", std::to_string(kMaxInteger)) == kMaxInteger);
  CHECK(parse_axis("--axis", std::to_string(kMinInteger)) == kMinInteger);
  CHECK(complaint(parse_axis, "9223372036854775808") ==
        "9223372036854775808 is not in the range -9223372036854775808 to 9223372036854775807");
  CHECK(complaint(parse_axis, "1.5") == "'1.5' is not an integer");
}

TEST_CASE("Channels are at least 0") {
  CHECK(parse_channels("--channels", "0") == 0);
  CHECK(parse_channels("--channels", std::to_string(kMaxInteger)) ==
        static_cast<std::size_t>(kMaxInteger));
  check_out_of_range(parse_channels, "in the range 0 to 9223372036854775807",
                     {"-1", "9223372036854775808"});
  CHECK(complaint(parse_channels, "many") == "'many' is not an integer");
}

TEST_CASE("Batches are 0 to 2^53") {
  CHECK(parse_batches("--num-batches-tracked", "0") == 0);
  CHECK(parse_batches("--num-batches-tracked", "9007199254740992") == std::uint64_t{1} << 53U);
  check_out_of_range(parse_batches, "in the range 0 to 9007199254740992",
                     {"-1", "9007199254740993"});
}

TEST_CASE("Threads are 1 to 1024") {
  CHECK(parse_threads("--threads", "1") == 1);
  CHECK(parse_threads("--threads", "1024") == 1024);
  check_out_of_range(parse_threads, "in the range 1 to 1024",
                     {"-1", "0", "1025", "99999999999999999999"});
  CHECK(complaint(parse_threads, "1e3") == "'1e3' is not an integer");
}

TEST_CASE("eps is greater than 0") {
  CHECK(parse_eps("--eps", "5e-324") == 5e-324);
  CHECK(parse_eps("--eps", "1e308") == 1e308);
  check_out_of_range(parse_eps, "greater than 0", {"0", "-0", "-5e-324", "-1"});
  CHECK(complaint(parse_eps, "nan") == "nan is not a finite number in the range of double");
  CHECK(complaint(parse_eps, "") == "'' is not a number");
}

TEST_CASE("Seconds are 0 to 1e9") {
  CHECK(parse_seconds("--lock-timeout", "0") == 0);
  CHECK(parse_seconds("--lock-timeout", "0.25") == 0.25);
  CHECK(parse_seconds("--lock-timeout", "1e9") == 1e9);
  check_out_of_range(parse_seconds, "in the range 0 to 1e9",
                     {"-5e-324", "1000000000.0000001", "1e300"});
  CHECK(complaint(parse_seconds, "soon") == "'soon' is not a number");
}

TEST_CASE("Momentum is 0 to 1, or null") {
  CHECK(parse_momentum("--momentum", "0") == 0.0);
  CHECK(parse_momentum("--momentum", "1") == 1.0);
  CHECK(parse_momentum("--momentum", "null") == std::nullopt);
  check_out_of_range(parse_momentum, "in the range 0 to 1", {"-5e-324", "1.0000000000000002"});
  check_malformed(parse_momentum, "a number", {"", "Null", "none"});
}

TEST_CASE("What is not a number is a path") {
  CHECK(parse_number_or_path("--gamma", "1.5") == NumberOrPath(1.5));
  for (const std::string text : {"gamma.npy", "./1", "1.npy", "1x", "", "-"}) {
    CHECK(parse_number_or_path("--gamma", text) == NumberOrPath(text));
  }
  check_out_of_range(parse_number_or_path, "a finite number in the range of double",
                     {"nan", "inf", "1e999"});
}

TEST_CASE("The number of a variance is at least 0") {
  CHECK(parse_variance_or_path("--running-var", "0") == NumberOrPath(0.0));
  CHECK(parse_variance_or_path("--running-var", "var.npy") == NumberOrPath("var.npy"));
  CHECK(complaint(parse_variance_or_path, "-5e-324") == "-5e-324 is less than 0");
}

TEST_CASE("A word that is not in the list names the list and the word that was meant") {
  CHECK(parse_mode("--mode", "train") == Mode::train);
  CHECK(parse_mode("--mode", "test") == Mode::test);
  CHECK(complaint(parse_mode, "trian") == "'trian' is not one of train, test; did you mean train?");
  CHECK(complaint(parse_mode, "inference") == "'inference' is not one of train, test");
  CHECK(complaint(parse_mode, "") == "'' is not one of train, test");
  CHECK(parse_choice<MomentumWeights>("--momentum-weights", "batch") == MomentumWeights::batch);
  CHECK(parse_choice<VarEstimator>("--running-var-estimator", "unbiased") ==
        VarEstimator::unbiased);
  CHECK(complaint(parse_choice<VarEstimator>, "unbias")
            .starts_with("'unbias' is not one of biased, unbiased"));
}

TEST_CASE("The dtype of an output is a floating one") {
  CHECK(parse_dtype("--dtype", "float16") == Dtype::float16);
  CHECK(parse_dtype("--dtype", "float32") == Dtype::float32);
  CHECK(parse_dtype("--dtype", "float64") == Dtype::float64);
  CHECK(complaint(parse_dtype, "complex") == "'complex' is not one of float16, float32, float64");
  CHECK(complaint(parse_dtype, "Float32") ==
        "'Float32' is not one of float16, float32, float64; did you mean float32?");
}

TEST_CASE("Control characters in a value do not reach the terminal") {
  CHECK(complaint(parse_number, "1\n\x1b[31m") == "'1\\n\\x1b[31m' is not a number");
}
