// The program: what a command line asks for is done, and errors become messages and exit codes.
#pragma once

namespace bn::cli {

/// Returns the exit code.
int run_program(int argc, char** argv);

}  // namespace bn::cli
