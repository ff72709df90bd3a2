#include "cli/error.hpp"

#include "catch.hpp"

using namespace bn;
using namespace bn::cli;

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
