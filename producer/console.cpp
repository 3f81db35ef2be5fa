#include "producer/console.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

namespace fanmill::producer {
namespace {

bool is_dumb() {
  const char* const term = std::getenv("TERM");
  return term == nullptr || std::string_view(term) == "dumb";
}

// The first `columns` characters: UTF-8 continuation bytes take no column.
std::string_view cut_to(std::string_view text, std::size_t columns) {
  std::size_t used = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xc0U) != 0x80 && used++ == columns) {
      return text.substr(0, i);
    }
  }
  return text;
}

}  // namespace

void occupy_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // Of the wrong direction, so that whoever uses it is told. The lowest free number is this one.
    (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
      poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

Console::Console(bool bar) : draws_bar_(bar && isatty(STDERR_FILENO) == 1 && !is_dumb()) {}

std::size_t Console::columns() const {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void Console::note(std::string_view text) {
  std::string line = "fanmill: ";
  line += text;
  write_line(line);
}

std::function<void(std::string_view)> Console::teller(bool quiet) {
  if (quiet) return {};
  return [this](std::string_view text) { note(text); };
}

void Console::write_line(std::string_view text) {
  const std::lock_guard lock(mutex_);
  hide();
  std::string line = at_line_start_ ? "" : "\n";
  line += text;
  line += '\n';
  write_all(STDERR_FILENO, line);
  at_line_start_ = true;
  show();
}

void Console::write(std::string_view text) {
  if (text.empty()) return;
  const std::lock_guard lock(mutex_);
  hide();
  write_all(STDERR_FILENO, text);
  at_line_start_ = text.back() == '\n';
  show();
}

int Console::write_data(int fd, std::string_view data) {
  if (data.empty()) return 0;
  if (!draws_bar_ || isatty(fd) == 0) return write_all(fd, data);
  const std::lock_guard lock(mutex_);
  hide();
  const int error_number = write_all(fd, data);
  at_line_start_ = data.back() == '\n';
  show();
  return error_number;
}

void Console::bar(std::string text) {
  if (!draws_bar_) return;
  // Who draws it also talks to the broker: it does not wait for a terminal that was stopped.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  bar_ = std::move(text);
  shown_ = false;
  show();
}

void Console::clear_bar() {
  const std::lock_guard lock(mutex_);
  hide();
  bar_.clear();
}

void Console::hide() {
  if (!shown_) return;
  write_all(STDERR_FILENO, "\r\x1b[J");
  shown_ = false;
}

void Console::show() {
  // Never behind half a line that somebody else will go on with.
  if (bar_.empty() || shown_ || !at_line_start_) return;
  // The cursor waits at the line's begin: where a terminal that became narrower breaks the line in
  // two, everything behind the cursor is the bar's, and goes with it. Without wrapping (?7l), for a
  // terminal may say its width later than it has it.
  std::string line = "\r\x1b[?7l";
  line += cut_to(bar_, columns() - 1);
  line += "\x1b[J\x1b[?7h\r";
  write_all(STDERR_FILENO, line);
  shown_ = true;
}

}  // namespace fanmill::producer
