#include "cli/error.hpp"

#include <limits>
#include <string>

#include "io/support.hpp"
#include "support.hpp"

using namespace bn;
using namespace bn::cli;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// An array of zeros of the shape (4, 3) in a file of this name.
io::ArrayReader zeros(const std::string& name) {
  io::test::write_file(name, test::constant_npy({4, 3}));
  return io::ArrayReader(name);
}

// What becomes of an error of the library on x.npy and dy.npy.
template <class Error>
std::string explained(const Error& error) {
  const io::test::Directory directory;
  const io::ArrayReader x = zeros("x.npy");
  const io::ArrayReader dy = zeros("dy.npy");
  return io::test::error_of([&]() -> int { throw explain(error, x, &dy, -1); });
}

}  // namespace

TEST_CASE("A remedy is a flag that helps against this cause, and that the command has") {
  const std::vector<std::string> none;
  CHECK(remedy(io::Cause::already_exists, none) == "; --force replaces it");
  CHECK(remedy(io::Cause::locked, none) == ", or wait longer with --lock-timeout");
  CHECK(remedy(io::Cause::not_regular, {"--no-update"}) ==
        "; use --no-update, --state-out or --mode test");
  CHECK(remedy(io::Cause::not_regular, none).empty());
  CHECK(remedy(io::Cause::not_a_cache, none) == " --cache");
  CHECK(remedy(io::Cause::missing, none).empty());
  CHECK(remedy(io::Cause::other, none).empty());
}

TEST_CASE("A word is suggested where it is near") {
  CHECK(suggestion("--momentun", {"--momentum", "--mode"}) == "; did you mean --momentum?");
  CHECK(suggestion("--quite-another", {"--momentum", "--mode"}).empty());
}

TEST_CASE("A value that is not finite is named with its file and index") {
  const std::string end = "; its channel has no finite statistics";
  CHECK(explained(NonFiniteError(Operand::x, 7, std::numeric_limits<double>::quiet_NaN())) ==
        "input: x.npy: NaN at index (2, 1)" + end);
  CHECK(explained(NonFiniteError(Operand::x, 0, kInfinity)) ==
        "input: x.npy: infinity at index (0, 0)" + end);
  CHECK(explained(NonFiniteError(Operand::dy, 11, -kInfinity)) ==
        "input: dy.npy: -infinity at index (3, 2)" + end);
}

TEST_CASE("A batch that cannot be normalised is named with what would help") {
  CHECK(explained(SingleValueError()) ==
        "input: x.npy: one value per channel (axis -1 of (4, 3)) has no variance to normalise by; "
        "use more values or --mode test");
  CHECK(explained(RangeError("variance", 2)) ==
        "input: x.npy: variance of channel 2 is outside the range of double");
  CHECK(explained(bn::Error("is odd")) == "input: x.npy: is odd");
  CHECK(io::test::error_of([]() -> int { throw explain(RangeError("mean", 0), "all inputs"); }) ==
        "input: all inputs: mean of channel 0 is outside the range of double");
}

TEST_CASE("Channels are told with their axis and the shape") {
  const io::test::Directory directory;
  CHECK(channels_text(zeros("x.npy"), 1) == "3 channels (axis 1 of (4, 3))");
  CHECK(channels_text(zeros("x.npy"), -2) == "4 channels (axis -2 of (4, 3))");
}

TEST_CASE("An error of usage is one line of printable text") {
  CHECK(io::test::error_of([]() -> int { throw UsageError("a\nb"); }) == "usage: a\\nb");
}

TEST_CASE("Memory that does not suffice for an array names it and its shape") {
  const io::test::Directory directory;
  const io::ArrayReader x = zeros("x.npy");
  CHECK(io::test::error_of([&] {
          with_memory_for(x, [] { throw std::bad_alloc(); });
          return 0;
        }) == "system: x.npy: out of memory for an array of shape (4, 3)");
}
