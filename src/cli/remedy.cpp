#include "cli/remedy.hpp"

namespace bn::cli {

std::string remedy(io::Cause cause) {
  switch (cause) {
    case io::Cause::already_exists:
      return "; --force replaces it";
    case io::Cause::locked:
      return ", or wait longer with --lock-timeout";
    case io::Cause::not_regular:
      return "; use --state-out or --no-update";
    case io::Cause::other:
      break;
  }
  return "";
}

}  // namespace bn::cli
