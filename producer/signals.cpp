#include "producer/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

namespace fanmill::producer {
namespace {

sigset_t signals_read() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void block_signals() {
  const sigset_t set = signals_read();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // a file at its size limit is an error like a full disk
}

void unblock_signals() {
  const sigset_t set = signals_read();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

SignalReader::SignalReader() {
  const sigset_t set = signals_read();
  fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

SignalReader::~SignalReader() { close(fd_); }

int SignalReader::urgency() {
  signalfd_siginfo info{};
  while (read(fd_, &info, sizeof info) == sizeof info) {
    ++urgency_;
    if (info.ssi_signo == SIGTERM) urgency_ += 2;
  }
  return urgency_;
}

}  // namespace fanmill::producer
