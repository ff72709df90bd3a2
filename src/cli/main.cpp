#include "cli/program.hpp"

int main(int argc, char** argv) { return bn::cli::run_program(argc, argv); }
