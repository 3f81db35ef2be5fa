// SIGINT and SIGTERM are read between turns of a loop instead of ending the program anywhere.
#pragma once

#include <signal.h>

namespace fanmill::producer {

// Blocks all signals that are read (SIGINT, SIGTERM) for the calling thread and the threads made
// from it; SIGPIPE and SIGXFSZ are ignored. To be called before any other thread exists.
void block_signals();
// Undoes it for the calling thread, where nobody reads them: Ctrl-C then ends the program.
void unblock_signals();

// While it lives, Ctrl-C and SIGTERM end the program: where it may wait for ever before anything
// runs.
class SignalsEndIt {
 public:
  SignalsEndIt() { unblock_signals(); }
  SignalsEndIt(const SignalsEndIt&) = delete;
  SignalsEndIt& operator=(const SignalsEndIt&) = delete;
  ~SignalsEndIt() { block_signals(); }
};

class SignalReader {
 public:
  SignalReader();
  SignalReader(const SignalReader&) = delete;
  SignalReader& operator=(const SignalReader&) = delete;
  ~SignalReader();

  int fd() const { return fd_; }
  // How insistent whoever sends them is: 1 for each Ctrl-C so far, 3 for a SIGTERM.
  int urgency();

 private:
  int fd_;
  int urgency_ = 0;
};

}  // namespace fanmill::producer
