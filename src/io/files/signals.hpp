// Signals that end the process: what they wait for, and what they clean up.
#pragma once

#include <csignal>

namespace bn::io {

/// From now on every signal that ends a process and can be caught first calls `clean_up`, which may
/// do only what a signal handler may, and then ends the process as it would have. Left as they are:
/// signals that are ignored (nohup) or handled already, and SIGSEGV, SIGBUS, SIGFPE and SIGILL,
/// after which nothing in memory is to be trusted, least of all the names of files to remove.
void catch_ending_signals(void (*clean_up)());

/// While one exists, no signal ends the process, whichever thread gets it, but SIGKILL and a fault
/// of the process's own; then the one that has come does. Does not return from its constructor or
/// destructor once the process is ending. They may nest.
class SignalHold {
 public:
  SignalHold();
  SignalHold(const SignalHold&) = delete;
  SignalHold& operator=(const SignalHold&) = delete;
  ~SignalHold();

 private:
  sigset_t before_{};
};

}  // namespace bn::io
