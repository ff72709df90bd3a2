// The program. The only place that prints errors and knows exit codes.
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <system_error>
#include <variant>

#include "cli/commands.hpp"
#include "cli/error.hpp"
#include "cli/flags/options.hpp"
#include "cli/remedy.hpp"
#include "io/files/descriptor.hpp"
#include "io/files/temporary.hpp"

namespace bn::cli {

namespace {

constexpr int kUsage = 2;
constexpr int kInput = 3;
constexpr int kSystem = 4;
constexpr int kBug = 70;

void run(const Text& text) {
  io::write_fully(STDOUT_FILENO, std::as_bytes(std::span(text.text)), "standard output");
}

int exit_code(io::ErrorKind kind) {
  switch (kind) {
    case io::ErrorKind::usage:
      return kUsage;
    case io::ErrorKind::input:
      return kInput;
    case io::ErrorKind::system:
      return kSystem;
  }
  return kBug;
}

int fail(const std::string& message, int exit_code) {
  std::fputs(("bn: " + message + "\n").c_str(), stderr);
  return exit_code;
}

int run_program(int argc, char** argv) {
  try {
    io::prepare_process();
    std::visit([](const auto& request) { run(request); }, parse(argc, argv));
    return 0;
  } catch (const io::Error& error) {
    return fail(error.what() + remedy(error.cause()), exit_code(error.kind()));
  } catch (const std::bad_alloc&) {
    return fail("out of memory", kSystem);
  } catch (const std::length_error&) {  // more elements than any memory can hold
    return fail("out of memory", kSystem);
  } catch (const std::system_error& error) {
    return fail(io::printable(error.what()), kSystem);
  } catch (const std::exception& error) {
    return fail(std::string("this is a bug in bn: ") + io::printable(error.what()), kBug);
  }
}

}  // namespace

}  // namespace bn::cli

int main(int argc, char** argv) { return bn::cli::run_program(argc, argv); }
