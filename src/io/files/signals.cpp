#include "io/files/signals.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace bn::io {

namespace {

// Those that end a process unless somebody acts; the real-time ones are added. SIGXFSZ is missing
// because it is an error of a write here.
constexpr std::array kEndingSignals = {SIGHUP,  SIGINT,  SIGQUIT, SIGTRAP,   SIGABRT,   SIGUSR1,
                                       SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,   SIGSTKFLT, SIGXCPU,
                                       SIGIO,   SIGPWR,  SIGSYS,  SIGVTALRM, SIGPROF};

void (*clean_up_by_handler)() = nullptr;

// A thread that holds the signals blocks them, but others may get one meanwhile. Either the holder
// sees `ending` and goes no further, or the handler sees `holders` and waits for it; both are
// sequentially consistent.
std::atomic<bool> ending = false;
std::atomic<int> holders = 0;
thread_local int holds_here = 0;

extern "C" void clean_up_and_end(int signal_number) {
  ending = true;
  // abort() gets through to a thread that holds the signals, which must not wait for itself.
  while (holders != 0 && holds_here == 0) ::poll(nullptr, 0, 1);
  clean_up_by_handler();
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
  sigset_t mine;
  sigemptyset(&mine);
  sigaddset(&mine, signal_number);
  ::pthread_sigmask(SIG_UNBLOCK, &mine, nullptr);
}

void catch_signal(int signal_number) {
  struct sigaction before {};
  ::sigaction(signal_number, nullptr, &before);
  if (before.sa_handler != SIG_DFL) return;
  struct sigaction action {};
  action.sa_handler = clean_up_and_end;
  sigfillset(&action.sa_mask);  // a second signal must not end the cleaning up
  ::sigaction(signal_number, &action, nullptr);
}

// Another thread is in the handler and ends the process.
void stop_here_if_ending() {
  while (ending) ::pause();
}

}  // namespace

void catch_ending_signals(void (*clean_up)()) {
  clean_up_by_handler = clean_up;
  for (const int signal_number : kEndingSignals) catch_signal(signal_number);
  for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) catch_signal(number);
}

SignalHold::SignalHold() {
  if (holds_here != 0) {
    ++holds_here;
    return;
  }
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before_);
  holds_here = 1;
  ++holders;
  if (!ending) return;
  --holders;
  stop_here_if_ending();
}

SignalHold::~SignalHold() {
  if (holds_here == 1) {
    --holders;
    stop_here_if_ending();
  }
  if (--holds_here == 0) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace bn::io
